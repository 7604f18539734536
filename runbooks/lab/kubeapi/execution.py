"""Commands in a container, whatever the wire protocol that carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runbooks.lab.kubeapi.request import flag
from runbooks.lab.kubeapi.status import (
    JsonObject,
    StatusError,
    bad_request,
    internal_error,
    success,
)


class ExecIO(Protocol):
    """The standard streams of a command."""

    async def read_stdin(self) -> bytes:
        """Wait for input; empty at its end."""

    async def write_stdout(self, data: bytes) -> None:
        """Send output; waits while the client is slow."""

    async def write_stderr(self, data: bytes) -> None:
        """Send error output; with a terminal it joins the output."""


ExecHandler: TypeAlias = Callable[
    [JsonObject, str, list[str], ExecIO, bool, bool], Awaitable[int]
]
"""Run a command: pod, container, argv, streams, stdin wanted, tty wanted.

Returns its exit status; raises ``StatusError`` if the node can't run it. It is
cancelled when the client goes away.
"""


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A command that a client wants to run.

    Attributes:
        pod: The Pod object.
        container: Name of one of its containers.
        argv: The command.
        stdin: Whether input will come.
        stdout: Whether output is wanted.
        stderr: Whether error output is wanted.
        tty: Whether it wants a terminal.
    """

    pod: JsonObject
    container: str
    argv: list[str]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def choose_container(pod: JsonObject, wanted: str) -> str:
    """Find the container that is meant.

    Args:
        pod: The Pod object.
        wanted: Its name; empty for the only one, or the annotated default.

    Raises:
        StatusError: 400, there is no such container, or the name is missing.
    """
    meta = pod["metadata"]
    names = [container["name"] for container in pod["spec"]["containers"]]
    default = (meta.get("annotations") or {}).get(
        "kubectl.kubernetes.io/default-container", names[0] if len(names) == 1 else ""
    )
    chosen = wanted or default
    if not chosen:
        raise bad_request(
            f"a container name must be specified for pod {meta['name']}, choose one "
            f"of: [{' '.join(names)}]"
        )
    if chosen not in names:
        raise bad_request(f"container {chosen} is not valid for pod {meta['name']}")
    return str(chosen)


def exec_request(
    pod: JsonObject, argv: list[str], query: Mapping[str, str]
) -> ExecRequest:
    """Check what a client asks to run.

    Args:
        pod: The Pod object.
        argv: The ``command`` parameters.
        query: The other parameters.

    Raises:
        StatusError: 400 or 404, it can't be run there.
    """
    name = pod["metadata"]["name"]
    container = choose_container(pod, query.get("container", ""))
    if not argv:
        raise bad_request("you must specify at least one command for the container")
    streams = {n: flag(query, n) for n in ("stdin", "stdout", "stderr")}
    if not any(streams.values()):
        raise bad_request("you must specify at least one of stdin, stdout, stderr")
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    running = any(
        status["name"] == container and "running" in (status.get("state") or {})
        for status in statuses
    )
    if not running:
        message = f'unable to upgrade connection: container not found ("{container}")'
        raise StatusError(404, "NotFound", message)
    return ExecRequest(pod, container, argv, **streams, tty=flag(query, "tty"))


async def run_to_status(
    handler: ExecHandler, request: ExecRequest, io: ExecIO
) -> JsonObject:
    """Run a command and say how it ended, as the error channel does.

    Returns:
        A ``Status``: Success, or NonZeroExitCode with the exit status as a
        cause, or why it could not be run.
    """
    try:
        code = await handler(
            request.pod,
            request.container,
            request.argv,
            io,
            request.stdin,
            request.tty,
        )
    except StatusError as error:
        return error.to_status()
    except Exception as error:  # noqa: BLE001 (a broken node must not end the API)
        return internal_error(f"{type(error).__name__} in the node").to_status()
    if code == 0:
        return success()
    return StatusError(
        500,
        "NonZeroExitCode",
        f"command terminated with non-zero exit code: exit status {code}",
        {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    ).to_status()
