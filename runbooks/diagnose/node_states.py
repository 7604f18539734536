"""What the rules ask of one node's states, and whose addresses are whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.view import LAST_SPI
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runbooks.diagnose.view import Ends, View
    from runbooks.xfrm.model import XfrmState


def cilium_states(view: View, node: str) -> Iterator[XfrmState]:
    """Cilium's states of one node."""
    snapshot = view.nodes.get(node)
    return _ciliums(snapshot.states or () if snapshot else ())


def cilium_states_after(view: View, node: str) -> Iterator[XfrmState] | None:
    """The same in the second sample; ``None`` if they were not read then."""
    second = view.samples.second
    snapshot = second.nodes.get(node) if second else None
    if snapshot is None or snapshot.states is None:
        return None
    return _ciliums(snapshot.states)


def ends_of(state: XfrmState) -> Ends:
    """Source, destination and SPI of a state."""
    return state.source, state.destination, state.spi


def ends_after(view: View, node: str) -> frozenset[Ends] | None:
    """A node's states in the second sample; ``None`` if they were not read then."""
    states = cilium_states_after(view, node)
    return None if states is None else frozenset(map(ends_of, states))


def outbound_sources(view: View, node: str) -> frozenset[str]:
    """The addresses that a node's outbound states start at."""
    return frozenset(
        state.source
        for state in cilium_states(view, node)
        if state.direction is Direction.OUT
    )


def outbound_targets(view: View, node: str) -> frozenset[str]:
    """The addresses that a node's outbound states lead to."""
    return frozenset(
        state.destination
        for state in cilium_states(view, node)
        if state.direction is Direction.OUT
    )


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


def _ciliums(states: Iterable[XfrmState]) -> Iterator[XfrmState]:
    """Those that carry Cilium's mark, and a key ID as their SPI."""
    return (s for s in states if s.direction is not None and 0 < s.spi <= LAST_SPI)
