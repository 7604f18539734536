"""What another finding explains is not an alarm of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.sequence_exhaustion import OUT_OF_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Counters that rise on the receiver of a pair that is stale or whose keys differ.
OF_BROKEN_PAIRS = frozenset({"XfrmInStateProtoError", "XfrmInStateSeqError"})
#: On the receiver of what it has no state for.
OF_MISSING_INBOUND = frozenset({"XfrmInNoStates"})
#: On the sender that has no state, or no policy, for a peer.
OF_MISSING_OUTBOUND = frozenset(
    {"XfrmOutNoStates", "XfrmOutPolBlock", "XfrmOutBundleGenError"}
)


def without_symptoms(found: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out what others explain, and name the cause of missing states.

    Args:
        found: Everything that the rules found.

    Yields:
        Every finding that stands for itself. A missing state that comes from a
        rotation which left a node behind has that as its cause.
    """
    stalled = _cut_off_pairs(found)
    for finding in found:
        if finding.code is Code.XFRM_ERRORS_RISING:
            if not set(finding.evidence["deltas"]) <= _explained(found, finding.node):
                yield finding
        elif (
            finding.code is Code.MISSING_XFRM_STATE
            and finding.cause is None
            and (finding.source, finding.destination) in stalled
        ):
            yield replace(
                finding,
                cause=Code.ROTATION_STALLED,
                runbook=str(Code.ROTATION_STALLED),
            )
        else:
            yield finding


def _cut_off_pairs(found: Iterable[Finding]) -> set[tuple[str | None, str | None]]:
    pairs: set[tuple[str | None, str | None]] = set()
    for finding in found:
        if finding.code is Code.ROTATION_STALLED and finding.node is not None:
            for peer in finding.evidence["cut_off_from"]:
                pairs |= {(finding.node, peer), (peer, finding.node)}
    return pairs


def _explained(found: Iterable[Finding], node: str | None) -> set[str]:
    """The counters of a node that other findings explain."""
    return {
        counter
        for finding in found
        if finding.severity is not Severity.INFO
        for counter in _effects(finding).get(node or "", ())
    }


def _effects(finding: Finding) -> dict[str, frozenset[str]]:
    """Which counters a finding makes rise, by node."""
    source, destination = finding.source or "", finding.destination or ""
    match finding.code:
        case Code.STALE_XFRM_STATE | Code.KEY_MISMATCH:
            return {destination: OF_BROKEN_PAIRS}
        case Code.MISSING_XFRM_STATE:
            if finding.evidence["direction"] == "in":
                return {destination: OF_MISSING_INBOUND}
            return {source: OF_MISSING_OUTBOUND}
        case Code.SEQUENCE_EXHAUSTION:
            return {source: frozenset({OUT_OF_NUMBERS})}
        case Code.ROTATION_STALLED:
            nodes = {finding.node or destination, *finding.evidence["cut_off_from"]}
            return dict.fromkeys(nodes, OF_MISSING_INBOUND | OF_MISSING_OUTBOUND)
        case _:
            return {}
