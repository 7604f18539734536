"""Tunnels whose two ends hold different keys under the same SPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.staleness import different_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import Tunnel, View


def key_mismatches(view: View) -> Iterable[Finding]:
    """Find pairs that encrypt with one key and decrypt with another.

    It comes from a key that was changed without a new ID. For a moment it also
    shows while a node comes back from a reboot, since the boot ID is part of
    every key: states that were made after the other end was read don't count.
    """
    for (source, destination), tunnels in view.pairs.items():
        spis = view.sending_spis(source, destination)
        wrong = [t for t in tunnels if t.spi in spis and _mismatch(view, t)]
        if wrong:
            yield _finding(wrong)


def _mismatch(view: View, tunnel: Tunnel) -> bool:
    outbound, inbound = tunnel.outbound, tunnel.inbound
    if outbound is None or inbound is None or not different_keys(outbound, inbound):
        return False
    for before, after in (
        (outbound, tunnel.outbound_after),
        (inbound, tunnel.inbound_after),
    ):
        if after is not None and after.added_s != before.added_s:
            return False
    return not _made_between_reads(view, tunnel)


def _made_between_reads(view: View, tunnel: Tunnel) -> bool:
    for state, other in (
        (tunnel.outbound, tunnel.destination),
        (tunnel.inbound, tunnel.source),
    ):
        read_s = view.nodes[other].clock_s
        added_s = state.added_s if state is not None else None
        if added_s is not None and read_s is not None and added_s >= read_s:
            return True
    return False


def _finding(wrong: list[Tunnel]) -> Finding:
    tunnel = wrong[0]
    return Finding(
        code=Code.KEY_MISMATCH,
        severity=Severity.CRITICAL,
        summary=(
            f"{tunnel.destination} can't decrypt what {tunnel.source} sends: their"
            f" states under SPI {tunnel.spi} hold different keys. Either the key was"
            " changed without a new key ID, or one of them takes the other's boot ID"
            " for an older one."
        ),
        source=tunnel.source,
        destination=tunnel.destination,
        spi=tunnel.spi,
        evidence={
            "address_pairs": [
                {
                    "source": t.ends[0],
                    "destination": t.ends[1],
                    "outbound_key_hash": t.outbound.key_hash if t.outbound else None,
                    "inbound_key_hash": t.inbound.key_hash if t.inbound else None,
                }
                for t in wrong
            ]
        },
        runbook=str(Code.KEY_MISMATCH),
    )
