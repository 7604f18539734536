"""What a diagnosis says: findings, and the verdict that they add up to."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(enum.StrEnum):
    """How much a finding matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Verdict(enum.StrEnum):
    """The worst thing known about a cluster."""

    HEALTHY = "healthy"
    ROTATING = "rotating"
    DEGRADED = "degraded"
    STALE = "stale"
    UNKNOWN = "unknown"


class Code(enum.StrEnum):
    """The catalog of conditions; a code never changes its meaning."""

    STALE_XFRM_STATE = "stale-xfrm-state"
    KEY_MISMATCH = "key-mismatch"
    MISSING_XFRM_STATE = "missing-xfrm-state"
    ORPHANED_XFRM_STATE = "orphaned-xfrm-state"
    XFRM_ERRORS_RISING = "xfrm-errors-rising"
    SEQUENCE_EXHAUSTION = "sequence-exhaustion"
    ROTATION_IN_PROGRESS = "rotation-in-progress"
    ROTATION_STALLED = "rotation-stalled"
    KVSTORE_LEASE_EXPIRING = "kvstore-lease-expiring"
    KVSTORE_LEASE_EXPIRED = "kvstore-lease-expired"
    KVSTORE_RECREATED = "kvstore-recreated"
    CILIUMNODE_RECREATED = "ciliumnode-recreated"
    AGENT_VERSION_SKEW = "agent-version-skew"
    PLAINTEXT_FALLBACK = "plaintext-fallback"


class Depth(enum.StrEnum):
    """How deep a cluster was read."""

    #: Every node's sums; states only of nodes that show something.
    DEFAULT = "default"
    #: Both ends of every pair.
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosed condition.

    Attributes:
        code: What it is.
        severity: How much it matters.
        summary: One plain sentence for the operator.
        source: Sending node of the pair, for findings about a pair.
        destination: Receiving node of the pair, likewise.
        node: The node, for findings about one node.
        spi: SPI of the states in question.
        evidence: The numbers that it rests on, ready for JSON.
        cause: What led to it; ``None`` when it can't be told.
        runbook: Name of the page that helps.
        audit: Whether it is only worth telling in an audit.
    """

    code: Code
    severity: Severity
    summary: str
    source: str | None = None
    destination: str | None = None
    node: str | None = None
    spi: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    cause: Code | None = None
    runbook: str | None = None
    audit: bool = False


@dataclass(frozen=True, slots=True)
class NodeReading:
    """Whether a node's states were read."""

    name: str
    read: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer of a check.

    Attributes:
        verdict: The worst thing known.
        findings: Worst first.
        nodes: Every node that should have been read.
        incomplete: What could not be read, a sentence each.
        twice: Whether the cluster was read twice, so that findings tell of now.
        depth: How deep it was read.
        condition: The one condition that this is about; ``None`` for all.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    nodes: tuple[NodeReading, ...]
    incomplete: tuple[str, ...] = ()
    twice: bool = False
    depth: Depth = Depth.AUDIT
    condition: Code | None = None

    @property
    def alarming(self) -> tuple[Finding, ...]:
        """The findings of severity warning or critical."""
        return tuple(f for f in self.findings if f.severity is not Severity.INFO)

    @property
    def exit_code(self) -> int:
        """``check``'s exit status: 0 healthy, 1 findings, 3 not all was read."""
        if self.alarming:
            return 1
        return 3 if self.verdict is Verdict.UNKNOWN else 0
