"""Asks a running lab over its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

from runbooks.lab import channel
from runbooks.lab.plan import Lab, LabError


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command on a node ended.

    Attributes:
        status: Exit status.
        stdout: Its output.
        stderr: Its error output.
    """

    status: int
    stdout: str
    stderr: str


class LabClient:
    """A running lab.

    Args:
        name: The lab's name.

    Raises:
        LabError: No lab of that name runs.
    """

    def __init__(self, name: str) -> None:
        self.lab = Lab.load(name)

    def reload(self) -> None:
        """Learn of nodes that were added or removed."""
        self.lab = Lab.load(self.lab.name)

    def ask(self, operation: str, **request: Any) -> Any:
        """Make a request that has one answer.

        Raises:
            LabError: The lab could not do it.
        """
        return asyncio.run(self._ask({"operation": operation, **request}))

    def run(self, node: str, argv: list[str], *, pod: bool = False) -> CommandResult:
        """Run a command on a node and gather what it prints.

        Args:
            node: Name of the node.
            argv: The command.
            pod: In the pod's network namespace.

        Raises:
            LabError: The node could not run it.
        """
        self.lab.node(node)
        out, err = bytearray(), bytearray()
        status = asyncio.run(self._exec(node, argv, pod, out.extend, err.extend, None))
        return CommandResult(
            status, out.decode(errors="replace"), err.decode(errors="replace")
        )

    def run_here(self, node: str, argv: list[str]) -> int:
        """Run a command on a node with this process' own streams.

        Returns:
            Its exit status.

        Raises:
            LabError: The node could not run it.
        """
        self.lab.node(node)

        def write(descriptor: int) -> Any:
            return lambda data: os.write(descriptor, data)

        return asyncio.run(self._exec(node, argv, False, write(1), write(2), sys.stdin))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self.lab.control_socket)
        except OSError:
            name = self.lab.name
            raise LabError(
                f"lab {name!r} does not answer: its Kubernetes API is down, or still "
                f"starting; bring it back: ipsec-runbooks lab up --name {name}"
            ) from None

    async def _ask(self, request: dict[str, Any]) -> Any:
        reader, writer = await self._connect()
        try:
            channel.write_json(writer, channel.REQUEST, request)
            await writer.drain()
            frame = await channel.read_frame(reader)
        finally:
            writer.close()
        if frame is None:
            raise LabError(f"lab {self.lab.name!r} went away")
        return _answer(frame[1])

    async def _exec(
        self,
        node: str,
        argv: list[str],
        pod: bool,
        on_out: Any,
        on_err: Any,
        stdin: Any,
    ) -> int:
        reader, writer = await self._connect()
        request = {"operation": "exec", "node": node, "argv": argv, "pod": pod}
        feed = None
        try:
            channel.write_json(writer, channel.REQUEST, request)
            if stdin is None or stdin.closed or stdin.isatty():
                channel.write_frame(writer, channel.STDIN, b"")
            else:
                feed = asyncio.ensure_future(_feed(stdin.fileno(), writer))
            await writer.drain()
            while (frame := await channel.read_frame(reader)) is not None:
                kind, content = frame
                if kind == channel.STDOUT:
                    on_out(content)
                elif kind == channel.STDERR:
                    on_err(content)
                elif kind == channel.EXIT:
                    return int(_answer(content))
        finally:
            if feed is not None:
                feed.cancel()
            writer.close()
        raise LabError(f"{node} went away")


def _answer(content: bytes) -> Any:
    end = json.loads(content)
    if "error" in end:
        raise LabError(end["error"])
    return end["answer"]


async def _feed(descriptor: int, writer: asyncio.StreamWriter) -> None:
    """Pass standard input on, whatever it is: a pipe, a file, nothing."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)

    def read() -> None:
        # A thread that ends with the process: no read can be cancelled.
        while True:
            try:
                data = os.read(descriptor, 65536)
            except OSError:
                data = b""
            asyncio.run_coroutine_threadsafe(chunks.put(data), loop)
            if not data:
                return

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(ConnectionError):
        while True:
            data = await chunks.get()
            channel.write_frame(writer, channel.STDIN, data)
            await writer.drain()
            if not data:
                return
