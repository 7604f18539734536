"""Whether something that isn't there may be on its way.

Agents make states one peer after another, so for a moment after a node has joined
the cluster, or its agent has started, one end of a pair lacks what the other has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.node_states import first_made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.diagnose.view import View
    from runbooks.xfrm.model import XfrmState

#: From learning of a peer until its states are made, however busy the agent.
SETTLING_S = 60.0
#: An agent makes all states of one peer under one key in one go; times are in
#: whole seconds.
ONE_GO_S = 3.0
#: For how long packets that were on their way fall between old states and new ones.
RENEWAL_S = 10.0


def now_s(view: View) -> float | None:
    """When the first sample was read, on the reader's clock; an archive may not tell.

    A moment of every node's own clock is as good as one of the reader's, to the
    extent that clocks agree.
    """
    moments = [node.read_s for node in view.nodes.values() if node.read_s is not None]
    if not moments:
        moments = [n.clock_s for n in view.nodes.values() if n.clock_s is not None]
    return max(moments, default=None)


def age_s(view: View, node: str, state: XfrmState) -> float | None:
    """Age of a node's state when it was read, by the node's own clock."""
    clock_s = view.nodes[node].clock_s
    if clock_s is None or state.added_s is None:
        return None
    return clock_s - state.added_s


def may_still_come(view: View, node: str, peer: str) -> bool:
    """Whether a node may be about to make a state for a peer.

    Where it has other states for that peer, it made them together with the one
    that is missing. Where it has none, one of both may have just joined.

    Args:
        view: The samples.
        node: Node that lacks a state.
        peer: The other end.
    """
    siblings = [age_s(view, node, state) for state in _for_peer(view, node, peer)]
    if siblings:
        return any(age is not None and age < ONE_GO_S for age in siblings)
    return has_just_joined(view, node) or has_just_joined(view, peer)


def has_just_joined(view: View, node: str) -> bool:
    """Whether a node's oldest state, or its CiliumNode, is less than a minute old."""
    read_s = now_s(view)
    facts = view.samples.first.cluster.cilium_nodes.get(node)
    created_s = facts.created_s if facts else None
    if read_s is not None and created_s is not None and read_s - created_s < SETTLING_S:
        return True
    snapshot = view.nodes.get(node)
    made = first_made(view, node).values()
    if snapshot is None or snapshot.clock_s is None or not made:
        return False
    if snapshot.peers is not None:
        return False  # of its states, only some peers' were read
    return snapshot.clock_s - min(made) < SETTLING_S


def _for_peer(view: View, node: str, peer: str) -> Iterator[XfrmState]:
    for tunnel in view.pairs.get((node, peer), ()):
        if tunnel.outbound is not None:
            yield tunnel.outbound
    for tunnel in view.pairs.get((peer, node), ()):
        if tunnel.inbound is not None:
            yield tunnel.inbound
