"""What a pod answered to the scripts beside this file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.collect import node_files
from runbooks.snapshot import NodeSnapshot
from runbooks.xfrm.brief import BriefError, parse_brief
from runbooks.xfrm.compact import IN, CompactError, CompactStates, parse_compact
from runbooks.xfrm.compact_policies import CompactPolicyError, parse_compact_policies
from runbooks.xfrm.stat import COUNTERS, XfrmStatError, parse_xfrm_stat

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from runbooks.collect.node_files import NodeFiles

    T = TypeVar("T")

BRIEF = "xfrm-brief"
COMPACT = "xfrm-compact"
POLICIES = "xfrm-policies"
_MALFORMED = (CompactError, BriefError, CompactPolicyError, XfrmStatError)


def read_answer(name: str, files: NodeFiles) -> NodeSnapshot:
    """Read what a node's pod answered.

    Args:
        name: Name of the node.
        files: The parts of the answer.

    Returns:
        The node's part of a snapshot, its states in columns.
    """
    unread: list[str] = []

    def parsed(kind: str, what: str, parse: Callable[[str], T]) -> T | None:
        if kind not in files:
            return None
        try:
            return parse(files[kind].text)
        except _MALFORMED as error:
            unread.append(f"{name}: {what} can't be read from {kind}: {error}.")
            return None

    compact = parsed(COMPACT, "its XFRM states", parse_compact)
    policies = parsed(POLICIES, "its XFRM policies", parse_compact_policies)
    cilium_ips, node_ips = node_files.addresses_among(
        files, own_addresses(compact) if compact else ()
    )
    beside = node_files.facts_beside_states(files)
    return NodeSnapshot(
        name=name,
        policies=policies.listed if policies else None,
        led_to=policies.led_to if policies else None,
        counters=parsed(node_files.COUNTERS, "its XFRM error counters", _counters),
        boot_id=beside.boot_id,
        internal_ips=tuple(node_ips),
        cilium_internal_ips=tuple(cilium_ips),
        agent=beside.agent,
        clock_s=beside.clock_s,
        unread=tuple(unread),
        compact=compact,
        brief=parsed(BRIEF, "what its XFRM states sum up to", parse_brief),
    )


def in_objects(node: NodeSnapshot, most: int | None = None) -> NodeSnapshot:
    """Bring a node's states from columns into objects.

    Args:
        node: The node.
        most: How many states there may be; more stay in columns.
    """
    if node.compact is None or (most is not None and len(node.compact) > most):
        return node
    return replace(node, states=node.compact.to_states(), compact=None)


def own_addresses(states: CompactStates) -> frozenset[str]:
    """The addresses at a node's own end of its states."""
    rows = states.rows
    inbound = rows["direction"] == IN
    ends = {*rows["destination"][inbound].tolist(), *rows["source"][~inbound].tolist()}
    return frozenset(states.addresses[end] for end in ends)


def _counters(text: str) -> dict[str, int]:
    """Counters of which only those that aren't 0 were sent."""
    counted = parse_xfrm_stat(text) if text.strip() else {}
    return dict.fromkeys(COUNTERS, 0) | counted
