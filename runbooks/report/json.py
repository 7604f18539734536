"""A diagnosis for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbooks.diagnose.finding import Diagnosis, Finding

#: Grows only when a key changes its meaning.
SCHEMA = 1


def to_json(diagnosis: Diagnosis) -> str:
    """Write a diagnosis as JSON.

    Args:
        diagnosis: The diagnosis.

    Returns:
        One indented document, with a line end.
    """
    return json.dumps(as_data(diagnosis), indent=2) + "\n"


def as_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The document as plain data, for callers that go on with it."""
    return {
        "schema": SCHEMA,
        "verdict": str(diagnosis.verdict),
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "nodes": [{"name": n.name, "read": n.read} for n in diagnosis.nodes],
        "incomplete": list(diagnosis.incomplete),
        "depth": str(diagnosis.depth),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    about_node = {"node": finding.node} if finding.node is not None else {}
    return {
        "code": str(finding.code),
        "severity": str(finding.severity),
        **about_node,
        "source": finding.source,
        "destination": finding.destination,
        "spi": finding.spi,
        "evidence": dict(finding.evidence),
        "cause": str(finding.cause) if finding.cause else None,
        "runbook": finding.runbook,
    }
