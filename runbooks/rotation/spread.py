"""Waiting for the nodes: until all have the new key, until none has the old."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from runbooks.rotation.coverage import laggards, leftovers
from runbooks.rotation.drops import StateErrors, highest, state_errors
from runbooks.rotation.errors import WaitLimitError
from runbooks.rotation.sending import not_sending
from runbooks.rotation.waiting import Look, Pace, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.rotation.session import Watch
    from runbooks.snapshot import Snapshot

#: Agents look once a minute for states whose time is up.
RECLAIM_TIMER_S = 60.0
#: Seen on real agents: 148 s where 90 s plus the timer were due.
RECLAIM_MARGIN_S = 60.0
#: kubelet brings a Secret to its nodes within about a minute.
PROPAGATE_AT_LEAST_S = 180.0


def propagate(
    watch: Watch, key_id: int, limit_s: float, interval_s: float
) -> dict[str, Any]:
    """Wait until every node has every pair under a key ID, and sends with it.

    Args:
        watch: The run.
        key_id: The new key ID.
        limit_s: How long to wait, in seconds.
        interval_s: Time between two looks, in seconds.

    Returns:
        When each node was done, and at the limit what was missing.

    Raises:
        RotationError: If a Secret no longer holds that key.
    """

    def judge(snapshot: Snapshot) -> dict[str, str]:
        # Read every time: a rotation makes a lost CiliumNode again.
        around = watch.place.neighbourhoods(snapshot)
        states = {n.name: n.states or () for n in snapshot.nodes.values()}
        nameless = set(snapshot.nodes).difference(*(n.members for n in around))
        lagging = {node: f"{node} (which has no CiliumNode)" for node in nameless}
        for near in around:
            lagging |= laggards(states, near.addresses, key_id, near.members)
        if lagging:
            return lagging
        # Policies are as long as the states: read once, when the rest is there.
        later = watch.reader.states(policies=True)
        for near in around:
            lagging |= not_sending(
                snapshot, later, near.addresses, key_id, near.members
            )
        return lagging

    result = _until_all_nodes(
        watch,
        key_id,
        judge,
        Pace(limit_s, interval_s),
        what=f"every node to have every pair under SPI {key_id} and to send with it",
    )
    if result["failed"]:
        result["msg"] += (
            " The nodes that lag take up the key by themselves once their agents see"
            " the changed file. Until then they lose packets as soon as the others"
            " drop the old SPI. Look at the lagging agents' logs, restart an agent"
            " that doesn't move, and run the playbook again: it goes on from here"
            " with the same key."
        )
    return result


def reclaim(
    watch: Watch, key_id: int, limit_s: float, interval_s: float
) -> dict[str, Any]:
    """Wait until no node has a state under another SPI than a key ID.

    Args, result and errors are those of :func:`propagate`.
    """

    def judge(snapshot: Snapshot) -> dict[str, str]:
        states = {n.name: n.states or () for n in snapshot.nodes.values()}
        return leftovers(states, key_id)

    result = _until_all_nodes(
        watch,
        key_id,
        judge,
        Pace(limit_s, interval_s),
        what="the old SPI to be gone from every node",
    )
    if result["failed"]:
        result["msg"] += (
            " Traffic uses the new key already. An agent that restarted meanwhile"
            " counts the rotation duration anew: run the playbook again after that"
            " time, it goes on from here with the same key."
        )
    return result


def propagate_limit_s(rotation_duration_s: float) -> float:
    """How long nodes may take: the old SPI has gone from the first by then."""
    return max(PROPAGATE_AT_LEAST_S, rotation_duration_s)


def reclaim_limit_s(rotation_duration_s: float) -> float:
    """How long the old SPI may stay after the last node has the new one."""
    return rotation_duration_s + RECLAIM_TIMER_S + RECLAIM_MARGIN_S


def unread_nodes(snapshot: Snapshot) -> dict[str, str]:
    """Nodes whose XFRM states were not read, with a sentence each."""
    return {
        node.name: " ".join(node.unread) or "its XFRM states are missing"
        for node in snapshot.nodes.values()
        if node.states is None
    }


def _until_all_nodes(
    watch: Watch,
    key_id: int,
    judge: Callable[[Snapshot], dict[str, str]],
    pace: Pace,
    what: str,
) -> dict[str, Any]:
    """Wait until the judge names no node, noting when each was done."""
    start = pace.clock()
    done_at: dict[str, str] = {}
    done_after_s: dict[str, float] = {}
    errors: StateErrors = {}

    def look() -> Look[None]:
        watch.place.require_key(key_id)
        snapshot = watch.reader.states()
        errors.update(highest(errors, state_errors(snapshot)))
        unread = unread_nodes(snapshot)
        pending = judge(snapshot) | {
            node: f"{node} (which could not be read: {why})"
            for node, why in unread.items()
        }
        for node in snapshot.nodes:
            if node in pending:
                done_at.pop(node, None)
                done_after_s.pop(node, None)
            elif node not in done_at:
                done_at[node] = _now()
                done_after_s[node] = round(pace.clock() - start, 1)
        return Look(None, tuple(pending[node] for node in sorted(pending)))

    result: dict[str, Any] = {"failed": False, "pending": []}
    try:
        wait_until(look, pace, what=what, tell=watch.tell, between=watch.between)
    except WaitLimitError as error:
        result = {"failed": True, "pending": list(error.pending), "msg": str(error)}
    return {
        **result,
        "elapsed_s": round(pace.clock() - start, 1),
        "nodes_done_at": done_at,
        "nodes_done_after_s": done_after_s,
        "state_errors": errors,
    }


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
