"""``ip xfrm state``, read back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbooks.xfrm.model import Direction, XfrmState, hash_key_bytes
from runbooks.xfrm.text.lines import CUT_OFF, REDACTED, Line, entries, marks, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What follows an algorithm's name: the key, hashed or hidden or none, with -s
#: its length, and the length of the ICV where the algorithm has one.
_AFTER_ALGORITHM = re.compile(
    r"( (0x(?P<key>([0-9a-f]{2})+)|\[hash:(?P<hash>[0-9a-f]{64})\]|<<Keys hidden>>))?"
    r"( \((?P<bits>[0-9]{1,9}) bits\))?"
    r"( (?P<icv>[0-9]{1,9}))?",
    re.ASCII | re.IGNORECASE,
)
_BITMAP_WORD = re.compile(r"[0-9a-f]{8}", re.ASCII)
_COUNT = re.compile(r"([0-9]{1,20})\((bytes|packets)\),?", re.ASCII)


def parse_state_text(text: str, *, utc_offset_s: int = 0) -> list[XfrmState]:
    """Read ``ip [-s [-s]] xfrm state``.

    Args:
        text: What it printed, or cilium-bugtool's file of it.
        utc_offset_s: What the node's local time is ahead of UTC, for the times
            that the dump gives without a zone.

    Returns:
        The states in their order; none for a node that has none.

    Raises:
        XfrmTextError: The text is something else, or cut off.
    """
    return [_StateReader(entry, utc_offset_s).state() for entry in entries(text)]


class _StateReader:
    """Reads one state, line by line."""

    def __init__(self, entry: Sequence[Line], utc_offset_s: int) -> None:
        self._entry = entry
        self._utc_offset_s = utc_offset_s
        self._fields: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._detailed = False
        self._sequence: dict[str, int] = {}
        self._bitmap_words = 0
        self._icv_bits: int | None = None
        self._algorithms: list[tuple[str | None, str | None]] = []
        self._key_bits: list[int | None] = []

    def state(self) -> XfrmState:
        head = self._entry[0]
        match head.words:
            case ("src", source, "dst", destination, *_):
                self._fields["source"] = head.address_in(source)
                self._fields["destination"] = head.address_in(destination)
            case _:
                raise head.error("expected src ADDRESS dst ADDRESS")
        for line in self._entry[1:]:
            self._read(line)
        self._require_whole()
        self._add_algorithms()
        self._add_sequence_numbers()
        return XfrmState(**self._fields)

    def _read(self, line: Line) -> None:
        first = line.words[0]
        if first in _READERS:
            _READERS[first](self, line)
        elif _COUNT.fullmatch(first):
            self._read_counts(line)
        elif all(map(_BITMAP_WORD.fullmatch, line.words)):
            self._bitmap_words += len(line.words)
        # Else a selector, limits, and what kernels to come will add.

    def _read_window(self, line: Line) -> None:
        # The same word begins a line near the top and the one behind "stats:".
        if "stats heading" in self._seen:
            self._read_stats(line)
            return
        self._fields["replay_window"] = line.number_in(line.value(1))
        self._fields["esn"] = "esn" in line.words[2:]
        self._seen.add("flags")

    def _read_stats_heading(self, _: Line) -> None:
        self._seen.add("stats heading")

    def _read_marks(self, line: Line) -> None:
        self._fields.update(marks(line))

    def _read_redacted(self, _: Line) -> None:
        # Which line it was nobody can tell: an algorithm, most likely.
        self._algorithms.append((None, None))
        self._key_bits.append(None)

    def _read_context(self, line: Line) -> None:
        words = line.words
        self._seen.add("esn context" if "esn" in words else "legacy context")
        behind = words.index("context:") + 1 if "context:" in words else len(words)
        self._read_sequence(line, words[behind:])

    def _read_sequence(self, line: Line, words: Sequence[str] | None = None) -> None:
        for name, value in pairs(line.words if words is None else words).items():
            if name != "bitmap":
                self._sequence[name] = line.number_in(value)

    def _read_if_id(self, line: Line) -> None:
        self._fields["if_id"] = line.number_in(line.value(1))

    def _read_dir(self, line: Line) -> None:
        if line.value(1) not in ("in", "out"):
            raise line.error(CUT_OFF)
        self._fields["dir"] = Direction(line.value(1))

    def _read_identity(self, line: Line) -> None:
        values = pairs(line.words)
        if not {"spi", "reqid", "mode"} <= values.keys():
            raise line.error(CUT_OFF)
        # With -s, numbers come in both notations: 0x00000007(7).
        self._detailed = "(" in values["spi"]
        self._fields["spi"] = line.number_in(values["spi"].partition("(")[0])
        self._fields["reqid"] = line.number_in(values["reqid"].partition("(")[0])
        self._fields["mode"] = values["mode"]
        self._seen.add("identity")

    def _read_algorithm(self, line: Line) -> None:
        kind, name = line.words[0], line.value(1)
        match = _AFTER_ALGORITHM.fullmatch("".join(f" {w}" for w in line.words[2:]))
        if not name or match is None:
            raise line.error("the algorithm or its key is malformed or cut off")
        key = match["key"]
        if key and match["bits"] and len(key) * 4 != line.number_in(match["bits"]):
            raise line.error("the key is not as long as the line says")
        hashed = hash_key_bytes(bytes.fromhex(key)) if key else match["hash"]
        self._algorithms.append((name, hashed))
        bits = line.number_in(match["bits"]) if match["bits"] else None
        self._key_bits.append(len(key) * 4 if key else bits)
        if kind in ("aead", "auth-trunc"):
            self._icv_bits = line.number_in(match["icv"] or "")

    def _read_counts(self, line: Line) -> None:
        for word in line.words:
            if match := _COUNT.fullmatch(word):
                self._fields[match[2]] = line.number_in(match[1], bits=64)
                self._seen.add(match[2])

    def _read_times(self, line: Line) -> None:
        if "use" not in line.words:
            raise line.error(CUT_OFF)
        middle = line.words.index("use")
        added, used = line.words[1:middle], line.words[middle + 1 :]
        self._fields["added_s"] = line.time_in(added, self._utc_offset_s)
        self._fields["used_s"] = line.time_in(used, self._utc_offset_s)
        self._seen.add("times")

    def _read_stats(self, line: Line) -> None:
        match line.words:
            case ("replay-window", outside, "replay", replayed, "failed", failed):
                self._fields["replay_window_errors"] = line.number_in(outside)
                self._fields["replay_errors"] = line.number_in(replayed)
                self._fields["integrity_errors"] = line.number_in(failed)
                self._seen.add("stats")
            case _:
                raise line.error(CUT_OFF)

    def _require_whole(self) -> None:
        needed = {"identity", "flags"}
        if self._detailed:
            needed |= {"bytes", "packets", "times", "stats"}
        numbers = {"seq", "oseq"}
        if "esn context" in self._seen:
            numbers |= {"seq-hi", "oseq-hi", "replay_window", "bitmap-length"}
        if not (
            needed <= self._seen
            and numbers <= self._sequence.keys()
            and self._bitmap_words >= self._sequence.get("bitmap-length", 0)
        ):
            raise self._entry[-1].error(CUT_OFF)

    def _add_algorithms(self) -> None:
        names = [name for name, _ in self._algorithms]
        hashes = [hashed for _, hashed in self._algorithms]
        known_names = [name for name in names if name is not None]
        known_hashes = [hashed for hashed in hashes if hashed is not None]
        if names and len(known_names) == len(names):
            self._fields["algorithm"] = "+".join(known_names)
        if hashes and len(known_hashes) == len(hashes):
            self._fields["key_hash"] = "+".join(known_hashes)
        self._fields["icv_bits"] = self._icv_bits
        known_bits = [bits for bits in self._key_bits if bits is not None]
        if known_bits and len(known_bits) == len(self._key_bits):
            self._fields["key_bits"] = sum(known_bits)

    def _add_sequence_numbers(self) -> None:
        numbers = self._sequence
        self._fields["seq"] = numbers.get("seq-hi", 0) << 32 | numbers["seq"]
        self._fields["oseq"] = numbers.get("oseq-hi", 0) << 32 | numbers["oseq"]
        # With this context, the window near the top is always 0.
        if "replay_window" in numbers:
            self._fields["replay_window"] = numbers["replay_window"]


_READERS: dict[str, Callable[[_StateReader, Line], None]] = {
    "proto": _StateReader._read_identity,
    "replay-window": _StateReader._read_window,
    "mark": _StateReader._read_marks,
    "output-mark": _StateReader._read_marks,
    "if_id": _StateReader._read_if_id,
    "dir": _StateReader._read_dir,
    "aead": _StateReader._read_algorithm,
    "auth": _StateReader._read_algorithm,
    "auth-trunc": _StateReader._read_algorithm,
    "enc": _StateReader._read_algorithm,
    REDACTED: _StateReader._read_redacted,
    "anti-replay": _StateReader._read_context,
    "seq-hi": _StateReader._read_sequence,
    "seq": _StateReader._read_sequence,
    "oseq-hi": _StateReader._read_sequence,
    "oseq": _StateReader._read_sequence,
    "replay_window": _StateReader._read_sequence,
    "add": _StateReader._read_times,
    "stats:": _StateReader._read_stats_heading,
}
