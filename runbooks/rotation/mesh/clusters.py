"""Several clusters, looked at as one.

A node is called ``context/node``: names may repeat from cluster to cluster.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import combinations
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, TypeVar

from runbooks.rotation.errors import RefusedError, TransientError, named
from runbooks.rotation.mesh.diagnosis import diagnose_mesh
from runbooks.rotation.mesh.names import context_of, qualified
from runbooks.rotation.patch import require_key
from runbooks.rotation.session import Assessment, Neighbourhood, Session
from runbooks.snapshot import Samples, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbooks.rotation.coverage import Addresses

T = TypeVar("T")

#: The slowest cluster may take this much longer for its first sample.
RENDEZVOUS_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Mesh:
    """One run of the playbook on several clusters, by context.

    A :class:`~runbooks.rotation.session.Watch` over all of them.
    """

    sessions: Mapping[str, Session]
    tell: Callable[[str], None] = lambda _line: None
    between: Callable[[], None] = lambda: None
    _meshed: set[frozenset[str]] = field(default_factory=set, repr=False)

    @property
    def place(self) -> Mesh:
        """All clusters."""
        return self

    @property
    def reader(self) -> Mesh:
        """The kernels of all nodes."""
        return self

    def each(self, action: Callable[[str, Session], T]) -> dict[str, T]:
        """Do the same in every cluster, side by side.

        Args:
            action: Called with a context and its session, in a thread.

        Raises:
            RefusedError: With the reasons of all clusters that refused.
            RotationError: What went wrong in one, with its name in front.
        """
        with ThreadPoolExecutor(max_workers=len(self.sessions)) as pool:
            begun = {
                context: pool.submit(action, context, session)
                for context, session in self.sessions.items()
            }
        failed = {
            context: error
            for context, task in begun.items()
            if (error := task.exception()) is not None
        }
        reasons = [
            f"{context}: {reason}"
            for context, error in failed.items()
            if isinstance(error, RefusedError)
            for reason in error.reasons
        ]
        if reasons:
            raise RefusedError(reasons)
        # A cluster that only waited for another has nothing to say itself.
        for context, error in sorted(
            failed.items(), key=lambda item: isinstance(item[1], _NotMetError)
        ):
            raise named(context, error)
        return {context: task.result() for context, task in begun.items()}

    # As a place.

    def neighbourhoods(self, snapshot: Snapshot) -> list[Neighbourhood]:
        """Each cluster's nodes; their peers are those of meshed clusters as well."""
        addresses = self.each(lambda _, session: session.cluster.addresses())
        called = {
            context: {qualified(context, node): ips for node, ips in found.items()}
            for context, found in addresses.items()
        }
        self._meshed.update(meshed(snapshot, called))
        around = []
        for context, own in called.items():
            peers = dict(own)
            for other, theirs in called.items():
                if frozenset((context, other)) in self._meshed:
                    peers |= theirs
            around.append(Neighbourhood(frozenset(own), peers))
        return around

    def require_key(self, key_id: int) -> None:
        """Look whether every cluster's Secret still holds a key."""
        self.each(lambda _, session: require_key(session.cluster, key_id))

    # As a reader.

    def states(self, *, policies: bool = False) -> Snapshot:
        """Read the XFRM states of all nodes of all clusters."""
        return joined(
            self.each(lambda _, session: session.reader.states(policies=policies))
        )

    def assess(
        self, *, audit: bool = False, after_first: Callable[[], None] | None = None
    ) -> Assessment:
        """Run the check in every cluster, and between clusters that are meshed."""
        # Between clusters, too, the first sample has to end before the second.
        rendezvous = Barrier(len(self.sessions), action=after_first)

        def one(_context: str, session: Session) -> Assessment:
            try:
                return session.reader.assess(
                    audit=audit,
                    after_first=lambda: _meet(rendezvous),
                )
            except BaseException:
                rendezvous.abort()
                raise

        found = self.each(one)
        first = joined({c: a.samples.first for c, a in found.items()})
        seconds = {c: a.samples.second for c, a in found.items() if a.samples.second}
        samples = Samples(first, joined(seconds) if seconds else None)
        for pair in meshed(first, _addresses(first)):
            self._meshed.add(pair)
        diagnosis = diagnose_mesh(
            {context: each.diagnosis for context, each in found.items()},
            samples,
            self._meshed,
        )
        return Assessment(diagnosis, samples)


def joined(snapshots: Mapping[str, Snapshot]) -> Snapshot:
    """One snapshot of all clusters' nodes, by their qualified names."""
    nodes = {
        (name := qualified(context, node.name)): replace(node, name=name)
        for context, snapshot in snapshots.items()
        for node in snapshot.nodes.values()
    }
    facts = [
        (context, snapshot.cluster) for context, snapshot in sorted(snapshots.items())
    ]
    return Snapshot(
        nodes,
        replace(
            facts[0][1],
            cilium_nodes={
                (name := qualified(context, found.name)): replace(found, name=name)
                for context, cluster in facts
                for found in cluster.cilium_nodes.values()
            },
            store=None,
            unread=tuple(
                f"{context}: {sentence}"
                for context, cluster in facts
                for sentence in cluster.unread
            ),
        ),
    )


def meshed(
    snapshot: Snapshot, addresses: Mapping[str, Addresses]
) -> set[frozenset[str]]:
    """Pairs of clusters whose nodes have states for one another.

    Args:
        snapshot: The states of all nodes.
        addresses: For each context, the addresses of its nodes.

    Returns:
        Two contexts each. Clusters that share an address can't be meshed: their
        states mean their own nodes.
    """
    of_context = {
        context: frozenset().union(*nodes.values())
        for context, nodes in addresses.items()
    }
    peers: dict[str, set[str]] = {context: set() for context in addresses}
    for node in snapshot.nodes.values():
        context = context_of(node.name)
        for state in node.states or ():
            if state.direction is not None:
                peers[context] |= {state.source, state.destination}
    return {
        frozenset((one, other))
        for one, other in combinations(sorted(addresses), 2)
        if not of_context[one] & of_context[other]
        and (peers[one] & of_context[other] or peers[other] & of_context[one])
    }


def _addresses(snapshot: Snapshot) -> dict[str, Addresses]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for node in snapshot.nodes.values():
        found.setdefault(context_of(node.name), {})
    for facts in snapshot.cluster.cilium_nodes.values():
        ips = frozenset((*facts.internal_ips, *facts.cilium_internal_ips))
        found.setdefault(context_of(facts.name), {})[facts.name] = ips
    return dict(found)


class _NotMetError(TransientError):
    """Another cluster was not read in time, or not at all."""


def _meet(rendezvous: Barrier) -> None:
    try:
        rendezvous.wait(RENDEZVOUS_LIMIT_S)
    except BrokenBarrierError:
        raise _NotMetError("the other clusters, which were not read in time") from None
