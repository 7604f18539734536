"""One answer of the check for several clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Diagnosis, NodeReading, Verdict
from runbooks.diagnose.key_mismatch import key_mismatches
from runbooks.diagnose.missing_states import missing_states
from runbooks.diagnose.stale_states import stale_states
from runbooks.rotation.mesh.names import context_of, qualified
from runbooks.snapshot import Samples, Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from runbooks.diagnose.finding import Finding

#: What can be wrong between two clusters.
BETWEEN = (stale_states, key_mismatches, missing_states)

WORST_FIRST = (
    Verdict.STALE,
    Verdict.DEGRADED,
    Verdict.UNKNOWN,
    Verdict.ROTATING,
    Verdict.HEALTHY,
)


def diagnose_mesh(
    diagnoses: Mapping[str, Diagnosis],
    samples: Samples,
    meshed: Collection[frozenset[str]],
) -> Diagnosis:
    """Put the answers of all clusters together, and look between them.

    Args:
        diagnoses: Each cluster's own answer, by context.
        samples: The samples of all clusters, nodes by ``context/node``.
        meshed: Pairs of clusters that have states for one another.
    """
    findings = [
        _qualified(context, finding)
        for context, diagnosis in diagnoses.items()
        for finding in diagnosis.findings
    ]
    verdicts = [diagnosis.verdict for diagnosis in diagnoses.values()]
    for pair in sorted(meshed, key=sorted):
        between = diagnose(_of_contexts(samples, pair), rules=BETWEEN)
        found = list(_crossing(between.findings))
        findings += found
        if found:
            verdicts.append(between.verdict)
    return Diagnosis(
        verdict=min(verdicts, key=WORST_FIRST.index),
        findings=tuple(findings),
        nodes=tuple(
            NodeReading(qualified(context, node.name), read=node.read)
            for context, diagnosis in diagnoses.items()
            for node in diagnosis.nodes
        ),
        incomplete=tuple(
            f"{context}: {sentence}"
            for context, diagnosis in diagnoses.items()
            for sentence in diagnosis.incomplete
        ),
        twice=all(diagnosis.twice for diagnosis in diagnoses.values()),
    )


def _qualified(context: str, finding: Finding) -> Finding:
    def name(node: str | None) -> str | None:
        return qualified(context, node) if node else node

    return replace(
        finding,
        summary=f"{context}: {finding.summary}",
        source=name(finding.source),
        destination=name(finding.destination),
        node=name(finding.node),
    )


def _crossing(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Findings about a node of one cluster and a node of another."""
    for finding in findings:
        ends = (finding.source or "", finding.destination or "")
        if len({context_of(end) for end in ends}) > 1:
            yield finding


def _of_contexts(samples: Samples, contexts: frozenset[str]) -> Samples:
    def part(snapshot: Snapshot) -> Snapshot:
        def chosen(name: str) -> bool:
            return context_of(name) in contexts

        cluster = snapshot.cluster
        return Snapshot(
            {name: node for name, node in snapshot.nodes.items() if chosen(name)},
            replace(
                cluster,
                cilium_nodes={
                    name: facts
                    for name, facts in cluster.cilium_nodes.items()
                    if chosen(name)
                },
            ),
        )

    return Samples(
        part(samples.first), part(samples.second) if samples.second else None
    )
