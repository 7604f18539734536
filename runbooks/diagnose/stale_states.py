"""Pairs of nodes whose XFRM states no longer belong together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runbooks.diagnose.causes import causes_of, why_unknown
from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.read_numbers import read_numbers
from runbooks.diagnose.staleness import Staleness, dropped_packets, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View


def stale_states(view: View) -> Iterable[Finding]:
    """Find every pair that drops what its sender encrypts.

    A stale tunnel under an SPI that the sender has left behind is a remnant of
    a rotation that has already healed the pair; it goes with the old key.
    """
    pairs: list[list[Staleness]] = []
    for (source, destination), tunnels in view.pairs.items():
        spis = view.sending_spis(source, destination)
        stale = [
            verdict
            for tunnel in tunnels
            if tunnel.spi in spis and (verdict := judge(view, tunnel)) is not None
        ]
        if stale:
            pairs.append(stale)
    worst = [max(stale, key=lambda s: s.excess) for stale in pairs]
    for each in zip(worst, pairs, causes_of(view, worst), strict=True):
        yield _finding(view, *each)


def _finding(
    view: View, worst: Staleness, stale: list[Staleness], cause: Code | None
) -> Finding:
    tunnel = worst.tunnel
    return Finding(
        code=Code.STALE_XFRM_STATE,
        severity=Severity.CRITICAL,
        summary=(
            f"{tunnel.destination} drops the IPsec packets from {tunnel.source}:"
            f" it has already seen number {worst.inbound.seq:,} under SPI"
            f" {tunnel.spi}, but {tunnel.source} counts anew and has only reached"
            f" {worst.outbound.oseq:,}."
        ),
        source=tunnel.source,
        destination=tunnel.destination,
        spi=tunnel.spi,
        evidence=_evidence(worst)
        | read_numbers(view, worst)
        | {
            "address_pairs": [
                {"source": s.tunnel.ends[0], "destination": s.tunnel.ends[1]}
                | _numbers(s)
                for s in stale
            ]
        }
        | ({} if cause else {"cause_unknown": why_unknown(view, worst)}),
        cause=cause,
        runbook=str(cause or Code.STALE_XFRM_STATE),
    )


def _numbers(staleness: Staleness) -> dict[str, Any]:
    return {
        "outbound_oseq": staleness.outbound.oseq,
        "inbound_seq": staleness.inbound.seq,
    }


def _evidence(staleness: Staleness) -> dict[str, Any]:
    evidence = _numbers(staleness)
    for name, delta in (
        ("failed_delta", staleness.failed_delta),
        ("replay_delta", staleness.replay_delta),
    ):
        if delta is not None:
            evidence[name] = delta
    evidence["dropped_total"] = dropped_packets(
        staleness.tunnel.inbound_after or staleness.inbound
    )
    evidence["packets_until_healed"] = staleness.excess
    evidence["outbound_added"] = _iso(staleness.outbound.added_s)
    evidence["inbound_added"] = _iso(staleness.inbound.added_s)
    return evidence


def _iso(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
