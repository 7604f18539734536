"""What every step of a rotation needs at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runbooks.rotation.waiting import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.collect.agent_exec import Ran
    from runbooks.diagnose.finding import Diagnosis
    from runbooks.rotation.cluster import Cluster
    from runbooks.snapshot import Samples, Snapshot


@dataclass(frozen=True, slots=True)
class Assessment:
    """The check's answer, and the samples that it rests on."""

    diagnosis: Diagnosis
    samples: Samples

    @property
    def snapshot(self) -> Snapshot:
        """The complete one of both samples."""
        return self.samples.first


class Reader(Protocol):
    """Reads the nodes' kernels."""

    def states(self, *, policies: bool = False) -> Snapshot:
        """Read the XFRM states of all nodes, and their policies if asked to."""

    def assess(self, *, audit: bool = False) -> Assessment:
        """Run the check."""

    def run(self, argv: Sequence[str], node: str | None = None) -> dict[str, Ran]:
        """Run a command in the agents' pods, or in the one of a node.

        Returns:
            What came of it, by node; nodes whose agent can't be entered are
            left out.
        """


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the playbook, as its steps see it.

    Attributes:
        cluster: The Kubernetes API.
        reader: The nodes' kernels.
        tell: Shows the operator a line while a step is at work.
        between: Called again and again during waits: renews the lock, and
            raises where the run has to end.
        brief: Pace of a single read that may meet a moment without answer.
    """

    cluster: Cluster
    reader: Reader
    tell: Callable[[str], None] = lambda _line: None
    between: Callable[[], None] = lambda: None
    brief: Pace = field(default_factory=lambda: Pace(limit_s=60.0))
