"""What every step of a rotation needs at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runbooks.rotation.patch import require_key
from runbooks.rotation.waiting import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.collect.agent_exec import Ran
    from runbooks.diagnose.finding import Diagnosis
    from runbooks.rotation.cluster import Cluster
    from runbooks.rotation.coverage import Addresses
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


class KernelView(Protocol):
    """Reads the nodes' kernels."""

    def states(self, *, policies: bool = False) -> Snapshot:
        """Read the XFRM states of all nodes, and their policies if asked to."""

    def assess(
        self, *, audit: bool = False, after_first: Callable[[], None] | None = None
    ) -> Assessment:
        """Run the check.

        Args:
            audit: Whether to tell also what needs no action now.
            after_first: Called between the two samples.
        """


class Reader(KernelView, Protocol):
    """Reads the kernels of one cluster's nodes, and runs commands there."""

    def check(self, *, audit: bool = False) -> Diagnosis:
        """Run the check as deep as it takes; the states themselves are not kept.

        Args:
            audit: Whether to compare every pair of nodes, however many there are.
        """

    def run(self, argv: Sequence[str], node: str | None = None) -> dict[str, Ran]:
        """Run a command in the agents' pods, or in the one of a node.

        Returns:
            What came of it, by node; nodes whose agent can't be entered are
            left out.
        """


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Nodes that have states for one another.

    Attributes:
        members: Names of the nodes that are looked at.
        addresses: Addresses of these and of all their peers, by node.
    """

    members: frozenset[str]
    addresses: Addresses


class Place(Protocol):
    """Where a rotation takes place: a cluster, or several."""

    def neighbourhoods(self, snapshot: Snapshot) -> list[Neighbourhood]:
        """Read who is whose peer; every node is a member once.

        Args:
            snapshot: The nodes' states, which tell which clusters are meshed.
        """

    def require_key(self, key_id: int) -> None:
        """Look whether every Secret still holds a key.

        Raises:
            RotationError: If somebody changed or deleted one meanwhile.
        """


@dataclass(frozen=True, slots=True)
class OneCluster:
    """The place of a rotation of one cluster."""

    cluster: Cluster

    def neighbourhoods(self, snapshot: Snapshot) -> list[Neighbourhood]:  # noqa: ARG002
        """All nodes of a cluster are peers."""
        addresses = self.cluster.addresses()
        return [Neighbourhood(frozenset(addresses), addresses)]

    def require_key(self, key_id: int) -> None:
        """Look whether the Secret still holds a key."""
        require_key(self.cluster, key_id)


class Watch(Protocol):
    """What a step needs that only looks and waits; see :class:`Session`."""

    @property
    def place(self) -> Place:
        """Where the rotation takes place."""

    @property
    def reader(self) -> KernelView:
        """The nodes' kernels."""

    @property
    def tell(self) -> Callable[[str], None]:
        """Shows the operator a line."""

    @property
    def between(self) -> Callable[[], None]:
        """Called again and again during waits."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the playbook, as its steps see it.

    Attributes:
        cluster: The Kubernetes API.
        reader: The nodes' kernels.
        tell: Shows the operator a line while a step is at work.
        between: Called again and again during waits; raises where the run has to
            end, because its lock is lost or its playbook gone.
        brief: Pace of a single read that may meet a moment without answer.
    """

    cluster: Cluster
    reader: Reader
    tell: Callable[[str], None] = lambda _line: None
    between: Callable[[], None] = lambda: None
    brief: Pace = field(default_factory=lambda: Pace(limit_s=60.0))

    @property
    def place(self) -> Place:
        """Where the rotation takes place: this one cluster."""
        return OneCluster(self.cluster)
