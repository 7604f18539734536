"""Exec over WebSocket: ``v4.channel.k8s.io`` and ``v5.channel.k8s.io``.

Every message starts with a byte that names its channel (``k8s.io/apimachinery/
pkg/util/remotecommand/constants.go``); version 5 adds the closing of a channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from runbooks.lab.kubeapi.execution import run_to_status

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.execution import ExecHandler, ExecRequest

_STDIN, _STDOUT, _STDERR, _ERROR = range(4)
_CLOSE = 255
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
# Input that waits for the command, in messages; then the socket waits.
_STDIN_BACKLOG = 64


class _Channels:
    """The streams of a command over a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, request: ExecRequest) -> None:
        self._socket = socket
        self._request = request
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue(_STDIN_BACKLOG)
        self._at_end = not request.stdin

    async def read_stdin(self) -> bytes:
        if self._at_end and self._stdin.empty():
            return b""
        content = await self._stdin.get()
        self._at_end = self._at_end or not content
        return content

    async def write_stdout(self, data: bytes) -> None:
        if self._request.stdout and data:
            await self._socket.send_bytes(bytes((_STDOUT,)) + data)

    async def write_stderr(self, data: bytes) -> None:
        if self._request.tty:
            await self.write_stdout(data)
        elif self._request.stderr and data:
            await self._socket.send_bytes(bytes((_STDERR,)) + data)

    async def write_status(self, status: dict[str, object]) -> None:
        await self._socket.send_bytes(bytes((_ERROR,)) + json.dumps(status).encode())

    async def receive(self) -> None:
        """Pass on what the client sends until it goes away."""
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                continue
            content = message.data
            if isinstance(content, str):
                content = content.encode()
            if content[:1] == bytes((_STDIN,)) and len(content) > 1:
                await self._stdin.put(content[1:])
            elif content[:2] == bytes((_CLOSE, _STDIN)):
                await self._stdin.put(b"")


async def exec_over_websocket(
    http: web.Request, request: ExecRequest, handler: ExecHandler
) -> web.StreamResponse:
    """Run a command for a client that speaks WebSocket.

    Args:
        http: The upgrade request.
        request: What to run.
        handler: What runs it; cancelled when the client goes away.
    """
    socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=0, compress=False)
    await socket.prepare(http)
    channels = _Channels(socket, request)
    run = asyncio.create_task(run_to_status(handler, request, channels))
    receive = asyncio.create_task(channels.receive())
    try:
        await asyncio.wait({run, receive}, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            with contextlib.suppress(ConnectionError):
                await channels.write_status(run.result())
    finally:
        for task in (run, receive):
            task.cancel()
        await asyncio.gather(run, receive, return_exceptions=True)
    # Not `close()` alone: it would wait for a client that never reads.
    with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
        await asyncio.wait_for(socket.close(), timeout=5)
    return socket
