"""Plain lines of a compact dump, decoded all at once.

The 52 digits of a plain line are 312 bits, which is 39 bytes: the standard library
turns lines into those bytes, and numpy cuts columns out of them. Its own way over
digits (:mod:`runbooks.xfrm.compact`) takes any line, tells what is wrong with it, and
is many times slower.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from runbooks.xfrm.compact import IN, OUT, PLAIN, ROW

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = sum(PLAIN.values())
BYTES = WIDTH * 6 // 8


def decode_plain(lines: bytes, addresses: int) -> NDArray[Any] | None:
    """Decode plain lines.

    Args:
        lines: Lines of `WIDTH` characters each.
        addresses: How many addresses there are.

    Returns:
        A row of type `ROW` for each; ``None`` if any line is malformed.
    """
    count = (len(lines) + 1) // (WIDTH + 1)
    try:
        packed = binascii.a2b_base64(lines)
    except binascii.Error:
        return None
    if len(packed) != count * BYTES:
        return None  # what is no digit was left out

    def bits(first: int, width: int) -> NDArray[np.uint64]:
        """A number of at most 57 bits, or of 64 that begin a byte."""
        byte = min(first // 8, BYTES - 8)
        words: NDArray[np.uint64] = np.ndarray(
            (count,), ">u8", packed, offset=byte, strides=(BYTES,)
        ).astype(np.uint64)
        words >>= np.uint64(byte * 8 + 64 - first - width)
        if width < 64:
            words &= np.uint64((1 << width) - 1)
        return words

    rows = np.zeros(count, dtype=ROW)
    kind = bits(0, 6)
    outbound = (kind & np.uint64(2)) != 0
    rows["spi"] = kind >> np.uint64(2)
    rows["direction"] = np.where(outbound, OUT, IN)
    rows["esn"] = kind & np.uint64(1)
    fits = rows["spi"] > 0
    at = 6
    for name, width in list(PLAIN.items())[1:]:
        size = width * 6
        if name == "number":
            number = bits(at, size)
            rows["seq"] = np.where(outbound, 0, number)
            rows["oseq"] = np.where(outbound, number, 0)
        elif size > 64:
            fits &= bits(at, size - 64) == 0
            rows[name] = bits(at + size - 64, 64)
        else:
            column = bits(at, size)
            if size > 8 * ROW[name].itemsize:
                fits &= column <= np.uint64(np.iinfo(ROW[name]).max)
            rows[name] = column
        at += size
    for name in ("source", "destination"):
        fits &= rows[name] < addresses
    return rows if fits.all() else None
