"""Nodes whose key in the key-value store is about to expire, or is gone.

A node's key lives as long as its agent renews its lease. Once it is gone, the peers
remove their states for the node, and when its agent comes back they make new ones
while the node has kept its own: the pairs are stale. There is time to prevent that.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from runbooks.diagnose.causes import uses_kvstore
from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.node_states import outbound_targets
from runbooks.diagnose.settings import lease_ttl_s
from runbooks.diagnose.settling import SETTLING_S, has_just_joined, now_s

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Set

    from runbooks.diagnose.view import View
    from runbooks.snapshot import StoredNodeFacts

#: An agent renews its lease every third of its time (etcd client/v3/lease.go).
RENEWED_EVERY = 1 / 3
#: So a lease with less than this left was not renewed when it was due.
OVERDUE_BELOW = 1 / 2
#: The least that Cilium takes for kvstore-lease-ttl.
LEAST_TTL_S = 25.0
#: Peers act on a vanished key after this.
DELETION_DELAY_S = 30.0


def kvstore_lease_expiring(view: View) -> Iterable[Finding]:
    """Find nodes that their peers are about to forget."""
    cluster = view.samples.first.cluster
    if uses_kvstore(cluster) is not True:
        return
    cut_off = {
        name: node.agent.store_trouble
        for name, node in view.nodes.items()
        if node.agent.store_trouble
    }
    asked = [name for name in view.read if view.nodes[name].agent.down_since_s is None]
    if len(cut_off) > 1 and cut_off.keys() >= set(asked):
        yield _all_cut_off(cut_off)
        cut_off = {}
    known = {*view.nodes, *cluster.cilium_nodes}
    gone = _without_key(view, known)
    if len(gone) > 1 and 2 * len(gone) > len(known):
        yield _store_lost_keys(sorted(gone), len(known))
        gone = frozenset()
    ttl_s = lease_ttl_s(cluster.config)
    endangered = {
        name: words
        for name in sorted(known)
        if (
            words := _why(
                name,
                cluster.stored_nodes.get(name),
                down_s=_down_s(view, name),
                trouble=cut_off.get(name),
                gone=name in gone,
                ttl_s=ttl_s,
            )
        )
    }
    peers = _peers_by_node(view, endangered.keys()) if endangered else {}
    for name, words in endangered.items():
        # Whom nobody knows any more can't be forgotten.
        if name in peers:
            yield _finding(name, peers[name], ttl_s, *words)


def _peers_by_node(view: View, names: Collection[str]) -> Mapping[str, set[str]]:
    """Of some nodes, those that have outbound states for them."""
    peers: dict[str, set[str]] = defaultdict(set)
    for peer in view.read:
        for target in outbound_targets(view, peer):
            node = view.owner.get(target)
            if node is not None and node in names and node != peer:
                peers[node].add(peer)
    return peers


def _down_s(view: View, name: str) -> float | None:
    """For how long a node's agent has been down."""
    node, read_s = view.nodes.get(name), now_s(view)
    if node is None or node.agent.down_since_s is None or read_s is None:
        return None
    return max(0.0, read_s - node.agent.down_since_s)


def _without_key(view: View, known: Set[str]) -> frozenset[str]:
    """Nodes that have no key in the store, as far as that was read."""
    store = view.samples.first.cluster.store
    if store is None or (store.nodes and store.nodes.keys().isdisjoint(known)):
        return frozenset()  # unread, or another cluster's
    read_s = now_s(view)
    found = set()
    for name in known - store.nodes.keys():
        node = view.nodes.get(name)
        started_s = node.agent.started_s if node else None
        just_started = (
            read_s is not None
            and started_s is not None
            and read_s - started_s < SETTLING_S
        )
        if not just_started and not has_just_joined(view, name):
            found.add(name)
    return frozenset(found)


def _why(
    name: str,
    stored: StoredNodeFacts | None,
    *,
    down_s: float | None,
    trouble: str | None,
    gone: bool,
    ttl_s: float,
) -> tuple[str, dict[str, Any]] | None:
    """What endangers a node's key, and in which numbers that shows."""
    if gone:
        return (
            f"{name} has no key in the key-value store any more; its peers still have"
            f" states for it and remove them {DELETION_DELAY_S:.0f} s after the key"
            " went, unless it comes back before.",
            {"key_in_store": False},
        )
    if stored is not None and stored.lease_left_s is not None and stored.lease_ttl_s:
        if stored.lease_left_s >= OVERDUE_BELOW * stored.lease_ttl_s:
            return None  # somebody renews it, whatever else is said
        return (
            f"The lease of {name} in the key-value store was not renewed when it was"
            f" due and expires in {stored.lease_left_s:,.0f} s.",
            {"lease_left_s": round(stored.lease_left_s)},
        )
    if down_s is not None and down_s >= RENEWED_EVERY * max(ttl_s, LEAST_TTL_S):
        left_s = max(0.0, ttl_s - down_s)
        return (
            f"The agent on {name} has been down for {down_s:,.0f} s. Its key in the"
            f" key-value store expires within {left_s:,.0f} s, at the latest after"
            f" twice the lease's {ttl_s:,.0f} s.",
            {"agent_down_s": round(down_s), "lease_left_at_most_s": round(left_s)},
        )
    if trouble:
        return (
            f"The agent on {name} is cut off from its key-value store and can't renew"
            f" its lease of {ttl_s:,.0f} s: {trouble}.",
            {"store_trouble": trouble},
        )
    return None


def _finding(
    name: str, peers: set[str], ttl_s: float, words: str, evidence: Mapping[str, Any]
) -> Finding:
    return Finding(
        code=Code.KVSTORE_LEASE_EXPIRING,
        severity=Severity.WARNING,
        summary=(
            f"{words} When {name} comes back after that, its pairs with"
            f" {len(peers)} peers are stale."
        ),
        node=name,
        evidence={"lease_ttl_s": ttl_s, "peers_with_states": len(peers), **evidence},
        runbook=str(Code.KVSTORE_LEASE_EXPIRING),
    )


def _all_cut_off(cut_off: Mapping[str, str]) -> Finding:
    name, trouble = min(cut_off.items())
    return Finding(
        code=Code.KVSTORE_LEASE_EXPIRING,
        severity=Severity.WARNING,
        summary=(
            f"No agent reaches the key-value store ({name}: {trouble}). Leases don't"
            " expire while the store itself is down, but every agent has to renew its"
            " own soon after it is back. Don't restart agents, and don't replace the"
            " store by an empty one."
        ),
        evidence={"cut_off": sorted(cut_off), "store_trouble": trouble},
        runbook=str(Code.KVSTORE_LEASE_EXPIRING),
    )


def _store_lost_keys(gone: list[str], nodes: int) -> Finding:
    return Finding(
        code=Code.KVSTORE_RECREATED,
        severity=Severity.WARNING,
        summary=(
            f"The key-value store has no key of {len(gone)} of {nodes} nodes, whose"
            " states are all in place: it was emptied or made anew. Nothing is broken"
            " as long as no agent restarts; one that does forgets these nodes. Wait"
            " until the agents have written their keys again, within five minutes."
        ),
        evidence={"nodes_without_key": gone, "nodes": nodes},
        runbook=str(Code.KVSTORE_RECREATED),
    )
