"""Reads the messages of a dump, as they come, into columns."""

from __future__ import annotations

import socket
import sys
from array import array

from runbooks.xfrm.columns.layouts import Layout, layout_of
from runbooks.xfrm.columns.picking import interleaved, picked_columns
from runbooks.xfrm.columns.states import (
    BYTES_COLUMNS,
    DIGESTS,
    HAS_ESN,
    HAS_MARK,
    HAS_OUTPUT_MARK,
    SECOND_KEY,
    SHAPES,
    StateColumns,
)
from runbooks.xfrm.uapi import MODES, NLMSG_DONE, NLMSG_NOOP, STATE_DIRECTIONS
from runbooks.xfrm.wire import split_messages, uniform_messages

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbooks.xfrm.columns.states import Algorithm
    from runbooks.xfrm.model import XfrmState

#: Layouts that are remembered; one kernel has a handful.
_LAYOUTS_MAX = 64


class ColumnReader:
    """Takes messages of a dump and keeps columns; the sink of a wire's dump.

    Args:
        expected: Number of states for which memory is set aside at once: memory
            that grows is touched again and again, which a guest pays dearly.
    """

    def __init__(self, expected: int = 0) -> None:
        self._memory = {
            name: bytearray(expected * lanes * array(code).itemsize)
            for name, (code, lanes) in SHAPES.items()
            if name != SECOND_KEY  # Few have any.
        }
        self._second_keys = bytearray()
        self._count = 0
        self._algorithms: dict[Algorithm, int] = {}
        self._layouts: dict[int, list[Layout]] = {}
        self._layout_count = 0

    def extend(self, messages: bytes | bytearray | memoryview) -> None:
        """Read whole messages.

        Args:
            messages: NEWSA messages, one behind the other; not used afterwards.

        Raises:
            XfrmDumpError: The bytes are something else, or cut short.
        """
        block = memoryview(messages)
        if self._extend_uniform(block):
            return
        groups: dict[Layout | None, list[int]] = {}
        spans: list[tuple[int, int]] = []
        offset = 0
        for kind, _, _, raw in split_messages(block):
            end = offset + len(raw)
            if kind not in (NLMSG_NOOP, NLMSG_DONE):
                layout = self._layout(block, offset, len(raw))
                groups.setdefault(layout, []).append(len(spans))
                spans.append((offset, end))
            offset = (end + 3) & ~3
        parts = []
        for layout, members in groups.items():
            pieces = [block[slice(*spans[i])] for i in members]
            if layout is None:
                parts.append(self._declared(pieces))
            else:
                region = memoryview(b"".join(pieces))
                parts.append(self._picked(layout, region, len(members)))
        if parts:
            self._append(parts, [*groups.values()])

    def columns(self) -> StateColumns:
        """What was read so far.

        Returns:
            Columns; the reader is not to be used any more.
        """
        if self._second_keys:
            self._pad_second_key()
        columns = {SECOND_KEY: memoryview(self._second_keys)}
        for name, memory in self._memory.items():
            code, lanes = SHAPES[name]
            size = lanes * array(code).itemsize * self._count
            column = memoryview(memory)[:size]
            if name not in BYTES_COLUMNS:
                # A view of no bytes cannot be cast.
                column = column.cast(code) if size else memoryview(array(code))
            columns[name] = column
        return StateColumns(columns, tuple(self._algorithms))

    def _extend_uniform(self, block: memoryview) -> bool:
        """Read messages that all have one layout; false if they don't."""
        same = uniform_messages(block)
        if same is None or same[1] in (NLMSG_NOOP, NLMSG_DONE):
            return False
        count = same[0]
        layout = self._layout(block, 0, len(block) // count)
        if layout is None or not layout.fits_all(block.cast("I"), count):
            return False
        self._append([self._picked(layout, block, count)], [range(count)])
        return True

    def _layout(self, block: memoryview, offset: int, length: int) -> Layout | None:
        known = self._layouts.setdefault(length, [])
        for layout in known:
            if layout.fits(block, offset):
                return layout
        if self._layout_count >= _LAYOUTS_MAX:
            return None
        found = layout_of(block[offset : offset + length])
        if found is not None:
            known.append(found)
            self._layout_count += 1
        return found

    def _picked(
        self, layout: Layout, region: memoryview, count: int
    ) -> dict[str, array[int]]:
        columns = picked_columns(layout, region.cast("I"), count)
        columns["algorithm"] = array("I", [self._algorithm(layout.algorithm)]) * count
        return columns

    def _declared(self, messages: list[memoryview]) -> dict[str, array[int]]:
        """Columns of any messages, by way of states."""
        from runbooks.xfrm.dump import parse_states

        columns = {name: array(code) for name, (code, _) in SHAPES.items()}
        for message in messages:
            for state in parse_states(bytes(message)):
                for name, value in self._values(state).items():
                    columns[name].frombytes(value)
        return columns

    def _values(self, state: XfrmState) -> dict[str, bytes]:
        family = socket.AF_INET6 if ":" in state.source else socket.AF_INET
        hashes = state.key_hash.split("+") if state.key_hash else []
        digests = [bytes.fromhex(text) for text in hashes]
        mark, output_mark = state.mark, state.output_mark
        named = state.mode in MODES
        numbers = {
            "family": int(family),
            "spi": state.spi,
            "reqid": state.reqid,
            "mode": MODES.index(state.mode) if named else int(state.mode),
            "features": (HAS_MARK if mark else 0)
            | (HAS_OUTPUT_MARK if output_mark else 0)
            | (HAS_ESN if state.esn else 0),
            "mark_value": mark.value if mark else 0,
            "mark_mask": mark.mask if mark else 0,
            "output_mark_value": output_mark.value if output_mark else 0,
            "output_mark_mask": output_mark.mask if output_mark else 0,
            "algorithm": self._algorithm(
                (state.algorithm, state.icv_bits, state.key_bits, len(hashes))
            ),
            "replay_window": state.replay_window,
            "seq": state.seq,
            "oseq": state.oseq,
            "bytes": state.bytes,
            "packets": state.packets,
            "added_s": state.added_s or 0,
            "used_s": state.used_s or 0,
            "replay_window_errors": state.replay_window_errors or 0,
            "replay_errors": state.replay_errors or 0,
            "integrity_errors": state.integrity_errors or 0,
            "if_id": state.if_id,
            "dir": STATE_DIRECTIONS.index(state.dir),
        }
        values = {
            name: number.to_bytes(array(SHAPES[name][0]).itemsize, sys.byteorder)
            for name, number in numbers.items()
        }
        values["source"] = socket.inet_pton(family, state.source).ljust(16, b"\0")
        values["destination"] = socket.inet_pton(family, state.destination).ljust(
            16, b"\0"
        )
        for name, digest in zip(DIGESTS, [*digests, b"", b""], strict=False):
            values[name] = digest.ljust(32, b"\0")
        return values

    def _algorithm(self, algorithm: Algorithm) -> int:
        return self._algorithms.setdefault(algorithm, len(self._algorithms))

    def _append(
        self, parts: list[dict[str, array[int]]], members: Sequence[Sequence[int]]
    ) -> None:
        """Put columns of several layouts back into the kernel's order."""
        for name in SHAPES:
            if len(parts) == 1:
                joined = parts[0].get(name)
            else:
                joined = interleaved(name, [part.get(name) for part in parts], members)
            if name != SECOND_KEY:
                assert joined is not None
                self._keep(name, joined)
            elif joined is not None:
                self._pad_second_key()
                self._second_keys += joined
        self._count += sum(map(len, members))

    def _keep(self, name: str, values: array[int]) -> None:
        """Put values behind those that a column has."""
        memory = self._memory[name]
        start = self._count * SHAPES[name][1] * values.itemsize
        end = start + len(values) * values.itemsize
        if end > len(memory):
            grown = bytearray(max(2 * len(memory), end))
            grown[:start] = memory[:start]
            self._memory[name] = memory = grown
        memoryview(memory)[start:end] = memoryview(values).cast("B")

    def _pad_second_key(self) -> None:
        """Let all states so far have one, of zeros where there was none."""
        self._second_keys += bytes(32 * self._count - len(self._second_keys))
