"""Faults on purpose: an API that refuses, lags, hangs or drops connections."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import StatusError

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.request import RequestInfo

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_RELEASE_INTERVAL_S = 0.05


class PageError(Exception):
    """The server must answer with a page that is none of Kubernetes."""


class ConnectionDroppedError(Exception):
    """The server must close the connection without an answer."""


@dataclass(slots=True)
class Fault:
    """What to do to which requests; empty fields match everything.

    Attributes:
        verb: ``patch``.
        resource: ``secrets``, ``daemonsets.apps``.
        name: Of the object.
        subresource: ``exec``.
        status: Answer with this HTTP status instead of doing anything.
        retry_after_s: Seconds to put into ``Retry-After``.
        delay_s: Seconds to wait first.
        hang: Never answer.
        drop: Close the connection instead of answering.
        page: Answer 200 with a page of HTML that quotes the request, as a proxy
            does that wants a login.
        after: Carry the request out first, so that only the answer is lost.
        times: How often; ``None`` for until it is cleared.
        seen: How often it has struck.
    """

    verb: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    status: int | None = None
    retry_after_s: int | None = None
    delay_s: float = 0.0
    hang: bool = False
    drop: bool = False
    page: bool = False
    after: bool = False
    times: int | None = None
    seen: int = 0
    cleared: bool = field(default=False, repr=False)

    def matches(self, request: RequestInfo) -> bool:
        """Tell whether it is meant for this request."""
        wanted = (
            (self.verb, request.verb),
            (self.resource, request.resource),
            (self.name, request.name),
            (self.subresource, request.subresource),
        )
        exhausted = self.times is not None and self.seen >= self.times
        return not exhausted and all(want in ("", is_) for want, is_ in wanted)

    async def strike(self) -> None:
        """Do it.

        Raises:
            StatusError: The answer that was asked for.
            ConnectionDroppedError: The connection must be dropped.
            PageError: A page must be sent.
        """
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        while self.hang and not self.cleared:
            # Cleared from another thread, so there is no event to wait for.
            await asyncio.sleep(_RELEASE_INTERVAL_S)
        if self.drop:
            raise ConnectionDroppedError
        if self.page:
            raise PageError
        if self.status is not None:
            details = (
                {"retryAfterSeconds": self.retry_after_s}
                if self.retry_after_s is not None
                else {}
            )
            raise StatusError(
                self.status,
                _REASONS.get(self.status, "Unknown"),
                f"a fault was asked for: {self.status}",
                details,
            )


class Faults:
    """The faults in force; may be changed from any thread at any time."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Put a fault into force.

        Returns:
            The same fault, whose ``seen`` tells how often it struck.
        """
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults away; requests that hang go on."""
        with self._lock:
            for fault in self._faults:
                fault.cleared = True
            self._faults.clear()

    def claim(self, request: RequestInfo) -> Fault | None:
        """Find the first fault for a request, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(request):
                    fault.seen += 1
                    return fault
        return None
