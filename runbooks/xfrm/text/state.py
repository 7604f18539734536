"""One state of ``ip xfrm state``, read back line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbooks.xfrm.model import (
    MARK_ACTION_DECRYPT,
    MARK_ACTION_ENCRYPT,
    Direction,
    XfrmState,
    hash_key_bytes,
)
from runbooks.xfrm.text.lines import CUT_OFF, REDACTED, Line, marks, pairs

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
#: Of these, iproute2 prints no SPI without -s where there is none.
_WITHOUT_SPI = re.compile(r"route2|hao|ipsec-any|[0-9]{1,3}", re.ASCII)
_BITMAP_WORD = re.compile(r"[0-9a-f]{8}", re.ASCII)
_COUNT = re.compile(r"([0-9]{1,20})\((bytes|packets)\),?", re.ASCII)


def read_entries(found: Sequence[Sequence[Line]], utc_offset_s: int) -> list[XfrmState]:
    """Read the entries of a dump of states.

    Args:
        found: Per state its lines, all of the dump.
        utc_offset_s: What the node's local time is ahead of UTC.

    Returns:
        The states in their order.

    Raises:
        XfrmTextError: One is malformed, or cut off.
    """
    return [
        StateReader(entry, utc_offset_s, last=entry is found[-1]).state()
        for entry in found
    ]


class StateReader:
    """Reads one state, line by line.

    Args:
        entry: Its lines.
        utc_offset_s: What the node's local time is ahead of UTC.
        last: Whether the dump ends with this state, and so may be cut off in it.

    Attributes:
        fields: What was read so far, by the names of :class:`XfrmState`.
    """

    def __init__(
        self, entry: Sequence[Line], utc_offset_s: int = 0, *, last: bool = False
    ) -> None:
        self._entry = entry
        self._utc_offset_s = utc_offset_s
        self._last = last
        self.fields: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._detailed = False
        self._sequence: dict[str, int] = {}
        self._bitmap_words = 0
        self._icv_bits: int | None = None
        self._algorithms: list[tuple[str | None, str | None]] = []
        self._key_bits: list[int | None] = []

    def state(self) -> XfrmState:
        """Read all lines.

        Returns:
            The state.

        Raises:
            XfrmTextError: It is malformed, or cut off.
        """
        head = self._entry[0]
        match head.words:
            case ("src", source, "dst", destination, *_):
                self.fields["source"] = head.address_in(source)
                self.fields["destination"] = head.address_in(destination)
            case _:
                raise head.error("expected src ADDRESS dst ADDRESS")
        for line in self._entry[1:]:
            self.read(line)
        self._require_whole()
        self._add_algorithms()
        self._add_sequence_numbers()
        return XfrmState(**self.fields)

    def read(self, line: Line) -> None:
        """Read a line below the first.

        Args:
            line: The line.

        Raises:
            XfrmTextError: It is malformed, or cut off.
        """
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
        self.fields["replay_window"] = line.number_in(line.value(1))
        self.fields["esn"] = "esn" in line.words[2:]
        if "af-unspec" in line.words[2:]:
            self._seen.add("selector")  # may be all zero, then none is printed
        self._see_once("flags", line)

    def _see_once(self, what: str, line: Line) -> None:
        if what in self._seen:
            raise line.error("two entries run into one another")
        self._seen.add(what)

    def _read_selector(self, _: Line) -> None:
        self._seen.add("selector")

    def _read_stats_heading(self, _: Line) -> None:
        self._seen.add("stats heading")

    def _read_marks(self, line: Line) -> None:
        self.fields.update(marks(line))

    def _read_redacted(self, _: Line) -> None:
        # Which line it was nobody can tell: an algorithm, most likely. Only the
        # flags come right behind the identity; "dont-encap-dscp" has "enc" in it.
        if self._seen == {"identity"} and not self._algorithms:
            self._seen.add("redacted flags")
            return
        self._seen.add("selector")
        self._algorithms.append((None, None))
        self._key_bits.append(None)

    def _read_context(self, line: Line) -> None:
        words = line.words
        self._see_once("context", line)
        if "esn" in words:
            self._seen.add("esn context")
        behind = words.index("context:") + 1 if "context:" in words else len(words)
        self._read_sequence(line, words[behind:])

    def _read_sequence(self, line: Line, words: Sequence[str] | None = None) -> None:
        for name, value in pairs(line.words if words is None else words).items():
            if name != "bitmap":
                self._sequence[name] = line.number_in(value)

    def _read_if_id(self, line: Line) -> None:
        self.fields["if_id"] = line.number_in(line.value(1))

    def _read_dir(self, line: Line) -> None:
        if line.value(1) not in ("in", "out"):
            raise line.error(CUT_OFF)
        self.fields["dir"] = Direction(line.value(1))

    def _read_identity(self, line: Line) -> None:
        values = pairs(line.words)
        if _WITHOUT_SPI.fullmatch(values.get("proto", "")):
            values.setdefault("spi", "0")
        if not {"spi", "reqid", "mode"} <= values.keys():
            raise line.error(CUT_OFF)
        # With -s, numbers come in both notations: 0x00000007(7).
        self._detailed = "(" in values["spi"] + values["reqid"]
        self.fields["spi"] = line.number_in(values["spi"].partition("(")[0])
        self.fields["reqid"] = line.number_in(values["reqid"].partition("(")[0])
        self.fields["mode"] = values["mode"]
        self._see_once("identity", line)

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
                self.fields[match[2]] = line.number_in(match[1], bits=64)
                self._seen.add(match[2])

    def _read_times(self, line: Line) -> None:
        if "use" not in line.words:
            raise line.error(CUT_OFF)
        middle = line.words.index("use")
        added, used = line.words[1:middle], line.words[middle + 1 :]
        self.fields["added_s"] = line.time_in(added, self._utc_offset_s)
        self.fields["used_s"] = line.time_in(used, self._utc_offset_s)
        self._seen.add("times")

    def _read_stats(self, line: Line) -> None:
        match line.words:
            case ("replay-window", outside, "replay", replayed, "failed", failed):
                self.fields["replay_window_errors"] = line.number_in(outside)
                self.fields["replay_errors"] = line.number_in(replayed)
                self.fields["integrity_errors"] = line.number_in(failed)
                self._seen.add("stats")
            case _:
                raise line.error(CUT_OFF)

    def _require_whole(self) -> None:
        needed = {"identity", "flags"}
        if "redacted flags" in self._seen and "flags" not in self._seen:
            self._assume_flags()
        if self._detailed:
            needed |= {"bytes", "packets", "times", "stats"}
        elif self._last:
            # Nothing follows the selector; without it, lines may be cut off.
            needed.add("selector")
        numbers = {"seq", "oseq"}
        if "esn context" in self._seen:
            numbers |= {"seq-hi", "oseq-hi", "replay_window", "bitmap-length"}
        if not (
            needed <= self._seen
            and numbers <= self._sequence.keys()
            and self._bitmap_words >= self._sequence.get("bitmap-length", 0)
        ):
            raise self._entry[-1].error(CUT_OFF)

    def _assume_flags(self) -> None:
        mark = self.fields.get("mark")
        if mark is not None and mark.action in (
            MARK_ACTION_DECRYPT,
            MARK_ACTION_ENCRYPT,
        ):
            raise self._entry[-1].error(
                "the flags of a state that is Cilium's are redacted"
            )
        # Somebody else's state: it must not keep Cilium's from being read.
        self.fields["esn"] = "esn context" in self._seen
        self._seen.add("flags")

    def _add_algorithms(self) -> None:
        names = [name for name, _ in self._algorithms]
        hashes = [hashed for _, hashed in self._algorithms]
        known_names = [name for name in names if name is not None]
        known_hashes = [hashed for hashed in hashes if hashed is not None]
        if names and len(known_names) == len(names):
            self.fields["algorithm"] = "+".join(known_names)
        if hashes and len(known_hashes) == len(hashes):
            self.fields["key_hash"] = "+".join(known_hashes)
        self.fields["icv_bits"] = self._icv_bits
        known_bits = [bits for bits in self._key_bits if bits is not None]
        if known_bits and len(known_bits) == len(self._key_bits):
            self.fields["key_bits"] = sum(known_bits)

    def _add_sequence_numbers(self) -> None:
        numbers = self._sequence
        self.fields["seq"] = numbers.get("seq-hi", 0) << 32 | numbers["seq"]
        self.fields["oseq"] = numbers.get("oseq-hi", 0) << 32 | numbers["oseq"]
        # With this context, the window near the top is always 0.
        if "replay_window" in numbers:
            self.fields["replay_window"] = numbers["replay_window"]


_READERS: dict[str, Callable[[StateReader, Line], None]] = {
    "proto": StateReader._read_identity,
    "replay-window": StateReader._read_window,
    "mark": StateReader._read_marks,
    "output-mark": StateReader._read_marks,
    "if_id": StateReader._read_if_id,
    "dir": StateReader._read_dir,
    "sel": StateReader._read_selector,
    "aead": StateReader._read_algorithm,
    "auth": StateReader._read_algorithm,
    "auth-trunc": StateReader._read_algorithm,
    "enc": StateReader._read_algorithm,
    REDACTED: StateReader._read_redacted,
    "anti-replay": StateReader._read_context,
    "seq-hi": StateReader._read_sequence,
    "seq": StateReader._read_sequence,
    "oseq-hi": StateReader._read_sequence,
    "oseq": StateReader._read_sequence,
    "replay_window": StateReader._read_sequence,
    "add": StateReader._read_times,
    "stats:": StateReader._read_stats_heading,
}
