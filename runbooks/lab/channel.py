"""Frames between the lab's host side and a node: commands, streams, events.

One TCP connection carries one request. A frame is a type byte, a length of
four bytes (big endian) and that many bytes:

====  =========  ====================================================
type  direction  content
====  =========  ====================================================
R     to node    the request, JSON
I     to node    standard input; empty at its end
O, E  from node  standard output, standard error
J     from node  an event or an answer, JSON
X     from node  the end: JSON with ``status`` or ``error``
====  =========  ====================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from typing import Any

REQUEST, STDIN, STDOUT, STDERR, EVENT, EXIT = b"R", b"I", b"O", b"E", b"J", b"X"
#: Where a node's daemon listens, the kubelet's port.
PORT = 10250
_HEADER = struct.Struct("!cI")
_LINGER_S = 5


class ChannelError(Exception):
    """A node did not do what it was asked; the text says which and why."""


async def read_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """Read one frame.

    Returns:
        Type and content, or ``None`` when the other side has gone.
    """
    try:
        kind, length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        return kind, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def write_frame(writer: asyncio.StreamWriter, kind: bytes, content: bytes) -> None:
    """Queue one frame; the caller drains."""
    writer.write(_HEADER.pack(kind, len(content)) + content)


def write_json(writer: asyncio.StreamWriter, kind: bytes, content: Any) -> None:
    """Queue one frame of JSON; the caller drains."""
    write_frame(writer, kind, json.dumps(content).encode())


async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close after the other side has: it may still be sending what nobody reads.

    A socket that is closed with the other side's data on its way resets the
    connection, and the last frames are lost with it.
    """
    with contextlib.suppress(ConnectionError, TimeoutError):
        await writer.drain()
        async with asyncio.timeout(_LINGER_S):
            while await reader.read(65536):
                continue
    writer.close()
