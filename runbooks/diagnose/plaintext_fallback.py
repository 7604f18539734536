"""Nodes from which packets may leave unencrypted, and policies that are missing.

What is to be encrypted carries a mark. An outbound policy per peer leads it to a
state; a policy with the lowest priority blocks whatever has the mark and no policy of
its own. So a missing policy costs packets where that block is in place, and sends them
out in plain text where it isn't.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.node_states import (
    cilium_states,
    ends_after,
    ends_of,
    is_ipv6,
    outbound_targets,
    present_addresses,
)
from runbooks.diagnose.settling import ONE_GO_S, age_s
from runbooks.diagnose.view import ANY_SOURCE
from runbooks.xfrm.model import MARK_ACTION_ENCRYPT, MARK_ACTION_MASK, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View
    from runbooks.snapshot import NodeSnapshot
    from runbooks.xfrm.model import XfrmPolicy, XfrmState

#: Agents before this didn't make the block (cilium/cilium #24773).
FIRST_WITH_BLOCK = (1, 14)


def plaintext_fallback(view: View) -> Iterable[Finding]:
    """Find nodes without the block, and pairs without an outbound policy.

    Only where the policies were read: they are left out of quick reads.
    """
    for node in view.nodes.values():
        if node.policies is None or node.name not in view.read:
            continue
        targets = outbound_targets(view, node.name)
        if not targets:
            continue
        families = {is_ipv6(target) for target in targets}
        open_families = {f for f in families if not _blocks(node.policies, ipv6=f)}
        without = _without_policy(view, node)
        exposed = {
            peer: states
            for peer, states in without.items()
            if any(is_ipv6(s.destination) in open_families for s in states)
        }
        if open_families:
            yield _open(node, open_families, exposed)
        for peer, states in sorted(without.items()):
            if peer not in exposed:
                yield _no_policy(node.name, peer, states)


def _blocks(policies: Iterable[XfrmPolicy], *, ipv6: bool) -> bool:
    """Whether one of the policies stops what is marked for encryption."""
    return any(
        policy.direction is Direction.OUT
        and policy.action == "block"
        and policy.mark is not None
        and policy.mark.mask == MARK_ACTION_MASK
        and policy.mark.action == MARK_ACTION_ENCRYPT
        and is_ipv6(policy.destination) is ipv6
        and policy.source.endswith("/0")
        and policy.destination.endswith("/0")
        for policy in policies
    )


def _without_policy(view: View, node: NodeSnapshot) -> dict[str, list[XfrmState]]:
    """The peers that a node has states for, and no policy that leads to them."""
    led_to = (node.led_to or set()) | {
        template.destination
        for policy in node.policies or ()
        if policy.direction is Direction.OUT and policy.action == "allow"
        for template in policy.templates
    }
    found: dict[str, list[XfrmState]] = defaultdict(list)
    if led_to & ANY_SOURCE or outbound_targets(view, node.name) <= led_to:
        return found
    still = ends_after(view, node.name)
    for state in cilium_states(view, node.name):
        peer = view.owner.get(state.destination)
        if (
            state.direction is not Direction.OUT
            or state.destination in led_to
            or peer is None
            or peer == node.name
            # What leads to an address that the peer no longer has is a left-over.
            or state.destination not in (present_addresses(view, peer) or view.owner)
        ):
            continue
        age = age_s(view, node.name, state)
        settled = age is None or age >= ONE_GO_S
        if settled and (still is None or ends_of(state) in still):
            found[peer].append(state)
    return found


def _open(
    node: NodeSnapshot, families: set[bool], exposed: dict[str, list[XfrmState]]
) -> Finding:
    named = ["IPv6" if ipv6 else "IPv4" for ipv6 in sorted(families)]
    names = " and ".join(named)
    too_old = _version(node) < FIRST_WITH_BLOCK
    severity = Severity.INFO if too_old else Severity.WARNING
    if exposed:
        severity = Severity.CRITICAL
        peers = ", ".join(sorted(exposed)[:3]) + (", ..." if len(exposed) > 3 else "")
        words = (
            f"{node.name} sends {names} packets unencrypted: it has no policy that"
            f" encrypts for {peers}, and none that blocks plain text."
        )
    else:
        words = (
            f"{node.name} has no policy that blocks {names} packets which are to be"
            " encrypted: whenever an encrypting policy is missing or being replaced,"
            " they leave in plain text."
        )
    again = " Restart its agent, which makes the policy when it starts."
    return Finding(
        code=Code.PLAINTEXT_FALLBACK,
        severity=severity,
        summary=words + ("" if too_old and not exposed else again),
        node=node.name,
        evidence={
            "block_missing_for": named,
            "peers_without_policy": sorted(exposed),
            "agent_version": node.agent.version,
        },
        runbook=str(Code.PLAINTEXT_FALLBACK),
        audit=severity is Severity.INFO,
    )


def _version(node: NodeSnapshot) -> tuple[int, ...]:
    """The agent's version; that of today where it is unknown."""
    numbers = (node.agent.version or "").removeprefix("v").split(".")[:2]
    if len(numbers) < 2 or not all(number.isdigit() for number in numbers):
        return FIRST_WITH_BLOCK
    return tuple(map(int, numbers))


def _no_policy(source: str, destination: str, states: list[XfrmState]) -> Finding:
    return Finding(
        code=Code.MISSING_XFRM_STATE,
        severity=Severity.CRITICAL,
        summary=(
            f"{source} has an outbound XFRM state for {destination} and no policy that"
            " leads packets to it: what it should encrypt for that node is blocked."
            f" Look at the log of the agent on {source}, and restart it."
        ),
        source=source,
        destination=destination,
        spi=states[0].spi,
        evidence={
            "missing": "policy",
            "missing_on": source,
            "direction": "out",
            "address_pairs": [
                {"source": s.source, "destination": s.destination} for s in states
            ],
        },
        runbook=str(Code.MISSING_XFRM_STATE),
    )
