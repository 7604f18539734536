"""What the API answers when it refuses: ``Status`` objects, and how they read.

The sentences are those of ``k8s.io/apimachinery/pkg/api/errors``: operators,
and the modules of ``kubernetes.core``, look for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON gives it."""


class StatusError(Exception):
    """A request that the API refuses.

    Args:
        code: HTTP status.
        reason: One word of ``metav1.StatusReason``, ``NotFound`` for example.
        message: The sentence for a person.
        details: ``name``, ``kind``, ``causes``, ... as in ``StatusDetails``.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})

    def to_status(self) -> JsonObject:
        """Render as the ``Status`` object that a client receives."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def qualified(plural: str, group: str) -> str:
    """Name a resource as sentences do: ``leases.coordination.k8s.io``."""
    return f"{plural}.{group}" if group else plural


def _object_details(plural: str, group: str, name: str) -> JsonObject:
    details = {"name": name, "kind": plural}
    return details | {"group": group} if group else details


def success(details: Mapping[str, Any] | None = None) -> JsonObject:
    """Make the ``Status`` of a request that had no object to return."""
    status: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
    }
    return status | {"details": dict(details)} if details else status


def no_such_path() -> StatusError:
    """Refuse a path that the API does not serve."""
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message)


def not_found(plural: str, group: str, name: str) -> StatusError:
    """Refuse because the object is not there."""
    return StatusError(
        404,
        "NotFound",
        f'{qualified(plural, group)} "{name}" not found',
        _object_details(plural, group, name),
    )


def already_exists(plural: str, group: str, name: str) -> StatusError:
    """Refuse to create what is there."""
    return StatusError(
        409,
        "AlreadyExists",
        f'{qualified(plural, group)} "{name}" already exists',
        _object_details(plural, group, name),
    )


def conflict(plural: str, group: str, name: str, why: str = "") -> StatusError:
    """Refuse a write that was made from an older version of the object."""
    why = why or (
        "the object has been modified; please apply your changes to the latest "
        "version and try again"
    )
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}',
        _object_details(plural, group, name),
    )


def invalid(kind: str, group: str, name: str, field: str, why: str) -> StatusError:
    """Refuse an object that is well formed and wrong."""
    details = _object_details(kind, group, name)
    details["causes"] = [
        {"reason": "FieldValueInvalid", "message": why, "field": field}
    ]
    title = qualified(kind, group)
    return StatusError(
        422, "Invalid", f'{title} "{name}" is invalid: {field}: {why}', details
    )


def bad_request(message: str) -> StatusError:
    """Refuse a request that can't be understood."""
    return StatusError(400, "BadRequest", message)


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    """Refuse for lack of rights."""
    title = qualified(plural, group)
    named = f'{title} "{name}"' if name else title
    return StatusError(
        403,
        "Forbidden",
        f"{named} is forbidden: {why}",
        _object_details(plural, group, name),
    )


def unauthorized() -> StatusError:
    """Refuse a request from nobody."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    """Refuse a method that the resource does not know."""
    return StatusError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )


def unsupported_media_type(content_type: str) -> StatusError:
    """Refuse a body in a format that is not spoken here."""
    return StatusError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types "
        f"include JSON and YAML, not {content_type!r}",
    )


def expired(requested: int, oldest: int) -> StatusError:
    """Refuse to watch from before the history that is kept."""
    return StatusError(
        410, "Expired", f"too old resource version: {requested} ({oldest})"
    )


def internal_error(message: str) -> StatusError:
    """Say that the server failed, not the request."""
    return StatusError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )


def backend_unreachable(address: str) -> StatusError:
    """Say what kube-apiserver says when a node's kubelet does not answer.

    Args:
        address: The node's.
    """
    return StatusError(
        500,
        "InternalError",
        f"error dialing backend: dial tcp {address}:10250: connect: no route to host",
    )


def executable_not_found(command: str) -> StatusError:
    """Say what a kubelet says when ``exec`` names no program of the container."""
    return internal_error(
        "error executing command in container: failed to exec in container: "
        "failed to start exec: OCI runtime exec failed: exec failed: unable to "
        f'start container process: exec: "{command}": executable file not found '
        "in $PATH: unknown"
    )
