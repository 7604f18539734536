"""What the rules ask of one node's states, and whose addresses are whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.view import LAST_SPI
from runbooks.xfrm.compact import OUT
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runbooks.diagnose.view import Ends, View
    from runbooks.snapshot import NodeSnapshot
    from runbooks.xfrm.model import XfrmState


def cilium_states(view: View, node: str) -> Iterator[XfrmState]:
    """Cilium's states of one node; of columns, it makes objects of all."""
    return _ciliums(view.nodes.get(node))


def cilium_states_after(view: View, node: str) -> Iterator[XfrmState] | None:
    """The same in the second sample; ``None`` if they were not read then."""
    second = view.samples.second
    snapshot = second.nodes.get(node) if second else None
    if snapshot is None or not snapshot.states_read:
        return None
    return _ciliums(snapshot)


def first_made(view: View, node: str) -> dict[int, int]:
    """Per SPI, when a node made the oldest of its states, on the node's clock."""
    snapshot = view.nodes.get(node)
    made: dict[int, int] = {}
    if snapshot is not None and snapshot.compact is not None:
        rows = snapshot.compact.rows
        for spi in np.flatnonzero(np.bincount(rows["spi"])).tolist():
            made[spi] = int(rows["added_s"][rows["spi"] == spi].min())
        return made
    for state in _ciliums(snapshot):
        added_s = state.added_s or 0
        made[state.spi] = min(added_s, made.get(state.spi, added_s))
    return made


def ends_of(state: XfrmState) -> Ends:
    """Source, destination and SPI of a state."""
    return state.source, state.destination, state.spi


def ends_after(view: View, node: str) -> frozenset[Ends] | None:
    """A node's states in the second sample; ``None`` if they were not read then."""
    states = cilium_states_after(view, node)
    return None if states is None else frozenset(map(ends_of, states))


def outbound_sources(view: View, node: str) -> frozenset[str]:
    """The addresses that a node's outbound states start at."""
    return _outbound_ends(view.nodes.get(node), "source")


def outbound_targets(view: View, node: str) -> frozenset[str]:
    """The addresses that a node's outbound states lead to."""
    return _outbound_ends(view.nodes.get(node), "destination")


def present_addresses(view: View, node: str) -> frozenset[str]:
    """The addresses that a node has now; empty where nothing tells.

    Its own ``cilium_host`` knows first what the CiliumInternalIP is; the CiliumNode
    may lag. For all else the CiliumNode is asked: an interface may carry addresses
    that other nodes have as well.
    """
    facts = view.samples.first.cluster.cilium_nodes.get(node)
    snapshot = view.nodes.get(node)
    of_kernel = snapshot.cilium_internal_ips if snapshot else ()
    of_object = facts.cilium_internal_ips if facts else ()
    if not of_kernel and not of_object:
        return frozenset()
    others = (facts.internal_ips if facts else ()) or (
        snapshot.internal_ips if snapshot else ()
    )
    return frozenset((*others, *(of_kernel or of_object)))


def is_ipv6(address: str) -> bool:
    """Whether an address or prefix is of IPv6."""
    return ":" in address


def _outbound_ends(snapshot: NodeSnapshot | None, end: str) -> frozenset[str]:
    if snapshot is not None and snapshot.compact is not None:
        rows, addresses = snapshot.compact.rows, snapshot.compact.addresses
        found = np.unique(rows[end][rows["direction"] == OUT])
        return frozenset(addresses[number] for number in found.tolist())
    return frozenset(
        getattr(state, end)
        for state in _ciliums(snapshot)
        if state.direction is Direction.OUT
    )


def _ciliums(snapshot: NodeSnapshot | None) -> Iterator[XfrmState]:
    """States that carry Cilium's mark, and a key ID as their SPI."""
    states: Iterable[XfrmState] = ()
    if snapshot is not None:
        compact = snapshot.compact
        states = compact.to_states() if compact is not None else snapshot.states or ()
    return (s for s in states if s.direction is not None and 0 < s.spi <= LAST_SPI)
