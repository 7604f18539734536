"""XFRM states and policies as plain data, whatever they were read from.

Key material never enters a value read from a node: :class:`XfrmState` carries
only ``key_hash``. Values that program a kernel are separate
(:mod:`runbooks.xfrm.netlink`) and hide their key bytes from ``repr``.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bits of a mark that say what Cilium wants done with a packet.
MARK_ACTION_MASK = 0x0F00
MARK_ACTION_DECRYPT = 0x0D00
MARK_ACTION_ENCRYPT = 0x0E00


class Direction(enum.StrEnum):
    """Which way a state or policy faces, seen from its node."""

    IN = "in"
    OUT = "out"
    FWD = "fwd"


@dataclass(frozen=True, slots=True)
class Mark:
    """A packet mark and the bits of it that count.

    Attributes:
        value: The mark, 32 bits.
        mask: The bits compared or set, 32 bits.
    """

    value: int
    mask: int

    @property
    def node_id(self) -> int:
        """Cilium's node ID, 16 bits; each node chooses its own for a peer."""
        return self.value >> 16

    @property
    def action(self) -> int:
        """The nibble that tells decrypt from encrypt, in place (mask ``0xf00``)."""
        return self.value & MARK_ACTION_MASK


@dataclass(frozen=True, slots=True)
class XfrmState:
    """One XFRM state (security association) as a node's kernel reports it.

    Attributes:
        source: Outer source address.
        destination: Outer destination address.
        spi: Security parameter index; Cilium's key ID, 1 to 15.
        reqid: Request ID; Cilium uses 1.
        mode: ``tunnel``, ``transport`` and so on.
        mark: Mark that selects the state, if any.
        output_mark: Mark that the state sets, if any.
        algorithm: The kernel's name of the AEAD, or ``auth+enc`` names joined
            with ``+`` where there are two.
        icv_bits: Length of the integrity check value in bits, if known.
        key_bits: Length of its key material in bits, both keys together where there
            are two; ``None`` where a dump does not tell. States that differ in
            nothing else are equal.
        key_hash: SHA-256 in hex of the printed key (``0x`` and lower-case hex
            digits), the form in which cilium-bugtool hides keys; for
            authentication and encryption keys, the two hashes joined with
            ``+``. ``None`` when the source hid the key altogether.
        esn: Whether extended (64-bit) sequence numbers are on.
        replay_window: Size of the replay window in packets; 0 is none.
        seq: Highest sequence number received, 64 bits (``seq-hi`` included).
        oseq: Last sequence number sent, 64 bits (``oseq-hi`` included).
        bytes: Lifetime byte count.
        packets: Lifetime packet count.
        added_s: When the state was added, seconds since 1970 on the node's
            clock; text dumps carry local time without a zone, read as UTC
            unless the reader was told the zone.
        used_s: When it was last used, likewise; ``None`` when never.
        replay_window_errors: ``stats: replay-window``, packets.
        replay_errors: ``stats: replay``, packets.
        integrity_errors: ``stats: failed``, packets.
        if_id: XFRM interface ID, 0 for none.
        dir: What the kernel itself says (6.10 and later), else ``None``.
    """

    source: str
    destination: str
    spi: int
    reqid: int = 0
    mode: str = "tunnel"
    mark: Mark | None = None
    output_mark: Mark | None = None
    algorithm: str | None = None
    icv_bits: int | None = None
    key_hash: str | None = None
    esn: bool = False
    replay_window: int = 0
    seq: int = 0
    oseq: int = 0
    bytes: int = 0
    packets: int = 0
    added_s: int | None = None
    used_s: int | None = None
    replay_window_errors: int | None = None
    replay_errors: int | None = None
    integrity_errors: int | None = None
    if_id: int = 0
    dir: Direction | None = None
    key_bits: int | None = field(default=None, compare=False)

    @property
    def direction(self) -> Direction | None:
        """Inbound or outbound, told by Cilium's mark.

        ``None`` for a state whose mark is not Cilium's; such states belong to
        somebody else and are left out of every count.
        """
        match self.mark.action if self.mark else None:
            case 0x0D00:
                return Direction.IN
            case 0x0E00:
                return Direction.OUT
            case _:
                return None


@dataclass(frozen=True, slots=True)
class XfrmTemplate:
    """What a policy demands of the states it leads to."""

    source: str
    destination: str
    spi: int
    reqid: int
    mode: str = "tunnel"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class XfrmPolicy:
    """One XFRM policy as a node's kernel reports it.

    Attributes:
        source: Selector's source prefix, for example ``0.0.0.0/0``.
        destination: Selector's destination prefix.
        direction: ``in``, ``out`` or ``fwd``.
        action: ``allow`` or ``block``.
        priority: Lower is tried first.
        mark: Mark that selects the policy, if any.
        templates: Templates in order; empty for a policy without states.
    """

    source: str
    destination: str
    direction: Direction
    action: str = "allow"
    priority: int = 0
    mark: Mark | None = None
    templates: tuple[XfrmTemplate, ...] = ()


def key_hash(printed_key: str) -> str:
    """Hash a key the way cilium-bugtool does, so that both can be compared.

    Args:
        printed_key: The key as iproute2 prints it: ``0x`` and lower-case hex.

    Returns:
        SHA-256 of that text, 64 hex digits.
    """
    return hashlib.sha256(printed_key.encode()).hexdigest()


def key_hashes(printed_keys: Iterable[str]) -> list[str]:
    """Hash many keys, each as :func:`key_hash` does.

    Args:
        printed_keys: The keys as iproute2 prints them.

    Returns:
        Their hashes, in their order.
    """
    digests = map(hashlib.sha256, map(str.encode, printed_keys))
    return [digest.hexdigest() for digest in digests]


def hash_key_bytes(key: bytes) -> str:
    """Hash key bytes into the form that a state carries.

    Args:
        key: Key bytes, for example those of a derived pair key.

    Returns:
        SHA-256 in hex of the key as iproute2 prints it.
    """
    return key_hash("0x" + key.hex())
