"""Samples of a cluster in, findings out. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.diagnose.coverage import (
    everything_needed,
    node_readings,
    unread_sentences,
)
from runbooks.diagnose.finding import Code, Diagnosis, Finding, Severity, Verdict
from runbooks.diagnose.key_mismatch import key_mismatches
from runbooks.diagnose.missing_states import missing_states
from runbooks.diagnose.orphaned_states import orphaned_states
from runbooks.diagnose.rising_errors import rising_errors
from runbooks.diagnose.rotation import rotation_in_progress
from runbooks.diagnose.sequence_exhaustion import sequence_exhaustion
from runbooks.diagnose.stale_states import stale_states
from runbooks.diagnose.sums import depth_of
from runbooks.diagnose.version_skew import agent_version_skew
from runbooks.diagnose.view import View

if TYPE_CHECKING:
    from runbooks.snapshot import Samples

__all__ = ["RULES", "Diagnosis", "Finding", "Rule", "diagnose", "narrow"]

#: A rule looks at the samples and yields what it finds.
Rule = Callable[[View], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    stale_states,
    key_mismatches,
    missing_states,
    orphaned_states,
    rising_errors,
    sequence_exhaustion,
    rotation_in_progress,
    agent_version_skew,
)

_WORST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
#: Counters that rise where a pair is stale or its keys differ.
_OF_BROKEN_PAIRS = frozenset({"XfrmInStateProtoError", "XfrmInStateSeqError"})


def diagnose(
    samples: Samples, *, audit: bool = False, rules: Sequence[Rule] = RULES
) -> Diagnosis:
    """Find what is wrong with a cluster's XFRM states.

    Args:
        samples: What was read of the cluster.
        audit: Whether to tell also what needs no action now.
        rules: The rules to apply.

    Returns:
        The findings, worst first, and the verdict.
    """
    view = View(samples)
    found = [finding for rule in rules for finding in rule(view)]
    findings = tuple(
        sorted(
            (f for f in _without_symptoms(found) if audit or not f.audit),
            key=lambda f: (
                _WORST_FIRST.index(f.severity),
                f.code,
                f.destination or "",
                f.source or "",
                f.node or "",
            ),
        )
    )
    return Diagnosis(
        verdict=_verdict(findings, complete=everything_needed(view)),
        findings=findings,
        nodes=node_readings(view),
        incomplete=unread_sentences(view),
        twice=samples.second is not None,
        depth=depth_of(view),
    )


def narrow(diagnosis: Diagnosis, code: Code) -> Diagnosis:
    """Keep the findings of one condition.

    Args:
        diagnosis: The whole diagnosis.
        code: The condition, as a code or as a cause.

    Returns:
        A diagnosis of that condition alone: what has this code or cause, and
        stale pairs whose cause can't be told, since it may be this one.
    """
    findings = tuple(
        f
        for f in diagnosis.findings
        if code in {f.code, f.cause}
        or (f.code is Code.STALE_XFRM_STATE and f.cause is None)
    )
    complete = diagnosis.verdict is not Verdict.UNKNOWN
    return replace(
        diagnosis,
        findings=findings,
        verdict=_verdict(
            findings, complete=complete and all(n.read for n in diagnosis.nodes)
        ),
    )


def _without_symptoms(found: list[Finding]) -> Iterable[Finding]:
    """Leave out rising errors that a broken pair explains."""
    receivers = {
        f.destination
        for f in found
        if f.code in {Code.STALE_XFRM_STATE, Code.KEY_MISMATCH}
    }
    for finding in found:
        explained = (
            finding.code is Code.XFRM_ERRORS_RISING
            and finding.node in receivers
            and set(finding.evidence["deltas"]) <= _OF_BROKEN_PAIRS
        )
        if not explained:
            yield finding


def _verdict(findings: Iterable[Finding], *, complete: bool) -> Verdict:
    alarming = [f for f in findings if f.severity is not Severity.INFO]
    if any(f.code is Code.STALE_XFRM_STATE for f in alarming):
        return Verdict.STALE
    if alarming:
        return Verdict.DEGRADED
    if not complete:
        return Verdict.UNKNOWN
    if any(f.code is Code.ROTATION_IN_PROGRESS for f in findings):
        return Verdict.ROTATING
    return Verdict.HEALTHY
