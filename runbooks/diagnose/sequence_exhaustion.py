"""Outbound states that run out of sequence numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.rising_errors import rises

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import Tunnel, View

OUT_OF_NUMBERS = "XfrmOutStateSeqError"
#: Without extended sequence numbers the kernel stops here (RFC 4303, 3.3.3).
LAST_NUMBER = 2**32 - 1
WARN_AT = 0.75
#: A sender that gets there within this time needs its new key at once.
AT_ONCE_S = 3600.0


def sequence_exhaustion(view: View) -> Iterable[Finding]:
    """Find senders that need a new key soon; with ESN there are enough numbers.

    Only states that are still sent with count: a rotation leaves the others behind.
    """
    for (source, destination), tunnels in view.pairs.items():
        candidates = [
            t
            for t in tunnels
            if t.outbound
            and not t.outbound.esn
            and t.outbound.oseq >= WARN_AT * LAST_NUMBER
        ]
        if not candidates:
            continue
        spis = view.sending_spis(source, destination)
        worst = max((t for t in candidates if t.spi in spis), key=_oseq, default=None)
        if worst is not None:
            yield _finding(view, worst)


def _finding(view: View, tunnel: Tunnel) -> Finding:
    source, destination = tunnel.source, tunnel.destination
    oseq = _oseq(tunnel)
    left_s = _left_s(view, tunnel)
    over = oseq >= LAST_NUMBER
    evidence = {"outbound_oseq": oseq, "last_number": LAST_NUMBER}
    refused = rises(view, source).get(OUT_OF_NUMBERS)
    if refused:
        evidence["refused_delta"] = refused
    if over:
        words = (
            f"{source} has used up the sequence numbers towards {destination} under"
            f" SPI {tunnel.spi}: it can't send to it any more ({OUT_OF_NUMBERS})."
        )
    else:
        used = int(100 * oseq / LAST_NUMBER)
        soon = "" if left_s is None else f", in {_words(left_s)} at its present rate"
        words = (
            f"{source} has used {used}% of the sequence numbers"
            f" towards {destination} under SPI {tunnel.spi}; after the last{soon} it"
            " can't send."
        )
    if left_s is not None:
        evidence["left_s"] = round(left_s)
    urgent = over or (left_s is not None and left_s < AT_ONCE_S)
    return Finding(
        code=Code.SEQUENCE_EXHAUSTION,
        severity=Severity.CRITICAL if urgent else Severity.WARNING,
        summary=f"{words} A key rotation starts them anew.",
        source=source,
        destination=destination,
        spi=tunnel.spi,
        evidence=evidence,
        runbook=str(Code.SEQUENCE_EXHAUSTION),
    )


def _oseq(tunnel: Tunnel) -> int:
    states = (tunnel.outbound, tunnel.outbound_after)
    return max(state.oseq for state in states if state is not None)


def _left_s(view: View, tunnel: Tunnel) -> float | None:
    """Until the last number, at the rate between the samples; ``None`` if idle."""
    before, after = tunnel.outbound, tunnel.outbound_after
    second = view.samples.second
    if before is None or after is None or second is None or after.oseq <= before.oseq:
        return None
    began_s = view.nodes[tunnel.source].read_s
    ended_s = second.nodes[tunnel.source].read_s
    if began_s is None or ended_s is None or ended_s <= began_s:
        return None
    rate = (after.oseq - before.oseq) / (ended_s - began_s)
    return (LAST_NUMBER - after.oseq) / rate


def _words(seconds: float) -> str:
    for unit, size_s in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
