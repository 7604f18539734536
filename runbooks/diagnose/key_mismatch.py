"""Tunnels whose two ends hold different keys under the same SPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.staleness import different_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import Tunnel, View

#: A key that was changed without a new ID has a page; a boot ID that is taken for an
#: older one has another cure.
_PAGE = "key-changed-same-id"


def key_mismatches(view: View) -> Iterable[Finding]:
    """Find pairs that encrypt with one key and decrypt with another.

    It comes from a key that was changed without a new ID, and then it shows both
    ways. For a moment it also shows while a node comes back from a reboot, since the
    boot ID is part of every key: states that were made after the other end was read
    don't count.
    """
    wrong: dict[tuple[str, str], list[Tunnel]] = {}
    for pair, tunnels in view.pairs.items():
        spis = view.sending_spis(*pair)
        differing = [t for t in tunnels if t.spi in spis and _mismatch(view, t)]
        if differing:
            wrong[pair] = differing
    for (source, destination), differing in wrong.items():
        both_ways = (destination, source) in wrong
        yield _finding(view, differing, both_ways=both_ways)


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


def _finding(view: View, wrong: list[Tunnel], *, both_ways: bool) -> Finding:
    tunnel = wrong[0]
    source, destination = tunnel.source, tunnel.destination
    mistaken = [n for n in (source, destination) if _announces_other_boot(view, n)]
    if mistaken:
        why = (
            f"The boot ID that {mistaken[0]} announces is not the one it runs under,"
            " and it is part of every key: restart its agent."
        )
    elif _boots_agree(view, source) and _boots_agree(view, destination):
        why = "The key was changed without a new key ID."
    else:
        why = (
            "Either the key was changed without a new key ID, or one of them takes the"
            " other's boot ID for an older one."
        )
    ways = " in both directions" if both_ways else ""
    return Finding(
        code=Code.KEY_MISMATCH,
        severity=Severity.CRITICAL,
        summary=(
            f"{destination} can't decrypt what {source} sends: their states under SPI"
            f" {tunnel.spi} hold different keys{ways}. {why}"
        ),
        source=source,
        destination=destination,
        spi=tunnel.spi,
        evidence={
            "both_ways": both_ways,
            "failed_delta": _failed_delta(wrong),
            "address_pairs": [
                {
                    "source": t.ends[0],
                    "destination": t.ends[1],
                    "outbound_key_hash": t.outbound.key_hash if t.outbound else None,
                    "inbound_key_hash": t.inbound.key_hash if t.inbound else None,
                }
                for t in wrong
            ],
        },
        runbook=str(Code.KEY_MISMATCH) if mistaken else _PAGE,
    )


def _failed_delta(wrong: list[Tunnel]) -> int | None:
    """Packets that failed authentication between the samples, if read twice."""
    deltas = [
        (t.inbound_after.integrity_errors or 0) - (t.inbound.integrity_errors or 0)
        for t in wrong
        if t.inbound and t.inbound_after
    ]
    return sum(deltas) if deltas else None


def _boot_ids(view: View, node: str) -> tuple[str | None, str | None]:
    facts = view.samples.first.cluster.cilium_nodes.get(node)
    return (facts.boot_id if facts else None), view.nodes[node].boot_id


def _boots_agree(view: View, node: str) -> bool:
    announced, real = _boot_ids(view, node)
    return announced is not None and announced == real


def _announces_other_boot(view: View, node: str) -> bool:
    announced, real = _boot_ids(view, node)
    return None not in {announced, real} and announced != real
