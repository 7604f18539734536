"""Columns out of messages that all have one layout."""

from __future__ import annotations

import sys
from array import array

from runbooks.xfrm.columns.states import DIGESTS, SHAPES

try:
    # hashlib maps all of OpenSSL, which costs a guest more than 20,000 hashes; the
    # standard library's random module goes around it in the same way.
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbooks.xfrm.columns.layouts import Layout

_LOW = 1 if sys.byteorder == "big" else 0


def picked_columns(
    layout: Layout, words: memoryview, count: int
) -> dict[str, array[int]]:
    """Pick the columns out of messages that all have one layout.

    Args:
        layout: Their layout.
        words: The messages, one behind the other, as words of 4 bytes.
        count: Number of messages.

    Returns:
        All columns but ``algorithm``, and ``second_key_digest`` only if there is
        a second key.
    """
    columns = {}
    for name, (code, lanes) in SHAPES.items():
        places = layout.words.get(name)
        if places is not None:
            picked = _pick(words, count, places, lanes * (2 if code == "Q" else 1))
            if name == "spi" and sys.byteorder == "little":
                picked.byteswap()
            columns[name] = picked if code == "I" else array(code, picked.tobytes())
        elif name not in DIGESTS:
            columns[name] = array(code, [layout.values.get(name, 0)]) * count
    for name, (first, size) in zip(DIGESTS, layout.keys, strict=False):
        keys = _pick(words, count, range(first, first + size), size)
        columns[name] = _digests(keys, 4 * size)
    if not layout.keys:
        columns["key_digest"] = array("Q", [0, 0, 0, 0]) * count
    return columns


def interleaved(
    name: str, columns: list[array[int] | None], members: Sequence[Sequence[int]]
) -> array[int] | None:
    """Join one column of several layouts, each value at its message's place.

    Args:
        name: Of the column.
        columns: One of each layout; ``None`` stands for zeros.
        members: The places of the values of each.

    Returns:
        The column, or ``None`` if no layout has it.
    """
    if not any(columns):
        return None
    code, lanes = SHAPES[name]
    joined = array(code)
    for column, group in zip(columns, members, strict=True):
        joined += column or array(code, [0] * lanes) * len(group)
    places = [i for group in members for i in group]
    order = sorted(range(len(places)), key=places.__getitem__)
    for lane in range(lanes):
        values = joined[lane::lanes]
        joined[lane::lanes] = array(code, [values[i] for i in order])
    return joined


def _pick(
    words: memoryview, count: int, places: Sequence[int], size: int
) -> array[int]:
    """Pick words out of each message: ``size`` of them, lower ones 0 if fewer."""
    picked = array("I", bytes(4 * size * count))
    stride = len(words) // count
    with memoryview(picked) as view:
        for lane, place in enumerate(places, _LOW if len(places) < size else 0):
            view[lane::size] = words[place::stride]
    return picked


def _digests(keys: array[int], key_bytes: int) -> array[int]:
    """SHA-256 of the printed forms of keys."""
    printed = keys.tobytes().hex(" ", key_bytes).encode().split(b" ")
    return array("Q", b"".join([sha256(b"0x" + key).digest() for key in printed]))
