"""Answers that go on: watches and logs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from runbooks.lab.kubeapi.answers import form_of, line
from runbooks.lab.kubeapi.request import flag
from runbooks.lab.kubeapi.selectors import both
from runbooks.lab.kubeapi.status import JsonObject, StatusError, bad_request

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.request import RequestInfo
    from runbooks.lab.kubeapi.store import Store
    from runbooks.lab.kubeapi.watch import Event

_WATCH_LIMIT_S = 3600.0
_BOOKMARK_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What a client wants of a container's log.

    Attributes:
        follow: Whether to go on as it grows.
        tail_lines: Only so many of the last lines.
        since_s: Only lines this many seconds old or younger.
        previous: Of the container that ran before.
        timestamps: Whether lines start with their times.
    """

    follow: bool = False
    tail_lines: int | None = None
    since_s: int | None = None
    previous: bool = False
    timestamps: bool = False


LogHandler: TypeAlias = Callable[[JsonObject, str, LogRequest], AsyncIterator[bytes]]
"""Read a log: pod, container, what is wanted; yields it piece by piece."""


def _whole_number(query: web.Request, name: str) -> int | None:
    text = query.query.get(name, "")
    if not text:
        return None
    if not text.isdecimal():
        raise bad_request(f"{name}: {text!r} is not a whole number")
    return int(text)


async def stream_log(
    http: web.Request, pod: JsonObject, container: str, handler: LogHandler
) -> web.StreamResponse:
    """Answer ``GET .../pods/<name>/log``."""
    wanted = LogRequest(
        flag(http.query, "follow"),
        _whole_number(http, "tailLines"),
        _whole_number(http, "sinceSeconds"),
        flag(http.query, "previous"),
        flag(http.query, "timestamps"),
    )
    pieces = handler(pod, container, wanted)
    # A refusal must come before the response has begun.
    first = await anext(pieces, b"")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(http)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    return response


class _Watch:
    """The events that one watch sees, in a queue of the server's loop."""

    def __init__(self, http: web.Request, info: RequestInfo) -> None:
        query = http.query
        self._info = info
        self._form = form_of(http)
        self._labels = query.get("labelSelector", "")
        self._fields = query.get("fieldSelector", "")
        if info.name:
            named = f"metadata.name={info.name}"
            self._fields = ",".join(filter(None, (self._fields, named)))
        self._selects = both(self._labels, self._fields)
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def hear(self, event: Event) -> None:
        """Take an event, in whatever thread it was made."""
        info = self._info
        if event.resource != info.resource:
            return
        if info.namespace is not None and event.namespace not in (None, info.namespace):
            return
        seen = event.seen_through(self._selects)
        if seen is not None:
            # The loop is closed when the server stops before its store.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._events.put_nowait, seen)

    async def next(self, timeout_s: float) -> Event | None:
        """Wait for an event; ``None`` when the time is up."""
        try:
            return await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            return None

    def listed(self, store: Store) -> tuple[list[JsonObject], int]:
        """List what is there before the first event."""
        return store.list_with_version(
            self._info.resource,
            self._info.namespace,
            label_selector=self._labels,
            field_selector=self._fields,
        )

    def render(self, store: Store, event_type: str, obj: JsonObject) -> bytes:
        """Encode an event."""
        resource = store.catalogue.named(self._info.resource)
        shown = self._form.render(resource, obj)
        return line({"type": event_type, "object": shown})


def _bookmark(store: Store, info: RequestInfo, version: int, *, initial: bool) -> bytes:
    resource = store.catalogue.named(info.resource)
    meta: JsonObject = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    obj = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": meta,
    }
    return line({"type": "BOOKMARK", "object": obj})


async def stream_watch(
    http: web.Request, store: Store, info: RequestInfo
) -> web.StreamResponse:
    """Answer a watch: one JSON object a line, until its time is up.

    A watch from a resourceVersion goes on after it; one without begins with
    everything there is. What is too old ends in an ERROR event with 410.
    """
    query = http.query
    watch = _Watch(http, info)
    since = _whole_number(http, "resourceVersion") or 0
    initial = flag(query, "sendInitialEvents")
    bookmarks = flag(query, "allowWatchBookmarks")
    limit_s = float(_whole_number(http, "timeoutSeconds") or _WATCH_LIMIT_S)
    store.catalogue.named(info.resource)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(http)
    end = asyncio.get_running_loop().time() + limit_s
    subscription = None
    try:
        if since and not initial:
            subscription = store.subscribe(watch.hear, since=since)
        else:
            objects, version = watch.listed(store)
            for obj in objects:
                await response.write(watch.render(store, "ADDED", obj))
            if initial and bookmarks:
                await response.write(_bookmark(store, info, version, initial=True))
            subscription = store.subscribe(watch.hear, since=version)
        while (left_s := end - asyncio.get_running_loop().time()) > 0:
            event = await watch.next(min(left_s, _BOOKMARK_INTERVAL_S))
            if event is not None:
                await response.write(watch.render(store, event.type, event.object))
            elif bookmarks:
                mark = _bookmark(store, info, store.version, initial=False)
                await response.write(mark)
    except StatusError as error:
        await response.write(line({"type": "ERROR", "object": error.to_status()}))
    finally:
        if subscription is not None:
            subscription.close()
    return response
