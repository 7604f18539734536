"""What led to a stale pair, as far as the cluster's objects tell.

The receiver kept its states and the sender made new ones; the causes differ in
what made the sender forget the receiver:

========================  =====================================================
``kvstore-lease-expired``  The receiver's agent was away, its key in the store
                           vanished, and the running sender saw it come back.
``kvstore-recreated``      The sender's own agent restarted and missed the
                           receiver in a store that had lost its keys.
``ciliumnode-recreated``   The receiver's CiliumNode was deleted and made again
                           under the running sender.
========================  =====================================================

Each needs positive evidence, and none that speaks for another; otherwise the
answer is that it can't be told.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code
from runbooks.diagnose.settings import lease_ttl_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbooks.diagnose.staleness import Staleness
    from runbooks.diagnose.view import View
    from runbooks.snapshot import AgentFacts, ClusterFacts

#: An agent renews its lease every third of its time: what is left of it, at least,
#: when the agent ends (etcd client/v3/lease.go).
LEASE_LEFT = 2 / 3
#: From the start of an agent until its peers, or itself, made the states. A lost
#: node key is written again within the five minutes of a periodic job.
START_TO_STATES_S = 420.0
#: From a CiliumNode until its peers made the states.
OBJECT_TO_STATES_S = 30.0
#: The operator writes the time into the store about once a minute.
HEARTBEAT_S = 90.0
#: Timestamps in whole seconds, on clocks of several machines.
CLOCK_TOLERANCE_S = 3.0


def cause_of(view: View, staleness: Staleness) -> Code | None:
    """Tell what made the sender of a stale tunnel start anew.

    Args:
        view: The samples that the tunnel is from.
        staleness: The stale tunnel.

    Returns:
        The code of the cause, or ``None`` if it can't be told.
    """
    cluster = view.samples.first.cluster
    made_s = view.added_s(staleness.tunnel.source, staleness.outbound)
    kept_s = view.added_s(staleness.tunnel.destination, staleness.inbound)
    if made_s is None or kept_s is None:
        return None
    match uses_kvstore(cluster):
        case True:
            return _kvstore_cause(view, staleness, made_s, kept_s)
        case False:
            return _crd_cause(cluster, staleness, made_s, kept_s)
        case None:
            return None


def causes_of(view: View, stale: Sequence[Staleness]) -> list[Code | None]:
    """Tell the cause of each stale tunnel, those of one receiver together.

    What happened to a receiver happened to it for all of its peers at once. So a
    pair that does not tell by itself, since its sender's agent was restarted as
    well, takes the cause of the pairs whose states were made in the same moment,
    if those agree.

    Args:
        view: The samples that the tunnels are from.
        stale: The stale tunnels, one for each pair.

    Returns:
        A cause or ``None`` for each, in the same order.
    """
    own = [cause_of(view, staleness) for staleness in stale]
    told = _told_by_receiver(view, stale, own)
    causes: list[Code | None] = []
    for staleness, cause in zip(stale, own, strict=True):
        made_s = view.added_s(staleness.tunnel.source, staleness.outbound)
        moments = told[staleness.tunnel.destination]
        if cause or made_s is None:
            causes.append(cause)
            continue
        begin = bisect_left(moments, made_s - OBJECT_TO_STATES_S, key=itemgetter(0))
        end = bisect_right(moments, made_s + OBJECT_TO_STATES_S, key=itemgetter(0))
        together = {code for _, code in moments[begin:end]}
        causes.append(together.pop() if len(together) == 1 else None)
    return causes


def _told_by_receiver(
    view: View, stale: Sequence[Staleness], causes: Sequence[Code | None]
) -> Mapping[str, Sequence[tuple[float, Code]]]:
    """When the states were made of which the cause is known, by receiver, in order."""
    told: dict[str, list[tuple[float, Code]]] = defaultdict(list)
    for staleness, cause in zip(stale, causes, strict=True):
        made_s = view.added_s(staleness.tunnel.source, staleness.outbound)
        if cause and made_s is not None:
            told[staleness.tunnel.destination].append((made_s, cause))
    for moments in told.values():
        moments.sort()
    return told


def uses_kvstore(cluster: ClusterFacts) -> bool | None:
    """Whether agents learn of nodes from a key-value store; ``None`` if unknown."""
    if cluster.stored_nodes:
        return True
    mode = cluster.config.get("identity-allocation-mode")
    if mode is None:
        return None
    return mode == "kvstore"


def _crd_cause(
    cluster: ClusterFacts, staleness: Staleness, made_s: float, kept_s: float
) -> Code | None:
    node = cluster.cilium_nodes.get(staleness.tunnel.destination)
    if node is None or node.created_s is None:
        return None
    younger_than_its_kernel = node.created_s > kept_s + CLOCK_TOLERANCE_S
    as_young_as_states = (
        -CLOCK_TOLERANCE_S <= made_s - node.created_s <= OBJECT_TO_STATES_S
    )
    if younger_than_its_kernel and as_young_as_states:
        return Code.CILIUMNODE_RECREATED
    return None


def _kvstore_cause(
    view: View, staleness: Staleness, made_s: float, kept_s: float
) -> Code | None:
    source, destination = staleness.tunnel.source, staleness.tunnel.destination
    by_ages = _cause_by_ages(view, staleness, made_s, kept_s)
    if by_ages is not None:
        return by_ages
    revisions = _cause_by_revisions(view, staleness, kept_s)
    sender_s = view.on_readers_clock(source, view.nodes[source].agent.started_s)
    if sender_s is None:
        return revisions
    receiver = view.nodes[destination].agent
    receiver_s = view.on_readers_clock(destination, receiver.started_s)
    sender_restarted = _between(kept_s, sender_s, made_s)
    sender_ran_on = sender_s <= kept_s + CLOCK_TOLERANCE_S or (
        sender_s < made_s - START_TO_STATES_S
    )
    returned = receiver_s is not None and _between(kept_s, receiver_s, made_s)
    away_s = _away_s(receiver)
    shortest_s = LEASE_LEFT * lease_ttl_s(view.samples.first.cluster.config)
    lease_ran_out = away_s is None or away_s >= shortest_s
    # Only a vanished key makes an agent that runs on forget a node.
    if sender_ran_on and returned and lease_ran_out:
        return Code.KVSTORE_LEASE_EXPIRED
    if sender_restarted and (not returned or not lease_ran_out):
        contradicted = revisions is Code.KVSTORE_LEASE_EXPIRED
        return None if contradicted else Code.KVSTORE_RECREATED
    return revisions if away_s is None else None


def _cause_by_ages(
    view: View, staleness: Staleness, made_s: float, kept_s: float
) -> Code | None:
    """Judge by when etcd's history says that the nodes' keys were made.

    The receiver's key came after the states that it kept, and shortly before its
    peers' new ones. If another key is older than those states, the store is the same
    as ever and one lease ran out; if none is, the store itself began anew.
    """
    stored = view.samples.first.cluster.stored_nodes
    receiver = stored.get(staleness.tunnel.destination)
    others = [node for node in stored.values() if node is not receiver]
    if receiver is None or receiver.created_s is None or not others:
        return None
    # A key is at most one heartbeat younger than the time that is told for it.
    came_s = made_s - receiver.created_s
    in_between = (
        receiver.created_s > kept_s + CLOCK_TOLERANCE_S
        and -CLOCK_TOLERANCE_S <= came_s <= START_TO_STATES_S + HEARTBEAT_S
    )
    if not in_between:
        return None
    ages = [node.created_s for node in others]
    if any(age is not None and age + HEARTBEAT_S <= kept_s for age in ages):
        return Code.KVSTORE_LEASE_EXPIRED
    if all(age is not None and age > kept_s + CLOCK_TOLERANCE_S for age in ages):
        return Code.KVSTORE_RECREATED
    return None


def _cause_by_revisions(view: View, staleness: Staleness, kept_s: float) -> Code | None:
    """Judge by etcd's revisions: whose keys are younger than the others'.

    In a store that began anew, some key is the youngest as well. So no other agent
    may have restarted since.
    """
    name = staleness.tunnel.destination
    stored = view.samples.first.cluster.stored_nodes
    receiver = stored.get(name)
    others = [
        node.create_revision
        for node in stored.values()
        if node is not receiver and node.create_revision is not None
    ]
    if receiver is None or receiver.create_revision is None or len(others) < 2:
        return None
    starts = (
        view.on_readers_clock(node.name, node.agent.started_s)
        for node in view.nodes.values()
        if node.name != name
    )
    if any(s is not None and s > kept_s + CLOCK_TOLERANCE_S for s in starts):
        return None
    if receiver.create_revision > max(others):
        return Code.KVSTORE_LEASE_EXPIRED
    return None


def why_unknown(view: View, staleness: Staleness) -> str:
    """Say what would tell the cause of a stale pair for which it isn't known."""
    cluster = view.samples.first.cluster
    source, destination = staleness.tunnel.source, staleness.tunnel.destination
    match uses_kvstore(cluster):
        case None:
            return "ConfigMap cilium-config was not read, which says the mode"
        case False if destination not in cluster.cilium_nodes:
            return f"the CiliumNode of {destination} was not read"
        case False:
            return f"the CiliumNode of {destination} is not as young as the states"
        case True:
            pass
    unknown = [
        node
        for node in (source, destination)
        if view.nodes[node].agent.started_s is None
    ]
    if unknown:
        return f"when the agent on {' and '.join(unknown)} started was not read"
    if all(node.create_revision is None for node in cluster.stored_nodes.values()):
        return (
            "the agents' starts don't tell; etcd itself may, if asked with"
            " --etcd-endpoint"
        )
    return "neither the agents' starts nor etcd's revisions tell"


def _between(kept_s: float, started_s: float, made_s: float) -> bool:
    """Whether an agent started after the kept states and just before the new."""
    return (
        started_s > kept_s + CLOCK_TOLERANCE_S
        and -CLOCK_TOLERANCE_S <= made_s - started_s <= START_TO_STATES_S
    )


def _away_s(agent: AgentFacts) -> float | None:
    if agent.started_s is None or agent.previous_finished_s is None:
        return None
    return agent.started_s - agent.previous_finished_s
