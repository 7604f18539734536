"""Tunnels of which one end is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.settling import may_still_come
from runbooks.diagnose.sums import compared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import Tunnel, View


def missing_states(view: View) -> Iterable[Finding]:
    """Find pairs that can't encrypt, or whose receiver can't decrypt.

    Agents make states one peer after another, and in a rotation one key after
    another, so it only counts if it stands in both samples and under every key
    that the sender may use, and if neither node has just joined.
    """
    config = view.samples.first.cluster.config
    if not view.spis and config.get("enable-ipsec") != "true":
        return
    for source, destination in view.expected_pairs:
        if compared(view.nodes[source], view.nodes[destination]):
            yield from _of_pair(view, source, destination)


def _of_pair(view: View, source: str, destination: str) -> Iterable[Finding]:
    tunnels = view.pairs.get((source, destination), ())
    outbound = [t for t in tunnels if t.outbound or t.outbound_after]
    if not outbound:
        if may_still_come(view, source, destination):
            return
        yield _finding(
            source,
            destination,
            source,
            f"{source} has no outbound XFRM state for {destination}: it drops the"
            " packets that it should encrypt.",
            {
                "missing": "state",
                "missing_on": source,
                "direction": "out",
                "address_pairs": [],
            },
        )
        return
    rotating = len(view.spis) > 1
    if rotating and any(_has_inbound(view, t) for t in outbound):
        return
    lacking = [t for t in outbound if not _has_inbound(view, t)]
    lacking = [t for t in lacking if not _made_after_read(view, t)]
    if lacking and not may_still_come(view, destination, source):
        first = lacking[0]
        yield _finding(
            source,
            destination,
            destination,
            f"{destination} has no inbound XFRM state for what {source} sends under"
            f" SPI {first.spi}: it drops those packets.",
            {
                "missing": "state",
                "missing_on": destination,
                "direction": "in",
                "address_pairs": [
                    {"source": t.ends[0], "destination": t.ends[1]} for t in lacking
                ],
            },
            first.spi,
        )


def _has_inbound(view: View, tunnel: Tunnel) -> bool:
    return bool(
        tunnel.inbound or tunnel.inbound_after or view.accepts_any_source(tunnel)
    )


def _made_after_read(view: View, tunnel: Tunnel) -> bool:
    """Whether the sender's state is younger than what was read of the receiver."""
    read_s = view.nodes[tunnel.destination].clock_s
    state = tunnel.outbound
    return bool(
        state
        and state.added_s is not None
        and read_s is not None
        and state.added_s >= read_s
    )


def _finding(
    source: str,
    destination: str,
    missing_on: str,
    summary: str,
    evidence: dict[str, object],
    spi: int | None = None,
) -> Finding:
    return Finding(
        code=Code.MISSING_XFRM_STATE,
        severity=Severity.CRITICAL,
        summary=f"{summary} Its agent has not made it, or has removed it: look at"
        f" the agent's log and at the CiliumNode of the peer of {missing_on}.",
        source=source,
        destination=destination,
        spi=spi,
        evidence=evidence,
        runbook=str(Code.MISSING_XFRM_STATE),
    )
