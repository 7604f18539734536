"""Pairs that lack one of several outbound states, or have it from another address.

With several address pairs per pair of nodes (the encrypted overlay, two IP
families) a node may have lost a single outbound state. Subnet encryption has more
inbound than outbound states by design; what the other pairs of the cluster have
tells the two apart.
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
    outbound_sources,
    present_addresses,
)
from runbooks.diagnose.settling import may_still_come
from runbooks.diagnose.sums import both_compared
from runbooks.diagnose.view import ANY_SOURCE
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbooks.diagnose.view import Tunnel, View
    from runbooks.xfrm.model import XfrmState

#: Of IPv6 or not, and whether it is a CiliumInternalIP or a node's own address.
Kind = tuple[bool, bool]


def lone_outbound_states(view: View) -> Iterable[Finding]:
    """Find pairs that lack an outbound state which their cluster's shape has."""
    kinds = _kinds(view)
    kinds_sent: dict[str, set[Kind]] = {}
    for (source, destination), tunnels in view.pairs.items():
        if len(tunnels) < 2 or not both_compared(view, source, destination):
            continue
        sent = {t.spi for t in tunnels if t.outbound or t.outbound_after}
        lacking = [
            t
            for t in tunnels
            if t.spi in sent
            and t.inbound
            and not (t.outbound or t.outbound_after)
            and t.ends[0] in kinds
            and t.ends[1] in kinds
        ]
        if not lacking:
            continue
        if not kinds_sent:
            kinds_sent = {
                node: {kinds[a] for a in outbound_sources(view, node) if a in kinds}
                for node in view.read
            }
        gone = [
            t
            for t in lacking
            if kinds[t.ends[0]] in kinds_sent[source]
            or (
                # Agents of other versions in the cluster may make other kinds.
                any(kinds[t.ends[0]] in sent for sent in kinds_sent.values())
                and _has_way_back(view, t)
            )
        ]
        if gone and not may_still_come(view, source, destination):
            yield _one_of_several(gone)


def states_of_old_addresses(view: View) -> Iterable[Finding]:
    """Find nodes that would send from an address that they no longer have.

    The kernel doesn't tell two outbound states apart that differ in their source
    alone: it refuses the one for the present address as long as the old one is
    there, at every attempt of the agent (net/xfrm/xfrm_state.c, __xfrm_state_lookup).
    """
    for node in sorted(view.read):
        present = present_addresses(view, node)
        if not present or not outbound_sources(view, node) - present - ANY_SOURCE:
            continue
        by_target: dict[str, list[XfrmState]] = defaultdict(list)
        ways_back: dict[str, str] = {}
        still = ends_after(view, node)
        for state in cilium_states(view, node):
            if state.direction is Direction.IN:
                if state.destination in present:
                    ways_back[state.source] = state.destination
            elif still is None or ends_of(state) in still:
                by_target[state.destination].append(state)
        for target, states in sorted(by_target.items()):
            peer = view.owner.get(target)
            right = any(s.source in present | ANY_SOURCE for s in states)
            if not right and target in ways_back and peer not in {None, node}:
                newest = max(states, key=lambda state: state.added_s or 0)
                yield _of_old_address(node, str(peer), newest, ways_back[target])


def _kinds(view: View) -> Mapping[str, Kind]:
    """The kind of every address that a CiliumNode has."""
    kinds: dict[str, Kind] = {}
    for facts in view.samples.first.cluster.cilium_nodes.values():
        kinds |= {ip: (is_ipv6(ip), False) for ip in facts.internal_ips}
        kinds |= {ip: (is_ipv6(ip), True) for ip in facts.cilium_internal_ips}
    return kinds


def _has_way_back(view: View, tunnel: Tunnel) -> bool:
    source, destination, spi = tunnel.ends
    back = (destination, source, spi)
    return any(
        other.ends == back and other.inbound is not None
        for other in view.pairs.get((tunnel.destination, tunnel.source), ())
    )


def _one_of_several(gone: list[Tunnel]) -> Finding:
    tunnel = gone[0]
    source, destination = tunnel.source, tunnel.destination
    return Finding(
        code=Code.MISSING_XFRM_STATE,
        severity=Severity.CRITICAL,
        summary=(
            f"{source} has no outbound XFRM state from {tunnel.ends[0]} to"
            f" {tunnel.ends[1]} ({destination}) under SPI {tunnel.spi}, though it has"
            " others for that node: it drops the packets that need it. Look at the"
            f" log of the agent on {source}."
        ),
        source=source,
        destination=destination,
        spi=tunnel.spi,
        evidence={
            "missing": "state",
            "missing_on": source,
            "direction": "out",
            "address_pairs": [
                {"source": t.ends[0], "destination": t.ends[1]} for t in gone
            ],
        },
        runbook=str(Code.MISSING_XFRM_STATE),
    )


def _of_old_address(
    source: str, destination: str, state: XfrmState, now: str
) -> Finding:
    return Finding(
        code=Code.MISSING_XFRM_STATE,
        severity=Severity.CRITICAL,
        summary=(
            f"{source} has no outbound XFRM state from its address {now} to"
            f" {destination}: the one that it has starts at {state.source}, an address"
            f" that {source} no longer has, and the kernel refuses a new one beside"
            f" it. {source} drops what it should send to {destination}. A key rotation"
            " makes the states anew."
        ),
        source=source,
        destination=destination,
        spi=state.spi,
        evidence={
            "missing": "state",
            "missing_on": source,
            "direction": "out",
            "address_pairs": [{"source": now, "destination": state.destination}],
            "left_over_source": state.source,
        },
        runbook=str(Code.MISSING_XFRM_STATE),
    )
