"""Columns of texts, as the expression takes them from states, into states."""

from __future__ import annotations

import re
import socket
from collections import deque
from dataclasses import fields
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from runbooks.xfrm.model import Mark, XfrmState, key_hashes
from runbooks.xfrm.text.lines import Line, is_out_of_place
from runbooks.xfrm.text.state import StateReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runbooks.xfrm.text.layout import Groups

_ADDRESS = re.compile(r"[0-9a-f.:]+", re.ASCII)
_NAME = re.compile(r"[0-9A-Za-z_(),.-]+", re.ASCII)
_LENGTHS = re.compile(r"(?: \(([0-9]{1,9}) bits\))?(?: ([0-9]{1,9}))?", re.ASCII)
# Nothing in here is kept; only what the line reader minds in any line can't be in it.
_LIMITS = re.compile(
    r"\tsel [^\n\[>]*\n\tlifetime config:\n(?:\t  (?:limit: soft|expire (?:add|use):)"
    r"[0-9A-Za-z (),]*\n){4}\tlifetime current:\n",
    re.ASCII,
)
_HEX_DIGITS = b"0123456789abcdef"
_DIGITS_TO_ZERO = bytes.maketrans(_HEX_DIGITS, b"0" * len(_HEX_DIGITS))
_SETTERS = {
    field.name: XfrmState.__dict__[field.name].__set__ for field in fields(XfrmState)
}

T = TypeVar("T")


class OddStateError(Exception):
    """A state is not quite what it looked like: the line reader must judge."""


class _Memory(dict["str | None", T], Generic[T]):
    """Reads each distinct text once."""

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read

    def __missing__(self, text: str) -> T:
        value = self[text] = self._read(text)
        return value

    def column(self, texts: Sequence[str | None]) -> list[T]:
        # To compare texts costs less than to hash them.
        if _all_same(texts):
            return [self[texts[0]]] * len(texts)
        return list(map(self.__getitem__, texts))


class Columns:
    """Turns what the expression took from states into the states.

    Args:
        utc_offset_s: What the node's local time is ahead of UTC.
    """

    def __init__(self, utc_offset_s: int) -> None:
        def time_s(text: str) -> int | None:
            return _line(text).time_in(tuple(text.split(" ")), utc_offset_s)

        self._address = _Memory(_address)
        self._identity = _Memory(_reader("spi", "reqid", "mode"))
        self._flags = _Memory(_reader("replay_window", "esn"))
        self._dir = _Memory(_reader("dir"))
        self._stats = _Memory(
            _reader(
                "replay_window_errors",
                "replay_errors",
                "integrity_errors",
                heading="stats:",
            )
        )
        self._mark: _Memory[Mark | None] = _Memory(_mark)
        self._mark[None] = None
        self._name = _Memory(_name)
        self._lengths = _Memory(_lengths)
        self._limits = _Memory(_limits)
        self._time_s = _Memory(time_s)

    def states(self, read: Groups, count: int) -> list[XfrmState]:
        """Make states.

        Args:
            read: What the expression took from them.
            count: How many they are.

        Returns:
            The states in their order.

        Raises:
            OddStateError: The line reader must read the whole dump.
            XfrmTextError: Likewise.
        """
        self._limits.column(read.limit_lines)
        columns: dict[str, Iterable[Any]] = {
            "source": self._address.column(read.source),
            "destination": self._address.column(read.destination),
            "mark": self._mark.column(read.mark),
            "output_mark": self._mark.column(_output_marks(read)),
            "bytes": _counts(read.bytes),
            "packets": _counts(read.packets),
            "added_s": self._time_s.column(read.added),
            "used_s": self._time_s.column(read.used),
            "if_id": [int(text, 16) if text else 0 for text in read.if_id],
            "dir": [self._dir[text][0] if text else None for text in read.dir_line],
            **_turned(
                ("spi", "reqid", "mode"), self._identity.column(read.identity_line)
            ),
            **_turned(("replay_window", "esn"), self._flags.column(read.flags_line)),
            **_turned(
                ("replay_window_errors", "replay_errors", "integrity_errors"),
                self._stats.column(read.stats_line),
            ),
            **self._algorithms(read),
        }
        columns |= self._sequence(read, columns["replay_window"])
        return _made(columns, count)

    def _algorithms(self, read: Groups) -> dict[str, Iterable[Any]]:
        hashes, key_bits, icv_bits = self._keys(read.key, read.hashed, read.lengths)
        if None in icv_bits:
            raise OddStateError
        names = self._name.column(read.name)
        if any(read.name_2):
            second = [place for place, name in enumerate(read.name_2) if name]
            hashes_2, key_bits_2, _ = self._keys(
                *(
                    [column[place] for place in second]
                    for column in (read.key_2, read.hashed_2, read.lengths_2)
                )
            )
            for place, hashed, bits in zip(second, hashes_2, key_bits_2, strict=True):
                names[place] += "+" + self._name[str(read.name_2[place])]
                hashes[place] += "+" + hashed
                first = key_bits[place]
                key_bits[place] = (
                    None if first is None or bits is None else first + bits
                )
        return {
            "algorithm": names,
            "key_hash": hashes,
            "key_bits": key_bits,
            "icv_bits": icv_bits,
        }

    def _keys(
        self,
        keys: Sequence[str | None],
        hashed: Sequence[str | None],
        lengths: Sequence[str | None],
    ) -> tuple[list[str], list[int | None], list[int | None]]:
        """Hashes, bits of the keys, and bits of the ICVs."""
        plain = [text for text in keys if text]
        printed = "".join([*plain, *filter(None, hashed)])
        # What is left is the "x" of each "0x", unless there is something else as well.
        if not printed.isascii() or printed.encode().translate(
            None, _HEX_DIGITS
        ) != b"x" * len(plain):
            raise OddStateError
        sizes = self._lengths.column(lengths)
        bits = [size for size, _ in sizes]
        icv_bits = [icv for _, icv in sizes]
        if not plain:
            return [text or "" for text in hashed], bits, icv_bits
        found = iter(key_hashes(plain))
        hashes = [
            next(found) if key else known or ""
            for key, known in zip(keys, hashed, strict=True)
        ]
        return hashes, list(map(_key_bits, keys, bits)), icv_bits

    def _sequence(
        self, read: Groups, windows: Iterable[Any]
    ) -> dict[str, Iterable[Any]]:
        if None not in read.seq_hi:
            _require_bitmaps(read.bitmap_lines, list(map(int, read.bitmap_length)))
            return {
                "seq": _numbers(read.seq_hi, read.seq),
                "oseq": _numbers(read.oseq_hi, read.oseq),
                "replay_window": map(int, read.window),
            }
        seq, oseq, replay_window = [], [], []
        for place, (high, window) in enumerate(zip(read.seq_hi, windows, strict=False)):
            if high is None:
                seq.append(int(str(read.legacy_seq[place]), 16))
                oseq.append(int(read.legacy_oseq[place], 16))
                replay_window.append(window)
                continue
            length = int(read.bitmap_length[place])
            _require_bitmaps([read.bitmap_lines[place]], [length])
            seq += _numbers([high], [read.seq[place]])
            oseq += _numbers([read.oseq_hi[place]], [read.oseq[place]])
            replay_window.append(int(read.window[place]))
        return {"seq": seq, "oseq": oseq, "replay_window": replay_window}


def _made(columns: dict[str, Iterable[Any]], count: int) -> list[XfrmState]:
    # A frozen dataclass's __init__ sets field by field in Python; this does in C.
    states = list(map(object.__new__, repeat(XfrmState, count)))
    for name, set_field in _SETTERS.items():
        deque(map(set_field, states, columns[name]), maxlen=0)
    return states


def _all_same(values: Sequence[Any]) -> bool:
    return values.count(values[0]) == len(values)


def _output_marks(read: Groups) -> Sequence[str | None]:
    if not any(read.output_mark_below):
        return read.output_mark
    both = zip(read.output_mark_below, read.output_mark, strict=True)
    return [below or beside for below, beside in both]


def _turned(
    names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> dict[str, Iterable[Any]]:
    if _all_same(rows):
        return dict(zip(names, map(repeat, rows[0]), strict=True))
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _counts(texts: Sequence[str]) -> list[int]:
    numbers = list(map(int, texts))
    if max(numbers) >> 64:
        raise OddStateError
    return numbers


def _numbers(high: Sequence[str | None], low: Sequence[str]) -> list[int]:
    """64-bit numbers from their halves in hexadecimal."""
    if high[0] == "0" and _all_same(high):
        return list(map(int, low, repeat(16)))
    return [
        int(str(upper), 16) << 32 | int(lower, 16)
        for upper, lower in zip(high, low, strict=True)
    ]


def _line(text: str) -> Line:
    words = tuple(text.split())
    if not words or is_out_of_place(text):
        raise OddStateError
    return Line(0, words, indented=True)


def _reader(*names: str, heading: str = "") -> Callable[[str], tuple[Any, ...]]:
    """Read a line as the line reader does, for the fields that it gives."""

    def read(text: str) -> tuple[Any, ...]:
        reader = StateReader(())
        if heading:
            reader.read(_line(heading))
        reader.read(_line(text))
        if not reader.fields.keys() >= {*names}:
            raise OddStateError
        return tuple(reader.fields[name] for name in names)

    return read


def _address(text: str) -> str:
    try:
        if socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text)) == text:
            return text
    except (OSError, ValueError):
        pass
    if not _ADDRESS.fullmatch(text):
        raise OddStateError
    return _line(text).address_in(text)


def _mark(text: str) -> Mark:
    value, _, mask = text.partition("/")
    return Mark(int(value, 16), int(mask, 16) if mask else 0xFFFFFFFF)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise OddStateError
    return text


def _lengths(text: str) -> tuple[int | None, int | None]:
    match = _LENGTHS.fullmatch(text)
    if match is None:
        raise OddStateError
    bits, icv_bits = match.groups()
    return int(bits) if bits else None, int(icv_bits) if icv_bits else None


def _key_bits(key: str | None, told: int | None) -> int | None:
    """Bits of a key as it is printed, which have to be those told beside it."""
    if not key:
        return told
    bits = (len(key) - len("0x")) * 4
    if bits % 8 or told not in (None, bits):
        raise OddStateError
    return bits


def _require_bitmaps(texts: Sequence[str], lengths: Sequence[int]) -> None:
    """Check that bitmaps have their words; hardly two states have the same bitmap."""
    joined = "".join(texts)
    if not joined.isascii() or sum(lengths) * 8 > len(joined):
        raise OddStateError
    blank = joined.encode().translate(_DIGITS_TO_ZERO)
    if blank != b"".join(map(_blank_bitmap, lengths)):
        raise OddStateError


@lru_cache(maxsize=64)
def _blank_bitmap(words: int) -> bytes:
    lines = [min(8, words - start) for start in range(0, words, 8)]
    return b"".join(b"\t " + b"00000000 " * count + b"\n" for count in lines)


def _limits(text: str) -> None:
    if not _LIMITS.fullmatch(text):
        raise OddStateError
