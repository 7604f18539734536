"""What the kernels themselves show of a break: which packets arrive, what is counted.

Nothing here asks the project's own check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.lab.reading import wait_until
from runbooks.lab.status import read_status, read_traffic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.lab.client import LabClient

Pair = tuple[str, str]

AUTHENTICATION = "XfrmInStateProtoError"
NO_STATE = "XfrmInNoStates"
BLOCKED = "XfrmOutPolBlock"
NO_NUMBERS = "XfrmOutStateSeqError"
NO_BUNDLE = "XfrmOutBundleGenError"

#: Enough packets of a pair to tell all from none.
PACKETS = 40
RATE = 50


@dataclass(frozen=True)
class Signs:
    """What numbered packets between all pods meet.

    Attributes:
        lost: Pairs of which no packet arrives.
        partly: Pairs of which some packets arrive; of all others every one does.
        counted: Counters of ``xfrm_stat`` that rise, by node; none elsewhere.
    """

    lost: frozenset[Pair] = frozenset()
    partly: frozenset[Pair] = frozenset()
    counted: dict[str, frozenset[str]] = field(default_factory=dict)


def signs(lost: Iterable[Pair], **counted: str) -> Signs:
    """Signs, with a node's counters in one string."""
    by_node = {node: frozenset(names.split()) for node, names in counted.items()}
    return Signs(frozenset(lost), counted=by_node)


def watch(client: LabClient, packets: int = PACKETS) -> Signs:
    """Send on every pair, and see what becomes of the packets."""
    before = _counters(client)
    settled = _sent(client, packets)
    after = _counters(client)
    lost = _lost(settled)
    partly = frozenset(p for p, row in settled.items() if row["lost"]) - lost
    counted = {
        node: frozenset(n for n, c in counts.items() if c > before[node].get(n, 0))
        for node, counts in after.items()
    }
    rising = {node: names for node, names in counted.items() if names}
    return Signs(lost, partly, rising)


def lost_pairs(client: LabClient, packets: int = PACKETS) -> frozenset[Pair]:
    """Send on every pair: those on which nothing arrives."""
    return _lost(_sent(client, packets))


def _sent(client: LabClient, packets: int) -> dict[Pair, dict]:
    """Send on every pair, and wait until what arrives has arrived."""
    client.ask("traffic", action="start", rate=RATE)
    wait_until(
        lambda: all(row["sent"] >= packets for row in _traffic(client).values()),
        "the nodes do not send",
        60 + packets / RATE,
    )
    client.ask("traffic", action="stop")
    settled, again = _traffic(client), _traffic(client)
    while settled != again:
        settled, again = again, _traffic(client)
    return settled


def _lost(settled: dict[Pair, dict]) -> frozenset[Pair]:
    return frozenset(pair for pair, row in settled.items() if not row["received"])


def towards(node: str, others: Iterable[str]) -> set[Pair]:
    """The pairs in which a node receives."""
    return {(other, node) for other in others}


def from_(node: str, others: Iterable[str]) -> set[Pair]:
    """The pairs in which a node sends."""
    return {(node, other) for other in others}


def _counters(client: LabClient) -> dict[str, dict[str, int]]:
    return {row["name"]: row["counters"] for row in read_status(client).nodes}


def _traffic(client: LabClient) -> dict[Pair, dict]:
    return {(row["source"], row["destination"]): row for row in read_traffic(client)}
