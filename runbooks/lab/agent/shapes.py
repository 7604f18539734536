"""What states and policies an agent makes; by version, without a kernel.

Present agents are those of Cilium 1.18 (in development in May 2025, of which
there are recordings). Legacy ones are those of 1.15, with which both kinds of
key line still meant what they say: ``pkg/datapath/linux/ipsec.go`` and
``pkg/datapath/linux/ipsec/ipsec_linux.go`` of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from runbooks.xfrm.keys import IpsecKey, derive_pair_key
from runbooks.xfrm.model import Direction, Mark, XfrmTemplate
from runbooks.xfrm.netlink import NewPolicy, NewState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.lab.agent.nodes import Family, Node

_ANY_PREFIX = {4: "0.0.0.0/0", 6: "::/0"}
_ANY_ADDRESS = {4: "0.0.0.0", 6: "::"}  # noqa: S104 (a template's, not a socket's)
_FORWARD_PRIORITY = 2975
_DROP_PRIORITY = 100
_WINDOW_PACKETS = 1024
_REQID = 1
_OUT_MASK = 0xFFFFFF00
_IN_MASK = 0xFFFF0F00
_ACTION_MASK = 0xF00
_TO_PROXY = 0x200
_DECRYPT = 0xD00
_ENCRYPT = 0xE00


def outbound_mark(node_id: int, spi: int) -> int:
    """The mark that leads a packet to a peer's outbound policy and state."""
    return node_id << 16 | spi << 12 | _ENCRYPT


def inbound_mark(node_id: int) -> int:
    """The mark that leads a packet from a peer to its inbound state."""
    return node_id << 16 | _DECRYPT


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer and the node ID that this node gave it, for both IP families."""

    node: Node
    node_id: int


@dataclass(frozen=True, slots=True)
class Ends:
    """Outer addresses of a state."""

    source: str
    destination: str

    def reversed(self) -> Ends:
        """The other direction."""
        return Ends(self.destination, self.source)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A pair of addresses between which two states encrypt.

    Attributes:
        ends: Own address and the peer's.
        source: Selector of the outbound policy.
        destination: Likewise.
    """

    ends: Ends
    source: str
    destination: str


class Shape(Protocol):
    """The states and policies of one version in one mode."""

    def tunnels(self, own: Node, peer: Node) -> Iterator[Tunnel]:
        """What is encrypted between two nodes."""

    def own_policies(self, own: Node) -> Iterator[NewPolicy]:
        """Policies that a node has before it knows any peer."""

    def inbound_policies(self, own: Node, peer: Node) -> Iterator[NewPolicy]:
        """Policies for what comes from a peer."""

    def one_key_for_all(self, key: IpsecKey) -> bool:
        """Whether a key is used as it is, without ESN and a replay window."""


@dataclass(frozen=True, slots=True)
class Present:
    """Cilium 1.18.

    Attributes:
        overlay: Tunnel mode: packets between node IPs are encrypted as well.
    """

    overlay: bool

    def tunnels(self, own: Node, peer: Node) -> Iterator[Tunnel]:
        """Between CiliumInternalIPs; with the overlay between node IPs as well."""
        for mine, theirs in _both(own, peer):
            yield _between_cilium_ips(mine, theirs)
            if self.overlay:
                # 1.18 means a whole address and writes a mask of no bits for IPv6.
                bits = {4: 32, 6: 0}[mine.version]
                yield Tunnel(
                    Ends(mine.node_ip, theirs.node_ip),
                    f"{mine.node_ip}/{bits}",
                    f"{theirs.node_ip}/{bits}",
                )

    def own_policies(self, own: Node) -> Iterator[NewPolicy]:
        """The catch-alls and the default-drop."""
        for family in own.families:
            anywhere = _ANY_PREFIX[family.version]
            address = _ANY_ADDRESS[family.version]
            optional = XfrmTemplate(address, address, 0, 0, optional=True)
            yield NewPolicy(anywhere, anywhere, Direction.IN, template=optional)
            yield _forward_policy(family, optional)
            yield _default_drop(family)

    def inbound_policies(self, own: Node, peer: Node) -> Iterator[NewPolicy]:
        """None: the catch-alls do."""
        del own, peer
        yield from ()

    def one_key_for_all(self, key: IpsecKey) -> bool:
        """Never: pairs have keys of their own in any case."""
        del key
        return False


@dataclass(frozen=True, slots=True)
class Legacy:
    """Cilium 1.15."""

    def tunnels(self, own: Node, peer: Node) -> Iterator[Tunnel]:
        """Between CiliumInternalIPs, in tunnel mode as well."""
        for mine, theirs in _both(own, peer):
            yield _between_cilium_ips(mine, theirs)

    def own_policies(self, own: Node) -> Iterator[NewPolicy]:
        """The default-drop, and one that lets the lab forward what was decrypted.

        1.15 makes that one with its first peer, and for IPv4 alone: its eBPF
        programs take IPv6 past the kernel's forwarding, which the lab's can't.
        """
        for family in own.families:
            yield _forward_policy(family, _to_cilium_ip(family, optional=True))
            yield _default_drop(family)

    def inbound_policies(self, own: Node, peer: Node) -> Iterator[NewPolicy]:
        """For pods and for a proxy; those of the latest peer replace the others."""
        for mine, theirs in _both(own, peer):
            source = theirs.cilium_ip
            for mark, template in (
                (_TO_PROXY, _to_cilium_ip(mine, optional=True)),
                (_DECRYPT, XfrmTemplate(source, mine.cilium_ip, 0, _REQID)),
            ):
                yield NewPolicy(
                    _ANY_PREFIX[mine.version],
                    mine.pod_cidr,
                    Direction.IN,
                    mark=Mark(mark, _ACTION_MASK),
                    template=template,
                )

    def one_key_for_all(self, key: IpsecKey) -> bool:
        """What the key line says: ``+`` asks for keys per pair, and for ESN."""
        return not key.per_tunnel


def states(
    shape: Shape, own: Node, peer: Peer, tunnel: Tunnel, key: IpsecKey
) -> tuple[NewState, NewState]:
    """A pair's inbound and outbound state, as seen from a node.

    Args:
        shape: The agent's version.
        own: The node.
        peer: Its peer.
        tunnel: One of the shape's tunnels between them.
        key: The key file's.
    """
    node_id, spi = peer.node_id, key.key_id
    boot_ids = (own.boot_id, peer.node.boot_id)
    plain = shape.one_key_for_all(key)
    inbound, outbound = (
        NewState(
            source=ends.source,
            destination=ends.destination,
            spi=spi,
            algorithm=key.algorithm,
            key=_key(key.key, plain, ends, ids),
            icv_bits=key.icv_bits or 0,
            encryption_algorithm=key.encryption_algorithm,
            encryption_key=_key(key.encryption_key, plain, ends, ids),
            mark=mark,
            output_mark=Mark(mark.action, _OUT_MASK),
            reqid=_REQID,
            esn=not plain,
            replay_window=0 if plain else _WINDOW_PACKETS,
        )
        for ends, ids, mark in (
            (
                tunnel.ends.reversed(),
                boot_ids[::-1],
                Mark(inbound_mark(node_id), _IN_MASK),
            ),
            (tunnel.ends, boot_ids, Mark(outbound_mark(node_id, spi), _OUT_MASK)),
        )
    )
    return inbound, outbound


def outbound_policy(tunnel: Tunnel, peer: Peer, spi: int) -> NewPolicy:
    """The policy that leads to a tunnel's outbound state."""
    return NewPolicy(
        tunnel.source,
        tunnel.destination,
        Direction.OUT,
        mark=Mark(outbound_mark(peer.node_id, spi), _OUT_MASK),
        template=XfrmTemplate(tunnel.ends.source, tunnel.ends.destination, spi, _REQID),
    )


def _key(key: bytes, plain: bool, ends: Ends, boot_ids: tuple[str, ...]) -> bytes:
    if plain:
        return key
    return derive_pair_key(key, ends.source, ends.destination, *boot_ids)


def _both(own: Node, peer: Node) -> Iterator[tuple[Family, Family]]:
    """The families that both have."""
    theirs = {family.version: family for family in peer.families}
    for mine in own.families:
        if mine.version in theirs:
            yield mine, theirs[mine.version]


def _between_cilium_ips(mine: Family, theirs: Family) -> Tunnel:
    return Tunnel(
        Ends(mine.cilium_ip, theirs.cilium_ip),
        _ANY_PREFIX[mine.version],
        theirs.pod_cidr,
    )


def _to_cilium_ip(family: Family, *, optional: bool) -> XfrmTemplate:
    source = _ANY_ADDRESS[family.version]
    return XfrmTemplate(source, family.cilium_ip, 0, _REQID, optional=optional)


def _forward_policy(family: Family, template: XfrmTemplate) -> NewPolicy:
    anywhere = _ANY_PREFIX[family.version]
    return NewPolicy(
        anywhere,
        anywhere,
        Direction.FWD,
        priority=_FORWARD_PRIORITY,
        template=template,
    )


def _default_drop(family: Family) -> NewPolicy:
    """Nothing leaves in plain text while states are replaced."""
    anywhere = _ANY_PREFIX[family.version]
    return NewPolicy(
        anywhere,
        anywhere,
        Direction.OUT,
        action="block",
        priority=_DROP_PRIORITY,
        mark=Mark(_ENCRYPT, _ACTION_MASK),
    )
