"""SPDY/3.1 framing, as far as exec needs it.

The SPDY protocol, draft 3 (Belshe and Peon, 2012), section 2. Old clients know
nothing else: kubectl before 1.30 among them. Its flow control is left out, as
the clients' own library (moby/spdystream) leaves it out.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERSION = 3
_CONTROL = 0x8000
_HEAD_SIZE = 8
_ID_MASK = 0x7FFFFFFF
FIN = 1

# Section 2.6.10.1: names and values with their lengths, then plain text.
_DICTIONARY_NAMES = """
options head post put delete trace accept accept-charset accept-encoding
accept-language accept-ranges age allow authorization cache-control connection
content-base content-encoding content-language content-length content-location
content-md5 content-range content-type date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified location
max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status
"""
_DICTIONARY_WORDS = [
    *_DICTIONARY_NAMES.split(),
    *("200 OK", "version", "HTTP/1.1", "url"),
    *("public", "set-cookie", "keep-alive", "origin"),
]
_DICTIONARY_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416"
    "417502504505203 Non-Authoritative Information204 No Content301 Moved "
    "Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr "
    "May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, "
    "GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,"
    "deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(w)) + w.encode() for w in _DICTIONARY_WORDS)
    + _DICTIONARY_TEXT.encode()
)


class SpdyError(Exception):
    """The peer does not keep to the protocol."""


class Control(IntEnum):
    """Types of control frames."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


@dataclass(frozen=True, slots=True)
class DataFrame:
    """Content of a stream.

    Attributes:
        stream: Its number.
        content: The content.
        is_last: Whether the sender sends no more on it.
    """

    stream: int
    content: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """A stream that the peer opens.

    Attributes:
        stream: Its number.
        headers: Its headers, with names in lower case.
        is_last: Whether the peer sends nothing on it.
    """

    stream: int
    headers: Mapping[str, str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class ResetFrame:
    """A stream that the peer gives up."""

    stream: int


@dataclass(frozen=True, slots=True)
class PingFrame:
    """A sign of life, to be sent back."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAwayFrame:
    """The peer opens no more streams."""


Frame = DataFrame | StreamFrame | ResetFrame | PingFrame | GoAwayFrame


class Framing:
    """Frames in and out of one connection, whose headers share a compressor."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, content: bytes) -> Iterator[Frame]:
        """Take what came and yield the frames that it completes.

        Raises:
            SpdyError: It is not SPDY.
        """
        self._buffer += content
        while len(self._buffer) >= _HEAD_SIZE:
            first, second = struct.unpack_from(">II", self._buffer)
            flags, size = second >> 24, second & 0xFFFFFF
            end = _HEAD_SIZE + size
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEAD_SIZE:end])
            del self._buffer[:end]
            frame: Frame | None
            if first >> 31:
                frame = self._control(first, flags, body)
            else:
                frame = DataFrame(first, body, bool(flags & FIN))
            if frame is not None:
                yield frame

    def _control(self, first: int, flags: int, body: bytes) -> Frame | None:
        if (first >> 16) & ~_CONTROL != _VERSION:
            raise SpdyError("not version 3")
        number = struct.unpack_from(">I", body)[0] if len(body) >= 4 else 0
        match first & 0xFFFF:
            case Control.SYN_STREAM:
                headers = self._headers(body[10:])
                return StreamFrame(number & _ID_MASK, headers, bool(flags & FIN))
            case Control.SYN_REPLY | Control.HEADERS:
                # Not of use, but the decompressor must not miss a block.
                self._headers(body[4:])
            case Control.RST_STREAM:
                return ResetFrame(number & _ID_MASK)
            case Control.PING:
                return PingFrame(number)
            case Control.GOAWAY:
                return GoAwayFrame()
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
            (count,) = struct.unpack_from(">I", plain)
            at, words = 4, []
            for _ in range(2 * count):
                (size,) = struct.unpack_from(">I", plain, at)
                words.append(plain[at + 4 : at + 4 + size].decode())
                at += 4 + size
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SpdyError("headers can't be read") from error
        names = (word.lower() for word in words[::2])
        return dict(zip(names, words[1::2], strict=True))

    def reply(self, stream: int) -> bytes:
        """Encode the acceptance of a stream."""
        return control(Control.SYN_REPLY, struct.pack(">I", stream) + self._block())

    def _block(self) -> bytes:
        no_headers = struct.pack(">I", 0)
        return self._deflate.compress(no_headers) + self._deflate.flush(
            zlib.Z_SYNC_FLUSH
        )


def control(kind: Control, body: bytes) -> bytes:
    """Encode a control frame."""
    first = ((_CONTROL | _VERSION) << 16) | kind
    return struct.pack(">II", first, len(body)) + body


def content_frame(stream: int, content: bytes, *, is_last: bool = False) -> bytes:
    """Encode content of a stream, at most 16 MiB."""
    return struct.pack(">II", stream, (is_last << 24) | len(content)) + content


def ping(number: int) -> bytes:
    """Encode a sign of life."""
    return control(Control.PING, struct.pack(">I", number))
