"""Exec over SPDY/3.1: a stream each for input, outputs and the exit status.

As in ``k8s.io/kubelet/pkg/cri/streaming/remotecommand``, versions
``v2.channel.k8s.io`` to ``v4.channel.k8s.io``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import web

from runbooks.lab.kubeapi.execution import run_to_status
from runbooks.lab.kubeapi.spdy import (
    DataFrame,
    Framing,
    PingFrame,
    ResetFrame,
    SpdyError,
    StreamFrame,
    content_frame,
    ping,
)
from runbooks.lab.kubeapi.status import bad_request

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.execution import ExecHandler, ExecRequest
    from runbooks.lab.kubeapi.spdy import Frame

_PROTOCOL = "v4.channel.k8s.io"
_STREAMS_LIMIT_S = 30.0
_GOODBYE_LIMIT_S = 5.0
# Input that waits for the command, in frames; then the socket waits.
_STDIN_BACKLOG = 64
_CHUNK_BYTES = 1 << 20


class _Connection(asyncio.Protocol):
    """A connection that was HTTP and now carries streams.

    Args:
        http: The upgrade request; its own protocol hears when the connection
            is lost, so that it gives the request up.
        wanted: Types of the streams that the client must open.
    """

    def __init__(self, http: web.Request, wanted: set[str]) -> None:
        assert http.transport is not None
        self._http = http.protocol
        self._transport = http.transport
        self._framing = Framing()
        self._wanted = wanted
        self._streams: dict[str, int] = {}
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._framing.feed(data):
                self._take(frame)
        except SpdyError:
            self._transport.abort()

    def _take(self, frame: Frame) -> None:
        match frame:
            case StreamFrame(stream, headers):
                self._streams[headers.get("streamtype", "")] = stream
                self._transport.write(self._framing.reply(stream))
                if self._wanted <= self._streams.keys():
                    self.opened.set()
            case DataFrame(stream, content, is_last):
                if stream == self._streams.get("stdin"):
                    self._take_input(content, is_last=is_last)
            case ResetFrame(stream):
                if stream == self._streams.get("stdin"):
                    self._stdin.put_nowait(b"")
            case PingFrame(number):
                self._transport.write(ping(number))

    def _take_input(self, content: bytes, *, is_last: bool) -> None:
        if content:
            self._stdin.put_nowait(content)
        if is_last:
            self._stdin.put_nowait(b"")
        if self._stdin.qsize() > _STDIN_BACKLOG:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self.closed.set()
        self._http.connection_lost(exc)

    async def read(self) -> bytes:
        content = await self._stdin.get()
        if self._stdin.qsize() <= _STDIN_BACKLOG and not self._transport.is_closing():
            self._transport.resume_reading()
        return content

    async def write(self, kind: str, content: bytes, *, is_last: bool = False) -> None:
        if (stream := self._streams.get(kind)) is None:
            return
        for at in range(0, max(1, len(content)), _CHUNK_BYTES):
            piece = content[at : at + _CHUNK_BYTES]
            ends = is_last and at + _CHUNK_BYTES >= len(content)
            self._transport.write(content_frame(stream, piece, is_last=ends))
            await self._writable.wait()
            if self.closed.is_set():
                raise ConnectionResetError("the client is gone")


class _Streams:
    """The streams of a command over SPDY."""

    def __init__(self, connection: _Connection, request: ExecRequest) -> None:
        self._connection = connection
        self._request = request
        self._at_end = not request.stdin

    async def read_stdin(self) -> bytes:
        if self._at_end:
            return b""
        content = await self._connection.read()
        self._at_end = not content
        return content

    async def write_stdout(self, data: bytes) -> None:
        if data:
            await self._connection.write("stdout", data)

    async def write_stderr(self, data: bytes) -> None:
        kind = "stdout" if self._request.tty else "stderr"
        if data:
            await self._connection.write(kind, data)


class _Upgraded(web.Response):
    """What is returned for a connection that is no longer HTTP."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


async def exec_over_spdy(
    http: web.Request, request: ExecRequest, handler: ExecHandler
) -> web.StreamResponse:
    """Run a command for a client that speaks SPDY.

    Args:
        http: The upgrade request.
        request: What to run.
        handler: What runs it; cancelled when the client goes away.

    Raises:
        StatusError: 400, the client knows no version that is spoken here.
    """
    offered = http.headers.getall("X-Stream-Protocol-Version", [])
    versions = {v.strip() for value in offered for v in value.split(",")}
    if _PROTOCOL not in versions:
        raise bad_request(f"unable to upgrade: {_PROTOCOL} is the only protocol known")
    wanted = {"error"}
    for kind in ("stdin", "stdout", "stderr"):
        if getattr(request, kind) and not (kind == "stderr" and request.tty):
            wanted.add(kind)
    transport = http.transport
    assert isinstance(transport, asyncio.Transport)
    connection = _Connection(http, wanted)
    transport.set_protocol(connection)
    transport.write(
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Connection: Upgrade\r\n"
        b"Upgrade: SPDY/3.1\r\n"
        b"X-Stream-Protocol-Version: " + _PROTOCOL.encode() + b"\r\n\r\n"
    )
    # A client that leaves cancels this coroutine, and with it the command.
    try:
        await asyncio.wait_for(connection.opened.wait(), _STREAMS_LIMIT_S)
        streams = _Streams(connection, request)
        status = await run_to_status(handler, request, streams)
        for kind in ("stdout", "stderr"):
            await connection.write(kind, b"", is_last=True)
        await connection.write("error", json.dumps(status).encode(), is_last=True)
        await asyncio.wait_for(connection.closed.wait(), _GOODBYE_LIMIT_S)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        with contextlib.suppress(RuntimeError):
            transport.close()
    return _Upgraded()
