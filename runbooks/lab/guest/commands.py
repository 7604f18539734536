"""Runs one command on a node and carries its streams."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from runbooks.lab import channel

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence


#: What a shell answers when a command is not there.
_NOT_FOUND = 127
_CHUNK = 65536


async def run_command(
    request: dict[str, Any],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> int:
    """Run ``request["argv"]`` with its streams on the connection.

    Args:
        request: ``argv``; ``pod`` (true: in the pod's network namespace);
            ``tty`` (true: on a terminal of its own).
        reader: Standard input arrives here.
        writer: Output goes here.

    Returns:
        Exit status; 128 plus the signal's number for a killed command.

    Raises:
        FileNotFoundError: The command is not there.
    """
    argv = list(request["argv"])
    if request.get("pod"):
        argv = ["ip", "netns", "exec", "pod", *argv]
    tty = bool(request.get("tty"))
    parent, child = pty.openpty() if tty else (-1, -1)
    stream = child if tty else subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=stream,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    except FileNotFoundError:
        complaint = f"{argv[0]}: command not found\n".encode()
        channel.write_frame(writer, channel.STDERR, complaint)
        return _NOT_FOUND
    if tty:
        os.close(child)
        outputs = [_forward_terminal(parent, writer)]
    else:
        assert process.stdout is not None
        assert process.stderr is not None
        outputs = [
            _forward(process.stdout, writer, channel.STDOUT),
            _forward(process.stderr, writer, channel.STDERR),
        ]
    feed = asyncio.ensure_future(_feed(reader, process, parent))
    try:
        done = asyncio.ensure_future(_gather(process, outputs))
        await asyncio.wait({done, feed}, return_when="FIRST_COMPLETED")
        if feed.done() and feed.result():
            _kill(process)  # nobody is left to read what it prints
        await done
    finally:
        feed.cancel()
        await asyncio.wait({feed})
        _kill(process)
        if tty:
            os.close(parent)
    status = process.returncode or 0
    return status if status >= 0 else 128 - status


async def _gather(
    process: asyncio.subprocess.Process, outputs: Sequence[Coroutine[Any, Any, None]]
) -> bool:
    await asyncio.gather(process.wait(), *outputs)
    return True


async def _forward(
    source: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: bytes
) -> None:
    while data := await source.read(_CHUNK):
        channel.write_frame(writer, kind, data)
        await writer.drain()


async def _forward_terminal(parent: int, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            data = await loop.run_in_executor(None, os.read, parent, _CHUNK)
        except OSError:
            return  # the terminal's last user has gone
        if not data:
            return
        channel.write_frame(writer, channel.STDOUT, data)
        await writer.drain()


async def _feed(
    reader: asyncio.StreamReader, process: asyncio.subprocess.Process, parent: int
) -> bool:
    """Pass standard input on; true when the asker has gone."""
    while True:
        frame = await channel.read_frame(reader)
        if frame is None:
            return True
        kind, content = frame
        if kind != channel.STDIN:
            continue
        try:
            if parent >= 0:
                os.write(parent, content or b"\x04")
            elif process.stdin is not None and content:
                process.stdin.write(content)
                await process.stdin.drain()
            elif process.stdin is not None:
                process.stdin.close()
        except (BrokenPipeError, ConnectionError):
            continue  # the command reads no more; its output still counts


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
