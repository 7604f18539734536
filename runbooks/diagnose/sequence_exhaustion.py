"""Outbound states that run out of sequence numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View

#: Without extended sequence numbers the kernel stops here (RFC 4303, 3.3.3).
LAST_NUMBER = 2**32 - 1
WARN_AT = 0.75


def sequence_exhaustion(view: View) -> Iterable[Finding]:
    """Find senders that need a new key soon; with ESN there are enough numbers."""
    for (source, destination), tunnels in view.pairs.items():
        worst = max(
            (t.outbound for t in tunnels if t.outbound and not t.outbound.esn),
            key=lambda state: state.oseq,
            default=None,
        )
        if worst is None or worst.oseq < WARN_AT * LAST_NUMBER:
            continue
        used = worst.oseq / LAST_NUMBER
        yield Finding(
            code=Code.SEQUENCE_EXHAUSTION,
            severity=Severity.WARNING,
            summary=(
                f"{source} has used {used:.0%} of the sequence numbers towards"
                f" {destination} under SPI {worst.spi}; after the last it can't send."
                " A key rotation starts them anew."
            ),
            source=source,
            destination=destination,
            spi=worst.spi,
            evidence={"outbound_oseq": worst.oseq, "last_number": LAST_NUMBER},
            runbook=str(Code.SEQUENCE_EXHAUSTION),
        )
