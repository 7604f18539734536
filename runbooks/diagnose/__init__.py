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
from runbooks.diagnose.lease_expiring import kvstore_lease_expiring
from runbooks.diagnose.missing_outbound import (
    lone_outbound_states,
    states_of_old_addresses,
)
from runbooks.diagnose.missing_states import missing_states
from runbooks.diagnose.orphaned_states import orphaned_states
from runbooks.diagnose.plaintext_fallback import plaintext_fallback
from runbooks.diagnose.rising_errors import rising_errors
from runbooks.diagnose.rotation import rotation_in_progress
from runbooks.diagnose.rotation_stalled import rotation_stalled
from runbooks.diagnose.sequence_exhaustion import sequence_exhaustion
from runbooks.diagnose.stale_states import stale_states
from runbooks.diagnose.sums import depth_of
from runbooks.diagnose.symptoms import without_symptoms
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
    lone_outbound_states,
    states_of_old_addresses,
    orphaned_states,
    rising_errors,
    sequence_exhaustion,
    rotation_in_progress,
    rotation_stalled,
    kvstore_lease_expiring,
    plaintext_fallback,
    agent_version_skew,
)

_CAUSES_OF_STALENESS = frozenset(
    {Code.KVSTORE_LEASE_EXPIRED, Code.KVSTORE_RECREATED, Code.CILIUMNODE_RECREATED}
)
_WORST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


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
            (f for f in without_symptoms(found) if audit or not f.audit),
            key=lambda f: (
                _WORST_FIRST.index(f.severity),
                # One node's trouble comes before its many pairs that it explains.
                f.code is not Code.ROTATION_STALLED,
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
        A diagnosis of that condition alone, with what has this code or cause. If it
        is one that makes pairs stale, also stale pairs whose cause can't be told,
        since it may be this one.
    """
    findings = tuple(
        f
        for f in diagnosis.findings
        if code in {f.code, f.cause}
        or (
            code in _CAUSES_OF_STALENESS
            and f.code is Code.STALE_XFRM_STATE
            and f.cause is None
        )
    )
    complete = diagnosis.verdict is not Verdict.UNKNOWN
    return replace(
        diagnosis,
        findings=findings,
        verdict=_verdict(
            findings, complete=complete and all(n.read for n in diagnosis.nodes)
        ),
        condition=code,
    )


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
