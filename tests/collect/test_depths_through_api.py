"""A check through a real API server, its scripts run by a real shell and awk."""

import asyncio

import pytest

from runbooks.collect import depths
from runbooks.collect.cluster import ClusterReader
from runbooks.collect.depths import read_for_check
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Depth
from runbooks.report.json import as_data
from tests.playbooks.conftest import FleetPods
from tests.rotation.api_server import Api
from tests.rotation.fleet import Fleet


class CountingPods(FleetPods):
    """Counts what each node sends, and lets one hang."""

    def __init__(self, fleet, folder):
        super().__init__(fleet, folder)
        self.sent = {name: [] for name in fleet.nodes}
        self.hanging = None

    async def run(self, pod, container, argv, io, stdin, tty):
        name = pod["spec"]["nodeName"]
        if name == self.hanging:
            await asyncio.Event().wait()
        counted = _Counted(io)
        status = await super().run(pod, container, argv, counted, stdin, tty)
        self.sent[name].append(counted.bytes)
        return status


class _Counted:
    def __init__(self, io):
        self._io = io
        self.bytes = 0

    async def read_stdin(self):
        return await self._io.read_stdin()

    async def write_stdout(self, data):
        self.bytes += len(data)
        await self._io.write_stdout(data)

    async def write_stderr(self, data):
        self.bytes += len(data)
        await self._io.write_stderr(data)


def _timeless(said):
    """What a diagnosis says, but for when: two reads are never at the same time."""
    if isinstance(said, dict):
        return {
            field: _timeless(value)
            for field, value in said.items()
            if not field.endswith(("_read", "_age_s"))
        }
    return [_timeless(each) for each in said] if isinstance(said, list) else said


@pytest.fixture
def cluster(tmp_path):
    """A fleet of three, its pods, and what reads it."""
    fleet = Fleet(tmp_path)
    pods = CountingPods(fleet, tmp_path / "nodes")
    api = Api(fleet, pods.run)
    yield fleet, pods, ClusterReader.connect(api.kubeconfig)
    api.close()


@pytest.fixture
def only_sums(monkeypatch):
    """Treat even a small cluster as one whose audit is not cheap."""
    monkeypatch.setattr(depths, "SURELY_CHEAP_NODES", 0)
    monkeypatch.setattr(depths, "CHEAP_AUDIT_BYTES", 0)


def test_three_nodes_are_compared_at_once(cluster):
    fleet, pods, reader = cluster
    fleet.nodes["node1"].stale_from = {2}

    diagnosis = diagnose(read_for_check(reader, 0))

    found = {(f.source, f.destination) for f in diagnosis.findings}
    assert found == {("node2", "node1")}
    assert diagnosis.depth is Depth.AUDIT
    assert [len(sent) for sent in pods.sent.values()] == [2, 2, 2]


def test_compact_samples_say_the_same_as_the_full_text(cluster):
    fleet, _, reader = cluster
    fleet.nodes["node1"].stale_from = {2}

    compact, text = read_for_check(reader, 0), reader.samples(0)

    assert _timeless(as_data(diagnose(compact))) == _timeless(as_data(diagnose(text)))
    for name, node in compact.first.nodes.items():
        other = text.first.nodes[name]
        assert node.counters.items() >= other.counters.items()
        assert node.boot_id == other.boot_id
        assert node.policies == other.policies
        assert node.internal_ips == other.internal_ips
        assert node.agent == other.agent
        assert [s.key_hash for s in node.states] == [
            s.key_hash[:16] for s in other.states
        ]


@pytest.mark.usefixtures("only_sums")
def test_healthy_nodes_sums_are_few_bytes(cluster):
    _, pods, reader = cluster

    diagnosis = diagnose(read_for_check(reader, 0))

    assert (diagnosis.exit_code, diagnosis.depth) == (0, Depth.DEFAULT)
    for sent in pods.sent.values():
        assert len(sent) == 2
        assert sum(sent) <= 2048


@pytest.mark.usefixtures("only_sums")
def test_rising_errors_lead_to_a_closer_look(cluster):
    fleet, pods, reader = cluster
    fleet.nodes["node1"].stale_from = {2}
    look, write = [], pods._write_node

    def count(name):
        look.append(name)
        fleet.nodes["node1"].proto_errors = len(look)
        write(name)

    pods._write_node = count

    diagnosis = diagnose(read_for_check(reader, 0))

    found = {(f.source, f.destination) for f in diagnosis.findings}
    assert found == {("node2", "node1")}
    assert diagnosis.depth is Depth.DEFAULT


@pytest.mark.usefixtures("only_sums")
def test_pod_that_hangs_hides_no_other(cluster, monkeypatch):
    _, pods, reader = cluster
    monkeypatch.setattr(depths, "BRIEF_LIMIT_S", 2.0)
    pods.hanging = "node2"

    diagnosis = diagnose(read_for_check(reader, 0))

    assert [(n.name, n.read) for n in diagnosis.nodes] == [
        ("node1", True),
        ("node2", False),
        ("node3", True),
    ]
    assert "node2: not read, no answer within 2 s from its agent." in (
        diagnosis.incomplete
    )
    assert (diagnosis.verdict, diagnosis.exit_code) == ("unknown", 3)


@pytest.mark.usefixtures("only_sums")
def test_single_node_has_no_peers_and_is_healthy(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    pods = CountingPods(fleet, tmp_path / "nodes")
    api = Api(fleet, pods.run)
    try:
        diagnosis = diagnose(read_for_check(ClusterReader.connect(api.kubeconfig), 0))
    finally:
        api.close()

    assert (diagnosis.exit_code, diagnosis.depth) == (0, Depth.DEFAULT)


def test_states_for_a_rotation_come_without_keys(cluster):
    _, pods, reader = cluster

    snapshot = reader.states()

    (states,) = {len(node.states) for node in snapshot.nodes.values()}
    assert states == 4
    assert {s.key_hash for n in snapshot.nodes.values() for s in n.states} == {None}
    assert max(max(sent) for sent in pods.sent.values()) < 1000
