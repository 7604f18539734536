"""Answers over HTTP: objects, lists, tables and refusals, as the client asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from runbooks.lab.kubeapi.tables import partial, table

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.resources import Resource
    from runbooks.lab.kubeapi.status import JsonObject, StatusError


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a client wants objects.

    Attributes:
        kind: ``Table``, ``PartialObjectMetadata`` or empty for the objects.
        include: What the rows of a table carry.
    """

    kind: str = ""
    include: str = "Metadata"

    def render(self, resource: Resource, obj: JsonObject) -> JsonObject:
        """Render one object."""
        if self.kind == "Table":
            version = obj["metadata"].get("resourceVersion", "")
            return table(resource, [obj], version, self.include)
        return partial(obj) if self.kind == "PartialObjectMetadata" else obj

    def render_list(
        self, resource: Resource, objects: list[JsonObject], version: int
    ) -> JsonObject:
        """Render a list, read at a resourceVersion."""
        if self.kind == "Table":
            return table(resource, objects, str(version), self.include)
        kind, api_version = f"{resource.kind}List", resource.api_version
        if self.kind == "PartialObjectMetadataList":
            kind, api_version = self.kind, "meta.k8s.io/v1"
            objects = [partial(obj) for obj in objects]
        return {
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {"resourceVersion": str(version)},
            "items": objects,
        }


def form_of(request: web.Request) -> Form:
    """Read from ``Accept`` what form is wanted; the first that is known."""
    for option in request.headers.get("Accept", "").split(","):
        media, *parameters = (part.strip() for part in option.split(";"))
        wanted = dict(p.partition("=")[::2] for p in parameters)
        if media not in ("application/json", "*/*") or wanted.get("as") is None:
            if media == "application/json":
                break
            continue
        if wanted["as"] in ("Table", "PartialObjectMetadata"):
            return Form(wanted["as"], request.query.get("includeObject", "Metadata"))
        if wanted["as"] == "PartialObjectMetadataList":
            return Form(wanted["as"])
    return Form()


def answer(body: JsonObject, code: int = 200) -> web.Response:
    """Make a JSON response."""
    return web.json_response(body, status=code)


def refusal(error: StatusError) -> web.Response:
    """Make the response of a refused request."""
    response = answer(error.to_status(), error.code)
    if (seconds := error.details.get("retryAfterSeconds")) is not None:
        response.headers["Retry-After"] = str(seconds)
    if error.code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="kubernetes"'
    return response


def line(body: JsonObject) -> bytes:
    """Encode one object of a stream."""
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"
