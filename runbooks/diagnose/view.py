"""Two ends of every tunnel, brought together from the nodes' own states.

States are joined on source, destination and SPI. Never on marks: each node
chooses the node IDs in them for itself.

Where states came in columns (:mod:`runbooks.xfrm.compact`), only those become objects
that a rule may find something in (:mod:`runbooks.diagnose.doubts`); sums over all of
them are the same either way.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from runbooks.xfrm.model import Direction, XfrmState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbooks.diagnose.sifting import Sifted
    from runbooks.snapshot import NodeSnapshot, Samples, Snapshot

#: Source, destination and SPI: what both ends agree on.
Ends = tuple[str, str, int]

#: Key IDs go up to 15; another SPI under Cilium's mark is not Cilium's.
LAST_SPI = 15
#: Older versions keep one inbound state for all peers.
ANY_SOURCE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - an address in a state


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One direction between two addresses under one SPI.

    Attributes:
        source: Node that sends.
        destination: Node that receives.
        ends: Source address, destination address, SPI.
        outbound: The sender's state in the first sample.
        inbound: The receiver's state in the first sample.
        outbound_after: The sender's state in the second sample.
        inbound_after: The receiver's state in the second sample.
    """

    source: str
    destination: str
    ends: Ends
    outbound: XfrmState | None = None
    inbound: XfrmState | None = None
    outbound_after: XfrmState | None = None
    inbound_after: XfrmState | None = None

    @property
    def spi(self) -> int:
        """The SPI of both states."""
        return self.ends[2]


class Stray(NamedTuple):
    """A peer that a node has states for, and that is no node that is known.

    Attributes:
        node: The node.
        address: The peer's address.
        spi: SPI of the states.
        node_id: The node ID that the node gave the peer.
    """

    node: str
    address: str
    spi: int
    node_id: int


@dataclass(frozen=True, slots=True)
class _NodeStates:
    """One node's states of Cilium, by what both ends agree on."""

    inbound: Mapping[Ends, XfrmState]
    outbound: Mapping[Ends, XfrmState]


@dataclass(frozen=True)
class View:
    """Samples of a cluster, indexed for the rules.

    Attributes:
        samples: What was read.
    """

    samples: Samples
    _first: dict[str, _NodeStates] = field(init=False, repr=False, compare=False)
    _second: dict[str, _NodeStates] = field(init=False, repr=False, compare=False)
    _sifted: Sifted | None = field(init=False, repr=False, compare=False)
    _latest_s: dict[str, int | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        sifted = None
        if _in_columns(self.samples):
            from runbooks.diagnose.sifting import sift

            sifted = sift(self.samples, self.clock_offset_s)
        second = self.samples.second
        first = sifted.first if sifted else _states(self.samples.first)
        after = sifted.second if sifted else _states(second) if second else {}
        object.__setattr__(self, "_sifted", sifted)
        object.__setattr__(self, "_first", _index(first))
        object.__setattr__(self, "_second", _index(after))

    @property
    def nodes(self) -> Mapping[str, NodeSnapshot]:
        """The nodes of the first sample, by name."""
        return self.samples.first.nodes

    @cached_property
    def read(self) -> frozenset[str]:
        """Names of the nodes whose states were read."""
        return frozenset(self._first)

    @cached_property
    def reread(self) -> frozenset[str]:
        """Names of the nodes whose states are in the second sample."""
        return frozenset(self._second)

    @cached_property
    def owner(self) -> Mapping[str, str]:
        """Node by address.

        The CiliumNodes come first. An address that none of them has belongs to
        the node whose own states start or end there, unless two nodes say so.
        """
        if self._sifted:
            return self._sifted.owner
        claims: dict[str, set[str]] = defaultdict(set)
        for name, states in self._first.items():
            for source, _, _ in states.outbound:
                claims[source].add(name)
            for _, destination, _ in states.inbound:
                claims[destination].add(name)
        alone = {ip: min(names) for ip, names in claims.items() if len(names) == 1}
        return owner_by_address(self.samples, alone)

    @cached_property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """Every tunnel between two nodes of this cluster, either end read.

        Of states in columns, those of the pairs that are in doubt.
        """
        found: set[tuple[str, str, Ends]] = set()
        indexed = (*self._first.items(), *self._second.items())
        for name, states in indexed:
            for ends in states.outbound:
                peer = self.owner.get(ends[1])
                if peer is not None and peer != name:
                    found.add((name, peer, ends))
            for ends in states.inbound:
                peer = self.owner.get(ends[0])
                if peer is not None and peer != name:
                    found.add((peer, name, ends))
        return tuple(self._tunnel(*key) for key in sorted(found))

    @cached_property
    def pairs(self) -> Mapping[tuple[str, str], tuple[Tunnel, ...]]:
        """The tunnels of each ordered pair of nodes.

        Of states in columns, all tunnels of the pairs that are in doubt, and of their
        reverse; other pairs are not there.
        """
        grouped: dict[tuple[str, str], list[Tunnel]] = defaultdict(list)
        for tunnel in self.tunnels:
            grouped[tunnel.source, tunnel.destination].append(tunnel)
        return {pair: tuple(tunnels) for pair, tunnels in grouped.items()}

    @cached_property
    def expected_pairs(self) -> tuple[tuple[str, str], ...]:
        """Ordered pairs of nodes that were read, in order.

        Of states in columns, those that are in doubt or have no outbound state.
        """
        if self._sifted:
            return self._sifted.pairs
        return tuple(permutations(sorted(self.read), 2))

    @cached_property
    def spis(self) -> frozenset[int]:
        """SPIs of the tunnels inside this cluster."""
        if self._sifted:
            found = self._sifted.spis
        else:
            found = frozenset(tunnel.spi for tunnel in self.tunnels)
        summed = (node.brief.spis for node in self.nodes.values() if node.brief)
        return found.union(*summed)

    @cached_property
    def senders(self) -> Mapping[int, frozenset[str]]:
        """By SPI, the nodes that have an outbound state of a tunnel under it.

        Nodes of which only sums were read count for every SPI that they hold.
        """
        found: dict[int, set[str]] = {spi: set() for spi in sorted(self.spis)}
        for tunnel in self.tunnels:
            if tunnel.outbound:
                found[tunnel.spi].add(tunnel.source)
        for node in self.nodes.values():
            for spi in node.brief.spis if node.brief else ():
                found[spi].add(node.name)
        rest = self._sifted.senders if self._sifted else {}
        return {s: frozenset(found[s]) | rest.get(s, frozenset()) for s in found}

    @cached_property
    def strays(self) -> tuple[Stray, ...]:
        """Peers of states of Cilium that are no node that is known."""
        if self._sifted:
            return self._sifted.strays
        return tuple(
            dict.fromkeys(
                Stray(name, peer, state.spi, state.mark.node_id if state.mark else 0)
                for name, states in self._first.items()
                for way, peer_at in ((states.outbound, 1), (states.inbound, 0))
                for ends, state in way.items()
                if (peer := str(ends[peer_at])) not in self.owner
                and (peer_at or peer not in ANY_SOURCE)
            )
        )

    def sending_spis(self, source: str, destination: str) -> frozenset[int]:
        """SPIs that a node encrypts with towards another.

        Told by what moved between two samples; where nothing did, it is the
        SPI of the newest states, since an agent switches to the key it loaded
        last.
        """
        tunnels = [t for t in self.pairs.get((source, destination), ()) if t.outbound]
        moved = frozenset(
            t.spi
            for t in tunnels
            if t.outbound
            and t.outbound_after
            and t.outbound_after.oseq > t.outbound.oseq
        )
        newest = max(
            (t.outbound for t in tunnels if t.outbound),
            key=lambda state: (state.added_s or 0, state.spi),
            default=None,
        )
        return moved | ({newest.spi} if newest else frozenset())

    def clock_offset_s(self, node: str) -> float | None:
        """How far a node's clock is ahead of the reader's, if both are known.

        A node looks at its clock a moment after the reader did; the shorter that
        moment, the better, so the smaller of two measurements counts.
        """
        snapshots = [self.nodes.get(node)]
        if self.samples.second is not None:
            snapshots.append(self.samples.second.nodes.get(node))
        return min(
            (
                snapshot.clock_s - snapshot.read_s
                for snapshot in snapshots
                if snapshot is not None
                and snapshot.clock_s is not None
                and snapshot.read_s is not None
            ),
            default=None,
        )

    def latest_s(self, node: str) -> int | None:
        """The latest time that any state of a node tells, on the node's clock."""
        if node not in self._latest_s:
            self._latest_s[node] = _latest_s(self.nodes[node])
        return self._latest_s[node]

    def added_s(self, node: str, state: XfrmState) -> float | None:
        """When a state was added, on the reader's clock as far as it is known."""
        return self.on_readers_clock(node, state.added_s)

    def on_readers_clock(self, node: str, moment_s: float | None) -> float | None:
        """A moment on a node's clock, on the reader's as far as it is known."""
        if moment_s is None:
            return None
        return moment_s - (self.clock_offset_s(node) or 0.0)

    def accepts_any_source(self, tunnel: Tunnel) -> bool:
        """Whether the receiver has one inbound state for all its peers."""
        states = self._first.get(tunnel.destination)
        _, destination, spi = tunnel.ends
        return states is not None and any(
            (source, destination, spi) in states.inbound for source in ANY_SOURCE
        )

    def _tunnel(self, source: str, destination: str, ends: Ends) -> Tunnel:
        sender, receiver = self._first.get(source), self._first.get(destination)
        sender_after = self._second.get(source)
        receiver_after = self._second.get(destination)
        return Tunnel(
            source=source,
            destination=destination,
            ends=ends,
            outbound=sender.outbound.get(ends) if sender else None,
            inbound=receiver.inbound.get(ends) if receiver else None,
            outbound_after=sender_after.outbound.get(ends) if sender_after else None,
            inbound_after=receiver_after.inbound.get(ends) if receiver_after else None,
        )


def owner_by_address(samples: Samples, claims: Mapping[str, str]) -> dict[str, str]:
    """Tell which node has which address.

    Args:
        samples: What was read.
        claims: Node by address, as the nodes' states have it.

    Returns:
        Node by address; what a CiliumNode says counts most.
    """
    owner = dict(claims)
    for node in samples.first.nodes.values():
        for ip in (*node.internal_ips, *node.cilium_internal_ips):
            owner[ip] = node.name
    for facts in samples.first.cluster.cilium_nodes.values():
        for ip in (*facts.internal_ips, *facts.cilium_internal_ips):
            owner[ip] = facts.name
    return owner


def _latest_s(node: NodeSnapshot) -> int | None:
    if node.compact is not None:
        rows = node.compact.rows
        columns = (rows["added_s"], rows["used_s"])
        return max((int(c.max()) for c in columns if len(c)), default=0) or None
    times = (t for s in node.states or () for t in (s.added_s, s.used_s))
    return max((t for t in times if t is not None), default=None)


def _in_columns(samples: Samples) -> bool:
    return any(
        node.compact is not None
        for snapshot in (samples.first, samples.second)
        if snapshot is not None
        for node in snapshot.nodes.values()
    )


def _states(snapshot: Snapshot) -> dict[str, tuple[XfrmState, ...]]:
    return {
        node.name: node.states
        for node in snapshot.nodes.values()
        if node.states is not None
    }


def _index(
    states: Mapping[str, tuple[XfrmState, ...]],
) -> dict[str, _NodeStates]:
    return {
        name: _NodeStates(
            inbound=_by_ends(of_node, Direction.IN),
            outbound=_by_ends(of_node, Direction.OUT),
        )
        for name, of_node in states.items()
    }


def _by_ends(
    states: Iterable[XfrmState], direction: Direction
) -> Mapping[Ends, XfrmState]:
    """Index the states of one direction.

    Left-overs may share addresses and SPI under another mark. Nothing here
    tells which one packets take, so the one that is least suspicious counts:
    an outbound state that sent most, an inbound one that expects least.
    """
    found: dict[Ends, XfrmState] = {}
    for state in states:
        if state.direction is not direction or not 0 < state.spi <= LAST_SPI:
            continue
        ends = (state.source, state.destination, state.spi)
        other = found.get(ends)
        if other is None or (state.oseq, -state.seq) > (other.oseq, -other.seq):
            found[ends] = state
    return found
