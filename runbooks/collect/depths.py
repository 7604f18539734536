"""How much of a cluster a check reads.

Every node is asked what its states sum up to, twice. Where that shows something
(:mod:`runbooks.collect.signs`), the states themselves are read, of these nodes and,
as far as they belong to them, of their peers: both ends of every pair that one of
them is in. An audit reads the states of all nodes. In a cluster so small that an
audit is cheap, it is what a check does.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.collect.cluster import snapshot_of
from runbooks.collect.pod import script
from runbooks.collect.pod.answers import in_objects, own_addresses, read_answer
from runbooks.collect.signs import signs
from runbooks.snapshot import NodeSnapshot, Samples, Snapshot
from runbooks.xfrm.compact import CompactStates

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runbooks.collect.agent_exec import AgentExec, Answer
    from runbooks.collect.cluster import ClusterReader
    from runbooks.collect.control_plane import ClusterObjects

#: An audit that moves less than this is always done.
CHEAP_AUDIT_BYTES = 1_000_000
#: A state's line, and its share of the addresses.
STATE_BYTES = 64
#: Of one sample of one node: parts, their names, counters, boot ID and so on.
NODE_BYTES = 1_000
#: A cluster of this many nodes has a cheap audit, with both IP families, the
#: encrypted overlay and two keys during a rotation.
SURELY_CHEAP_NODES = 16
#: With more nodes that show something, every node is read.
MOST_CLOSE_LOOKS = 32
#: A node with more states keeps them in columns.
MOST_OBJECTS = 256
#: How long a node may take: for its sums, and for its states.
BRIEF_LIMIT_S = 30.0
STATES_LIMIT_S = 60.0


def read_for_check(
    reader: ClusterReader, interval_s: float = 1.0, *, audit: bool = False
) -> Samples:
    """Read a cluster as deep as it takes.

    Args:
        reader: Reads its nodes.
        interval_s: Seconds between the end of the first sample and the second.
        audit: Whether to read every state of every node in any case.

    Returns:
        Both samples. A node of which only sums were read has them as ``brief``, and
        no states.

    Raises:
        CollectError: There is no cluster, no Cilium, no IPsec, or no right.
    """
    nodes = _Nodes(reader, reader.objects_for_check())
    if audit or nodes.surely_cheap:
        return nodes.audit(interval_s)
    first = nodes.brief("first")
    if _audit_bytes(first) < CHEAP_AUDIT_BYTES:
        return nodes.audit(interval_s, first)
    time.sleep(interval_s)
    second = nodes.brief("second", _answering(first))
    shown = signs(first, second)
    if not shown:
        return _with_zeros(Samples(first, second))
    if len(shown) > MOST_CLOSE_LOOKS:
        return nodes.audit(interval_s, Snapshot({**first.nodes, **second.nodes}))
    return nodes.close_look(Samples(first, second), shown, interval_s)


class _Nodes:
    """The nodes of one cluster, read to one depth or the other."""

    def __init__(self, reader: ClusterReader, objects: ClusterObjects) -> None:
        self._reader = reader
        self._objects = objects

    @property
    def surely_cheap(self) -> bool:
        """Whether the number of nodes tells that an audit is cheap."""
        facts = self._objects.facts()
        # The peers on other clusters of a mesh are not known here.
        alone = facts.config.get("cluster-id") in {None, "", "0"}
        return alone and len(self._objects.pods) <= SURELY_CHEAP_NODES

    def audit(self, interval_s: float, asked: Snapshot | None = None) -> Samples:
        """Read the states of every node, twice.

        A pod that hung once is not waited for again.

        Args:
            interval_s: Seconds between the samples.
            asked: What the nodes answered before, if they were asked.
        """
        if asked is None:
            first = self._states("first")
        else:
            first = dict(asked.nodes) | self._states("first", _answering(asked))
        time.sleep(interval_s)
        read = [name for name, node in first.items() if node.states_read]
        second = self._states("second", read)
        return _with_zeros(Samples(self._snapshot(first), self._snapshot(second)))

    def brief(self, sample: str, names: Collection[str] | None = None) -> Snapshot:
        """Read what the states of nodes sum up to; of every node if none is named."""

        def ask(run: AgentExec, pod: str) -> Answer:
            return run.ask(pod, script("brief"), [sample], BRIEF_LIMIT_S)

        answers = self._reader.ask_nodes(self._objects, ask, read_answer, names)
        return snapshot_of(answers, self._objects)

    def close_look(
        self, brief: Samples, names: Collection[str], interval_s: float
    ) -> Samples:
        """Read the states of some nodes, and their peers' for them, twice.

        Args:
            brief: What was read of all nodes before.
            names: The nodes.
            interval_s: Seconds between the samples.
        """
        assert brief.second is not None
        # They refuse packets, if any do: receivers come before senders.
        first = self._states("first", names)
        for_them = self._addresses(names, first)
        asked = frozenset(names)
        others = _answering(brief.second) - asked
        first |= _of_peers(self._states("first", others, for_them), asked)
        time.sleep(interval_s)
        read = {name for name, node in first.items() if node.states_read}
        second = self._states("second", read & asked)
        second |= _of_peers(self._states("second", read & others, for_them), asked)
        return _with_zeros(
            Samples(
                self._over(brief.first, first, counters=brief.first),
                self._over(brief.second, second, counters=None),
            )
        )

    def _states(
        self,
        sample: str,
        names: Collection[str] | None = None,
        addresses: Collection[str] = (),
    ) -> dict[str, NodeSnapshot]:
        """Read states, only those of some addresses if there are any given."""
        arguments = [sample, " ".join(sorted(addresses))]

        def ask(run: AgentExec, pod: str) -> Answer:
            return run.ask(pod, script("compact"), arguments, STATES_LIMIT_S)

        answers = self._reader.ask_nodes(
            self._objects, ask, read_answer, names, keep_files=False
        )
        return {n: in_objects(a.node, MOST_OBJECTS) for n, a in answers.items()}

    def _addresses(
        self, names: Collection[str], read: Mapping[str, NodeSnapshot]
    ) -> frozenset[str]:
        """Every address of some nodes, by their CiliumNodes and their own states."""
        facts = self._objects.facts().cilium_nodes
        found: set[str] = set()
        for name in names:
            if name in facts:
                found.update(facts[name].internal_ips)
                found.update(facts[name].cilium_internal_ips)
            if name in read:
                found.update(read[name].internal_ips)
                found.update(read[name].cilium_internal_ips)
                found.update(_own_addresses(read[name]))
        return frozenset(found)

    def _snapshot(self, nodes: Mapping[str, NodeSnapshot]) -> Snapshot:
        return Snapshot(dict(sorted(nodes.items())), self._objects.facts())

    def _over(
        self,
        brief: Snapshot,
        read: Mapping[str, NodeSnapshot],
        counters: Snapshot | None,
    ) -> Snapshot:
        """Put what was read last over what was read before.

        The counters of both depths make one longer time: the first of them counts
        in the first sample, the last in the second.
        """
        nodes = dict(brief.nodes)
        for name, node in read.items():
            before = brief.nodes[name]
            if not node.states_read:
                # Its sums showed something, or its peers' did: they are not enough.
                nodes[name] = replace(node, counters=before.counters)
                continue
            earlier = counters is not None and before.counters is not None
            # Of a peer, states and counters were asked for and nothing else.
            nodes[name] = replace(
                node,
                agent=before.agent,
                boot_id=before.boot_id,
                brief=before.brief,
                counters=before.counters if earlier else node.counters,
            )
        return self._snapshot(nodes)


def _answering(read: Snapshot) -> set[str]:
    """Names of the nodes whose pods gave an answer, however poor."""
    return {name for name, node in read.nodes.items() if node.clock_s is not None}


def _own_addresses(node: NodeSnapshot) -> frozenset[str]:
    if node.compact is not None:
        return own_addresses(node.compact)
    return own_addresses(CompactStates.of_states(node.states or ()))


def _of_peers(
    nodes: Mapping[str, NodeSnapshot], peers: frozenset[str]
) -> dict[str, NodeSnapshot]:
    return {name: replace(node, peers=peers) for name, node in nodes.items()}


def _audit_bytes(brief: Snapshot) -> int:
    """What two samples of all states move."""
    found = [node.brief for node in brief.nodes.values() if node.brief is not None]
    return 2 * sum(NODE_BYTES + STATE_BYTES * sums.states for sums in found)


def _with_zeros(samples: Samples) -> Samples:
    """Give both samples the same counters: those that are 0 are not sent."""
    if samples.second is None:
        return samples
    first, second = dict(samples.first.nodes), dict(samples.second.nodes)
    for name, after in second.items():
        before = first.get(name)
        if before is None or before.counters is None or after.counters is None:
            continue
        zeros = dict.fromkeys((*before.counters, *after.counters), 0)
        first[name] = replace(before, counters=zeros | dict(before.counters))
        second[name] = replace(after, counters=zeros | dict(after.counters))
    return Samples(
        Snapshot(first, samples.first.cluster), Snapshot(second, samples.second.cluster)
    )
