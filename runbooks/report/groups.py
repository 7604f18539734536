"""Findings that are alike, together: a thousand of a kind are one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.finding import Code, Finding, Severity

#: So many findings of a kind are all written out; of more, `FEW` are.
MOST_WRITTEN = 8
FEW = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one condition, severity and cause.

    Attributes:
        code: The condition.
        severity: How much it matters.
        cause: What led to it; ``None`` when it can't be told.
        findings: In the order of the diagnosis.
    """

    code: Code
    severity: Severity
    cause: Code | None
    findings: tuple[Finding, ...]

    @property
    def written(self) -> tuple[Finding, ...]:
        """Those that a report writes out."""
        all_of_them = len(self.findings) <= MOST_WRITTEN
        return self.findings if all_of_them else self.findings[:FEW]

    @property
    def rest(self) -> tuple[Finding, ...]:
        """Those that it only lists."""
        return self.findings[len(self.written) :]


def groups(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Put findings that are alike together.

    Args:
        findings: Worst first.

    Returns:
        The groups, in the order of their first findings.
    """
    alike: dict[tuple[Code, Severity, Code | None], list[Finding]] = {}
    for finding in findings:
        kind = (finding.code, finding.severity, finding.cause)
        alike.setdefault(kind, []).append(finding)
    return tuple(Group(*kind, tuple(found)) for kind, found in alike.items())
