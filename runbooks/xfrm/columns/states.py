"""XFRM states, one column for each of their fields."""

from __future__ import annotations

import socket

from runbooks.xfrm.uapi import MODES, STATE_DIRECTIONS

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    from typing import Literal

    from runbooks.xfrm.model import Mark, XfrmState

    Code = Literal["B", "I", "Q"]
    #: Name, bits of the integrity check value, bits of the keys, number of keys.
    Algorithm = tuple[str | None, int | None, int | None, int]

#: Bits of the column ``features``.
HAS_MARK = 1
HAS_OUTPUT_MARK = 2
HAS_ESN = 4

#: By column: type code of the array module, and how many make up one value.
SHAPES: dict[str, tuple[Code, int]] = {
    "source": ("Q", 2),
    "destination": ("Q", 2),
    "family": ("B", 1),
    "spi": ("I", 1),
    "reqid": ("I", 1),
    "mode": ("B", 1),
    "features": ("B", 1),
    "mark_value": ("I", 1),
    "mark_mask": ("I", 1),
    "output_mark_value": ("I", 1),
    "output_mark_mask": ("I", 1),
    "algorithm": ("I", 1),
    "key_digest": ("Q", 4),
    "second_key_digest": ("Q", 4),
    "replay_window": ("I", 1),
    "seq": ("Q", 1),
    "oseq": ("Q", 1),
    "bytes": ("Q", 1),
    "packets": ("Q", 1),
    "added_s": ("Q", 1),
    "used_s": ("Q", 1),
    "replay_window_errors": ("I", 1),
    "replay_errors": ("I", 1),
    "integrity_errors": ("I", 1),
    "if_id": ("I", 1),
    "dir": ("B", 1),
}
SECOND_KEY = "second_key_digest"
DIGESTS = ("key_digest", SECOND_KEY)
BYTES_COLUMNS = ("source", "destination", *DIGESTS)


class StateColumns:
    """XFRM states, one column for each of their fields, in the kernel's order.

    Columns are read-only memory of one item for each state, which numpy views
    without a copy (``numpy.asarray(columns.seq)``). Those of addresses and
    digests are bytes: 16 and 32 for each state
    (``numpy.asarray(columns.source).reshape(-1, 16)``). Missing values are 0.

    Keys are not there: only their SHA-256, as in
    :class:`~runbooks.xfrm.model.XfrmState`.

    Not a dataclass, since importing :mod:`dataclasses` takes a lab's guest as
    long as reading 10,000 states; it is as frozen as one.

    Attributes:
        source: Outer source addresses, 16 bytes each; IPv4 uses the first four.
        destination: Outer destination addresses, likewise.
        family: ``AF_INET`` or ``AF_INET6``.
        spi: Security parameter indexes.
        reqid: Request IDs.
        mode: Numbers of the modes, ``XFRM_MODE_*``.
        features: Bits: 1 has a mark, 2 has an output mark, 4 has ESN.
        mark_value: Marks.
        mark_mask: Their masks.
        output_mark_value: Marks that states set.
        output_mark_mask: Their masks.
        algorithm: Index into ``algorithms``.
        key_digest: SHA-256 of the printed keys, 32 bytes each; of the
            authentication key where there are two.
        second_key_digest: Likewise of the encryption keys where there are two;
            no bytes at all if no state has two keys.
        replay_window: Sizes of the replay windows, in packets.
        seq: Highest numbers received.
        oseq: Last numbers sent.
        bytes: Lifetime byte counts.
        packets: Lifetime packet counts.
        added_s: When states were added, seconds since 1970.
        used_s: When they were used first, likewise; 0 for never.
        replay_window_errors: Packets dropped behind the replay window.
        replay_errors: Packets dropped as replays.
        integrity_errors: Packets that failed authentication.
        if_id: XFRM interface IDs.
        dir: 1 for in, 2 for out, 0 where the kernel does not say.
        algorithms: Name, bits of the integrity check value, bits of the keys
            and number of keys, for each algorithm that occurs.
    """

    __slots__ = (*SHAPES, "algorithms")

    source: memoryview
    destination: memoryview
    family: memoryview
    spi: memoryview
    reqid: memoryview
    mode: memoryview
    features: memoryview
    mark_value: memoryview
    mark_mask: memoryview
    output_mark_value: memoryview
    output_mark_mask: memoryview
    algorithm: memoryview
    key_digest: memoryview
    second_key_digest: memoryview
    replay_window: memoryview
    seq: memoryview
    oseq: memoryview
    bytes: memoryview
    packets: memoryview
    added_s: memoryview
    used_s: memoryview
    replay_window_errors: memoryview
    replay_errors: memoryview
    integrity_errors: memoryview
    if_id: memoryview
    dir: memoryview
    algorithms: tuple[Algorithm, ...]

    def __init__(
        self,
        columns: dict[str, memoryview],
        algorithms: tuple[Algorithm, ...],
    ) -> None:
        for name, column in columns.items():
            object.__setattr__(self, name, column.toreadonly())
        object.__setattr__(self, "algorithms", algorithms)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name}: columns are read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name}: columns are read-only")

    def __len__(self) -> int:
        return len(self.spi)

    def __repr__(self) -> str:
        return f"<columns of {len(self)} XFRM states>"

    def state(self, index: int) -> XfrmState:
        """Read one state out of the columns.

        Args:
            index: 0 for the first.

        Returns:
            What :func:`runbooks.xfrm.dump.parse_states` reads from its message.

        Raises:
            IndexError: There is no such state.
        """
        from runbooks.xfrm.model import Direction, XfrmState

        i = range(len(self))[index]
        features = self.features[i]
        direction = STATE_DIRECTIONS[self.dir[i]]
        algorithm, icv_bits, key_bits, keys = self.algorithms[self.algorithm[i]]
        digests = [self.key_digest, self.second_key_digest][:keys]
        mode = self.mode[i]
        return XfrmState(
            source=self._address(self.source, i),
            destination=self._address(self.destination, i),
            spi=self.spi[i],
            reqid=self.reqid[i],
            mode=MODES[mode] if mode < len(MODES) else str(mode),
            mark=_mark(features & HAS_MARK, self.mark_value[i], self.mark_mask[i]),
            output_mark=_mark(
                features & HAS_OUTPUT_MARK,
                self.output_mark_value[i],
                self.output_mark_mask[i],
            ),
            algorithm=algorithm,
            icv_bits=icv_bits,
            key_hash="+".join(column[32 * i : 32 * i + 32].hex() for column in digests)
            or None,
            esn=bool(features & HAS_ESN),
            replay_window=self.replay_window[i],
            seq=self.seq[i],
            oseq=self.oseq[i],
            bytes=self.bytes[i],
            packets=self.packets[i],
            added_s=self.added_s[i] or None,
            used_s=self.used_s[i] or None,
            replay_window_errors=self.replay_window_errors[i],
            replay_errors=self.replay_errors[i],
            integrity_errors=self.integrity_errors[i],
            if_id=self.if_id[i],
            dir=Direction(direction) if direction else None,
            key_bits=key_bits,
        )

    def to_states(self) -> list[XfrmState]:
        """Read all states out of the columns.

        Returns:
            The states in the kernel's order.
        """
        return [self.state(i) for i in range(len(self))]

    def _address(self, column: memoryview, i: int) -> str:
        family = self.family[i]
        size = 4 if family == socket.AF_INET else 16
        return socket.inet_ntop(family, column[16 * i : 16 * i + size])


def _mark(present: int, value: int, mask: int) -> Mark | None:
    from runbooks.xfrm.model import Mark

    return Mark(value, mask) if present else None
