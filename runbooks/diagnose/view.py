"""Two ends of every tunnel, brought together from the nodes' own states.

States are joined on source, destination and SPI. Never on marks: each node
chooses the node IDs in them for itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Direction, XfrmState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first", _index(self.samples.first))
        second = self.samples.second
        object.__setattr__(self, "_second", _index(second) if second else {})

    @property
    def nodes(self) -> Mapping[str, NodeSnapshot]:
        """The nodes of the first sample, by name."""
        return self.samples.first.nodes

    @cached_property
    def read(self) -> frozenset[str]:
        """Names of the nodes whose states were read."""
        return frozenset(self._first)

    @cached_property
    def owner(self) -> Mapping[str, str]:
        """Node by address.

        The CiliumNodes come first. An address that none of them has belongs to
        the node whose own states start or end there, unless two nodes say so.
        """
        claims: dict[str, set[str]] = defaultdict(set)
        for name, states in self._first.items():
            for source, _, _ in states.outbound:
                claims[source].add(name)
            for _, destination, _ in states.inbound:
                claims[destination].add(name)
        owner = {ip: min(names) for ip, names in claims.items() if len(names) == 1}
        for node in self.nodes.values():
            for ip in (*node.internal_ips, *node.cilium_internal_ips):
                owner[ip] = node.name
        for facts in self.samples.first.cluster.cilium_nodes.values():
            for ip in (*facts.internal_ips, *facts.cilium_internal_ips):
                owner[ip] = facts.name
        return owner

    @cached_property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """Every tunnel between two nodes of this cluster, either end read."""
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
        """The tunnels of each ordered pair of nodes."""
        grouped: dict[tuple[str, str], list[Tunnel]] = defaultdict(list)
        for tunnel in self.tunnels:
            grouped[tunnel.source, tunnel.destination].append(tunnel)
        return {pair: tuple(tunnels) for pair, tunnels in grouped.items()}

    @cached_property
    def spis(self) -> frozenset[int]:
        """SPIs of the tunnels inside this cluster."""
        summed = (node.brief.spis for node in self.nodes.values() if node.brief)
        return frozenset(tunnel.spi for tunnel in self.tunnels).union(*summed)

    def strays(self) -> Iterator[tuple[str, XfrmState]]:
        """States of Cilium that lead to or from no node that is known."""
        for name, states in self._first.items():
            for (_, destination, _), state in states.outbound.items():
                if destination not in self.owner:
                    yield name, state
            for (source, _, _), state in states.inbound.items():
                if source not in self.owner and source not in ANY_SOURCE:
                    yield name, state

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


def _index(snapshot: Snapshot) -> dict[str, _NodeStates]:
    return {
        node.name: _NodeStates(
            inbound=_by_ends(node.states, Direction.IN),
            outbound=_by_ends(node.states, Direction.OUT),
        )
        for node in snapshot.nodes.values()
        if node.states is not None
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
