"""A compressed tar as a stream of bytes, read once from its beginning to its end."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from typing import IO, TYPE_CHECKING, Any

from runbooks.collect.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A dump's keys don't compress: it comes to at most 40 times its archive.
LARGEST_RATIO = 250
#: What may come out of however little.
HARMLESS = 64 * 1024 * 1024
_CHUNK = 1024 * 1024

_FORMATS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


class ArchiveError(Exception):
    """It is no archive, not a whole one, or one that must not be read."""


class Allowance:
    """What may come out of a file, archives within it included.

    Args:
        name: Of the file, for the error.
        size: Its bytes.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._left = HARMLESS + LARGEST_RATIO * size

    def take(self, size: int) -> None:
        """Account for bytes that come out of it.

        Args:
            size: How many.

        Raises:
            UsageError: They are more than what real archives hold.
        """
        self._left -= size
        if self._left < 0:
            raise UsageError(
                f"{self._name} unpacks to more than {LARGEST_RATIO} times its size,"
                " which no cluster's archive does; it is not read."
            )


class Unpacked:
    """Bytes that come out of a stream, counted; it can be passed only forwards.

    Args:
        stream: Gives the bytes, perhaps compressed; at its beginning.
        allowance: What may come out of it.
    """

    def __init__(self, stream: IO[bytes], allowance: Allowance) -> None:
        head = stream.read(max(map(len, _FORMATS)))
        stream.seek(0)
        openers = [o for magic, o in _FORMATS.items() if head.startswith(magic)]
        self._stream = openers[0](stream) if openers else stream
        self._allowance = allowance
        self._position = 0
        self._last = b""

    def read(self, size: int) -> bytes:
        """Read on.

        Args:
            size: How many bytes.

        Returns:
            As many, or fewer at the end.

        Raises:
            UsageError: It has become more than any archive holds.
        """
        pieces = []
        left = size
        while left > 0 and (piece := self._stream.read(min(left, _CHUNK))):
            pieces.append(piece)
            left -= len(piece)
            self._position += len(piece)
            self._allowance.take(len(piece))
        self._last = b"".join(pieces)
        return self._last

    def seek(self, position: int) -> int:
        """Pass over what comes before a position.

        Args:
            position: From the beginning, not before the current one.

        Returns:
            The position; less where the bytes end before it.

        Raises:
            ArchiveError: The position has been passed.
            UsageError: It has become more than any archive holds.
        """
        if position < self._position:
            raise ArchiveError("its members overlap")
        while self._position < position:
            if not self.read(min(position - self._position, _CHUNK)):
                break
        return self._position

    def seekable(self) -> bool:
        """Whether positions can be sought: those ahead."""
        return True

    def tell(self) -> int:
        """Bytes read and passed so far."""
        return self._position

    def require_end(self) -> None:
        """Check that what was read last is the empty header that ends a tar.

        Raises:
            ArchiveError: The tar breaks off before, or goes on with something else.
        """
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise ArchiveError("the end is missing; it is cut off or damaged")
