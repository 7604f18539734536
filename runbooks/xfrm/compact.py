"""Cilium's XFRM states in few bytes: one line each, decoded in columns.

An agent's pod turns ``ip -s xfrm state`` into this form
(``collect/states.awk``), so that a thousand peers are some kilobytes and their
keys stay on the node::

    @10.0.1.10              an address; the first is number 0, and so on
    @10.0.2.10
    fAAAAABAACAQAkj3...     a state, every number in digits of base64
    = 1 0                   states, and states that are not Cilium's: the end

A line has one of three widths (`PLAIN`, `FAILED`, `WIDE`), each with fixed
columns, the most significant digit first.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runbooks.xfrm.model import (
    MARK_ACTION_DECRYPT,
    MARK_ACTION_ENCRYPT,
    Direction,
    Mark,
    XfrmState,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

IN, OUT = 1, 2
#: Key IDs go up to 15; another SPI under Cilium's mark is not Cilium's.
LAST_SPI = 15

#: One state. ``source`` and ``destination`` are positions in the addresses,
#: ``direction`` is `IN` or `OUT`; times are seconds since 1970 and 0 for never;
#: ``key`` is made of hash digits (see `key_number`) and 0 if unknown.
ROW = np.dtype(
    [
        ("source", "<u4"),
        ("destination", "<u4"),
        ("spi", "u1"),
        ("direction", "u1"),
        ("esn", "u1"),
        ("window", "<u4"),
        ("node_id", "<u2"),
        ("key", "<u8"),
        ("seq", "<u8"),
        ("oseq", "<u8"),
        ("packets", "<u8"),
        ("added_s", "<u4"),
        ("used_s", "<u4"),
        ("window_errors", "<u4"),
        ("replay_errors", "<u4"),
        ("failed", "<u4"),
    ]
)

#: Columns and their digits. ``kind`` is four bits of SPI, one for outbound, one
#: for ESN; ``number`` is ``seq`` of an inbound and ``oseq`` of an outbound state.
_ENDS = {"kind": 1, "source": 3, "destination": 3, "node_id": 3, "window": 3, "key": 11}
_TIMES = {"added_s": 6, "used_s": 6}
_ERRORS = {"window_errors": 6, "replay_errors": 6, "failed": 6}
PLAIN = {**_ENDS, "number": 8, "packets": 8, **_TIMES}
FAILED = {**PLAIN, **_ERRORS}
WIDE = {**_ENDS, "seq": 11, "oseq": 11, "packets": 11, **_TIMES, **_ERRORS}
#: Digits of a line, by which its columns are told.
LAYOUTS = {sum(columns.values()): columns for columns in (PLAIN, FAILED, WIDE)}

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_DIGIT = 0xFF
_VALUES = np.full(256, _NO_DIGIT, dtype=np.uint8)
_VALUES[np.frombuffer(DIGITS.encode(), dtype=np.uint8)] = np.arange(64)
_NEWLINE, _AT = b"\n@"
_known_addresses: dict[bytes, str] = {}
_MOST_KNOWN = 1 << 17
_END = re.compile(r"= ([0-9]{1,9}) ([0-9]{1,9})", re.ASCII)


class CompactError(ValueError):
    """The text is not a whole compact dump.

    Attributes:
        line: Number of the line where that showed, from 1.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True, eq=False)
class CompactStates:
    """Cilium's states of one node, in columns.

    Attributes:
        addresses: What ``source`` and ``destination`` are positions in.
        rows: One row per state, of type `ROW`.
        others: How many states are not Cilium's.
    """

    addresses: tuple[str, ...]
    rows: NDArray[Any]
    others: int = 0

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CompactStates)
            and self.addresses == other.addresses
            and self.others == other.others
            and np.array_equal(self.rows, other.rows)
        )

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of_states(cls, states: Iterable[XfrmState]) -> CompactStates:
        """Bring states into columns.

        Args:
            states: States of one node; those that aren't Cilium's are counted.

        Returns:
            The same in columns; what they have no column for is lost.
        """
        positions: dict[str, int] = {}
        found: list[tuple[int, ...]] = []
        others = 0
        for state in states:
            if state.direction is None or not 0 < state.spi <= LAST_SPI:
                others += 1
                continue
            found.append(_row(state, positions))
        return cls(tuple(positions), np.array(found, dtype=ROW), others)

    def to_states(self) -> tuple[XfrmState, ...]:
        """The states as objects.

        A state's key hash is then `key_number` in 16 hexadecimal digits, and its
        marks are those that Cilium gives such a state.
        """
        names = ROW.names or ()
        return tuple(
            _state(dict(zip(names, row, strict=True)), self.addresses)
            for row in self.rows.tolist()
        )


def key_number(key_hash: str | None) -> int:
    """The part of a key's hash that is compared.

    Args:
        key_hash: As :class:`XfrmState` has it; two hashes are joined with ``+``.

    Returns:
        The first 16 digits of the hash, or the first 8 of each of two; 0 if
        unknown.
    """
    if key_hash is None:
        return 0
    parts = key_hash.split("+")
    return int("".join(part[: 16 // len(parts)] for part in parts), 16)


def parse_compact(text: str | bytes) -> CompactStates:
    """Read what an agent's pod made of its states.

    Args:
        text: The whole of it.

    Returns:
        The states.

    Raises:
        CompactError: A line is malformed, or lines are missing.
    """
    from runbooks.xfrm.compact_lines import decode_plain

    try:
        content = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        assert isinstance(text, str)
        line = text.count("\n", 0, error.start) + 1
        raise CompactError(line, "not in ASCII") from None
    content = content.rstrip(b"\n") + b"\n"
    buffer = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(buffer == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    widths = ends - starts
    heads = buffer[starts]
    count, others = _last_line(content, starts, ends)
    is_address = heads == _AT
    is_address[-1] = False
    addresses = _addresses(content, starts, ends, np.flatnonzero(is_address))
    lines = np.flatnonzero(~is_address[:-1])
    if len(lines) != count:
        raise CompactError(
            len(starts), f"{len(lines)} states came of {count}; lines are missing"
        )
    rows = np.zeros(count, dtype=ROW)
    known = np.zeros(count, dtype=bool)
    for width, columns in LAYOUTS.items():
        these = np.flatnonzero(widths[lines] == width)
        known[these] = True
        if not len(these):
            continue
        decoded = None
        if columns is PLAIN:
            plain = b"\n".join(_runs(content, starts, ends, lines[these]))
            decoded = decode_plain(plain, len(addresses))
        if decoded is None:
            begins = starts[lines[these]]
            digits = _VALUES[buffer[begins[:, None] + np.arange(width)]]
            decoded = _decoded(digits, columns, lines[these], len(addresses))
        if len(these) == count:
            rows = decoded
        else:
            rows[these] = decoded
    if not known.all():
        raise CompactError(
            int(lines[np.argmin(known)]) + 1, "not a state: it has another width"
        )
    return CompactStates(addresses, rows, others)


def _last_line(
    content: bytes, starts: NDArray[Any], ends: NDArray[Any]
) -> tuple[int, int]:
    last = content[int(starts[-1]) : int(ends[-1])].decode(errors="replace")
    match = _END.fullmatch(last)
    if match is None:
        raise CompactError(len(starts), "the end is missing; it seems to be cut off")
    return int(match[1]), int(match[2])


def _decoded(
    digits: NDArray[Any],
    columns: Mapping[str, int],
    lines: NDArray[Any],
    addresses: int,
) -> NDArray[Any]:
    """Decode lines of one width.

    Args:
        digits: Values of the digits, one row per line.
        columns: What they stand for.
        lines: Positions of the lines in the text.
        addresses: How many there are.
    """

    def require(fine: NDArray[Any], problem: str) -> None:
        if not fine.all():
            raise CompactError(int(lines[np.argmin(fine)]) + 1, problem)

    require((digits != _NO_DIGIT).all(axis=1), "not a digit of base64")
    rows = np.zeros(len(digits), dtype=ROW)
    at = 0
    numbers: dict[str, NDArray[Any]] = {}
    for name, width in columns.items():
        number = digits[:, at].astype(np.uint64)
        if width == 11:  # 66 bits
            require(number < 16, f"{name} does not fit 64 bits")
        for position in range(at + 1, at + width):
            number = (number << np.uint64(6)) | digits[:, position]
        at += width
        numbers[name] = number
    kind = numbers.pop("kind")
    outbound = (kind & np.uint64(2)) != 0
    rows["spi"] = kind >> np.uint64(2)
    rows["direction"] = np.where(outbound, OUT, IN)
    rows["esn"] = kind & np.uint64(1)
    require(rows["spi"] > 0, "a state of Cilium has an SPI from 1 to 15")
    if "number" in numbers:
        number = numbers.pop("number")
        rows["seq"] = np.where(outbound, 0, number)
        rows["oseq"] = np.where(outbound, number, 0)
    for name, number in numbers.items():
        largest = np.iinfo(ROW[name]).max
        require(number <= largest, f"{name} is too large")
        rows[name] = number
    for name in ("source", "destination"):
        require(rows[name] < addresses, f"its {name} is no address that was given")
    return rows


def _runs(
    content: bytes, starts: NDArray[Any], ends: NDArray[Any], lines: NDArray[Any]
) -> list[bytes]:
    """Lines of the text, those in a row together."""
    last = np.flatnonzero(np.append(np.diff(lines) != 1, values=True))
    first = np.concatenate(([0], last[:-1] + 1))
    begins, finishes = starts[lines[first]], ends[lines[last]]
    return [
        content[begin:end]
        for begin, end in zip(begins.tolist(), finishes.tolist(), strict=True)
    ]


def _addresses(
    content: bytes, starts: NDArray[Any], ends: NDArray[Any], lines: NDArray[Any]
) -> tuple[str, ...]:
    """The addresses on some lines; every node of a cluster sends the same ones."""
    if not len(lines):
        return ()
    runs = _runs(content, starts, ends, lines)
    words = [word for run in runs for word in run[1:].split(b"\n@")]
    try:
        return tuple(map(_known_addresses.__getitem__, words))
    except KeyError:
        pass
    if len(_known_addresses) > _MOST_KNOWN:
        _known_addresses.clear()
    for line, word in zip(lines.tolist(), words, strict=True):
        if word not in _known_addresses:
            _known_addresses[word] = _address(word, line + 1)
    return tuple(map(_known_addresses.__getitem__, words))


def _address(word: bytes, line: int) -> str:
    try:
        return str(ipaddress.ip_address(word.decode()))
    except ValueError:
        raise CompactError(line, "not an address") from None


def _row(state: XfrmState, positions: dict[str, int]) -> tuple[int, ...]:
    return (
        positions.setdefault(state.source, len(positions)),
        positions.setdefault(state.destination, len(positions)),
        state.spi,
        IN if state.direction is Direction.IN else OUT,
        int(state.esn),
        state.replay_window,
        state.mark.node_id if state.mark else 0,
        key_number(state.key_hash),
        state.seq,
        state.oseq,
        state.packets,
        state.added_s or 0,
        state.used_s or 0,
        state.replay_window_errors or 0,
        state.replay_errors or 0,
        state.integrity_errors or 0,
    )


def _state(row: Mapping[str, int], addresses: tuple[str, ...]) -> XfrmState:
    inbound = row["direction"] == IN
    action = MARK_ACTION_DECRYPT if inbound else MARK_ACTION_ENCRYPT
    node_id = row["node_id"] << 16
    mark = (
        Mark(node_id | action, 0xFFFF0F00)
        if inbound
        else Mark(node_id | row["spi"] << 12 | action, 0xFFFFFF00)
    )
    return XfrmState(
        source=addresses[row["source"]],
        destination=addresses[row["destination"]],
        spi=row["spi"],
        reqid=1,
        mark=mark,
        output_mark=Mark(action, 0xFFFFFF00),
        key_hash=f"{row['key']:016x}" if row["key"] else None,
        esn=bool(row["esn"]),
        replay_window=row["window"],
        seq=row["seq"],
        oseq=row["oseq"],
        packets=row["packets"],
        added_s=row["added_s"] or None,
        used_s=row["used_s"] or None,
        replay_window_errors=row["window_errors"],
        replay_errors=row["replay_errors"],
        integrity_errors=row["failed"],
    )
