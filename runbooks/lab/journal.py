"""What a lab's API has to remember, kept where its own end does no harm.

A memory file that the lab's first process holds open: nothing of it is ever on a
disk, since the Secret with the IPsec key is part of it.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import Any

#: Number of the writing, length and checksum of what follows.
_HEADER = struct.Struct("!QQI")
#: The file is sparse; each writing goes to the other half than the one before.
_HALF = 1 << 30


class Journal:
    """The last thing that was written, whole, whenever the writer was killed."""

    def __init__(self) -> None:
        self._file = os.memfd_create("lab", os.MFD_CLOEXEC)

    def write(self, content: dict[str, Any]) -> None:
        """Keep this and forget what was kept before."""
        number = self._newest()[0] + 1
        data = json.dumps(content).encode()
        offset = number % 2 * _HALF
        os.pwrite(self._file, data, offset + _HEADER.size)
        # Last, so that a half-written half is none.
        header = _HEADER.pack(number, len(data), zlib.crc32(data))
        os.pwrite(self._file, header, offset)

    def read(self) -> dict[str, Any] | None:
        """What was written last; ``None`` if nothing was."""
        data = self._newest()[1]
        content: dict[str, Any] | None = json.loads(data) if data else None
        return content

    def _newest(self) -> tuple[int, bytes]:
        return max(self._half(0), self._half(1))

    def _half(self, index: int) -> tuple[int, bytes]:
        offset = index * _HALF
        header = os.pread(self._file, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            return (0, b"")
        number, length, checksum = _HEADER.unpack(header)
        data = os.pread(self._file, length, offset + _HEADER.size)
        return (number, data) if zlib.crc32(data) == checksum else (0, b"")
