"""Keys, missing ends, left-overs, counters, rotations, versions, coverage."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity, Verdict
from runbooks.snapshot import AgentFacts
from runbooks.xfrm.model import Direction
from tests.diagnose.cluster_builder import NOW, make_cluster


def findings(samples, code, *, audit=False):
    return [f for f in diagnose(samples, audit=audit).findings if f.code is code]


@pytest.mark.parametrize("reading", ["once", "twice"])
def test_different_keys_under_one_spi_are_a_mismatch_and_not_stale(reading):
    cluster = make_cluster(2)
    for _, into in cluster.tunnels("node1", "node2"):
        cluster.change(into, key_hash="another", seq=90_000)

    diagnosis = diagnose(getattr(cluster, reading)())

    assert diagnosis.verdict is Verdict.DEGRADED
    (finding,) = diagnosis.findings
    assert finding.code is Code.KEY_MISMATCH
    assert (finding.source, finding.destination) == ("node1", "node2")


def test_hidden_keys_are_no_mismatch():
    cluster = make_cluster(2)
    for _, into in cluster.tunnels("node1", "node2"):
        cluster.change(into, key_hash=None)

    assert diagnose(cluster.once()).verdict is Verdict.HEALTHY


def test_keys_made_after_the_other_end_was_read_are_no_mismatch():
    cluster = make_cluster(2)
    cluster.read_at = {"node1": float(NOW), "node2": NOW + 120.0}
    for _, into in cluster.tunnels("node1", "node2"):
        cluster.change(into, key_hash="after a reboot", added_s=NOW + 60, seq=0)
    for out, _ in cluster.tunnels("node2", "node1"):
        cluster.change(out, key_hash="after a reboot", added_s=NOW + 60, oseq=0)

    assert findings(cluster.once(), Code.KEY_MISMATCH) == []


@pytest.mark.parametrize("way", [Direction.OUT, Direction.IN])
def test_missing_end_is_found_on_the_node_that_lacks_it(way):
    cluster = make_cluster(3)
    node, peer = ("node1", "node2") if way is Direction.OUT else ("node2", "node1")
    cluster.remove(node, peer=peer, way=way)

    diagnosis = diagnose(cluster.twice())

    assert diagnosis.verdict is Verdict.DEGRADED
    (finding,) = diagnosis.findings
    assert finding.code is Code.MISSING_XFRM_STATE
    assert (finding.source, finding.destination) == ("node1", "node2")
    assert finding.evidence["missing_on"] == node


def test_node_unknown_to_its_peers_is_missing_on_them():
    cluster = make_cluster(3)
    for peer in ("node1", "node3"):
        cluster.remove(peer, peer="node2")

    found = findings(cluster.once(), Code.MISSING_XFRM_STATE)

    assert {(f.source, f.destination) for f in found} == {
        ("node1", "node2"),
        ("node2", "node1"),
        ("node2", "node3"),
        ("node3", "node2"),
    }


def test_state_that_appears_in_the_second_sample_is_not_missing():
    cluster = make_cluster(2)
    kept = dict(cluster.states)
    cluster.remove("node1", peer="node2", way=Direction.OUT)

    def appear():
        cluster.states.update(kept)

    assert diagnose(cluster.twice(appear)).verdict is Verdict.HEALTHY


def test_subnet_encryption_with_more_inbound_than_outbound_states_is_healthy():
    cluster = make_cluster(3, tunnel=True)
    for where in list(cluster.states):
        if where[4] is Direction.OUT and where[1].startswith("192.168."):
            del cluster.states[where]

    assert diagnose(cluster.twice(), audit=True).findings == ()


def test_one_inbound_state_for_all_peers_is_not_missing():
    cluster = make_cluster(3, esn=False, window=0)
    for where, state in list(cluster.states.items()):
        if where[4] is Direction.IN:
            del cluster.states[where]
            anybody = (where[0], "0.0.0.0", *where[2:])
            cluster.states[anybody] = replace(state, source="0.0.0.0")

    assert diagnose(cluster.twice(), audit=True).findings == ()


def test_node_that_lags_in_a_rotation_is_not_missing():
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 3)
    for where in [w for w in cluster.states if w[0] == "node2" and w[3] == 4]:
        del cluster.states[where]

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.ROTATING
    assert diagnosis.alarming == ()


def leave_over(cluster):
    where, state = next(iter(cluster.states.items()))
    gone = replace(state, destination="10.99.0.5", spi=3)
    cluster.foreign = {where[0]: [gone]}
    return cluster


def test_left_over_of_a_gone_node_is_only_told_in_an_audit():
    cluster = leave_over(make_cluster(2))

    assert diagnose(cluster.once()).findings == ()
    (finding,) = diagnose(cluster.once(), audit=True).findings
    assert finding.code is Code.ORPHANED_XFRM_STATE
    assert finding.severity is Severity.INFO
    assert finding.evidence["addresses"] == ["10.99.0.5"]


def test_nodes_of_other_clusters_of_a_mesh_are_not_left_over():
    cluster = leave_over(make_cluster(2))
    cluster.config["cluster-id"] = "4"

    diagnosis = diagnose(cluster.once(), audit=True)

    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.findings == ()


def test_left_over_under_an_old_spi_is_no_rotation():
    cluster = leave_over(make_cluster(2))
    (left,) = cluster.foreign["node1"]
    cluster.foreign = {"node1": [replace(left, spi=2)]}

    assert diagnose(cluster.once()).verdict is Verdict.HEALTHY


def rising(counter, cluster):
    cluster.counters = {"node2": {counter: 5}}

    def rise():
        cluster.counters = {"node2": {counter: 8}}

    return diagnose(cluster.twice(rise))


def test_errors_that_rise_are_a_warning():
    diagnosis = rising("XfrmInNoStates", make_cluster(2))

    (finding,) = diagnosis.findings
    assert finding.code is Code.XFRM_ERRORS_RISING
    assert finding.node == "node2"
    assert finding.evidence["deltas"] == {"XfrmInNoStates": 3}
    assert diagnosis.verdict is Verdict.DEGRADED


@pytest.mark.parametrize("counter", ["XfrmFwdHdrError", "XfrmInError"])
def test_errors_of_everyday_are_no_alarm(counter):
    assert rising(counter, make_cluster(2)).verdict is Verdict.HEALTHY


def test_errors_that_a_rotation_explains_are_no_alarm():
    cluster = make_cluster(2)
    cluster.rotate(4, NOW - 3)

    assert rising("XfrmInNoStates", cluster).verdict is Verdict.ROTATING


def test_errors_of_a_stale_pair_are_not_told_twice():
    cluster = make_cluster(2).break_node("node2")

    diagnosis = rising("XfrmInStateProtoError", cluster)

    assert [f.code for f in diagnosis.findings] == [Code.STALE_XFRM_STATE]


def test_version_skew_is_told_without_alarm():
    cluster = make_cluster(2)
    cluster.agents = {"node2": AgentFacts(version="1.17.4")}

    diagnosis = diagnose(cluster.once())

    assert [f.code for f in diagnosis.findings] == [Code.AGENT_VERSION_SKEW]
    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.exit_code == 0


@pytest.mark.parametrize(("esn", "found"), [(False, 1), (True, 0)])
def test_numbers_run_out_only_without_esn(esn, found):
    cluster = make_cluster(2, esn=esn, window=0)
    out, _ = next(cluster.tunnels("node1", "node2"))
    cluster.change(out, oseq=4_000_000_000)

    assert len(findings(cluster.once(), Code.SEQUENCE_EXHAUSTION)) == found


def test_unread_node_makes_a_healthy_rest_unknown():
    cluster = make_cluster(3)
    cluster.unread = {"node3"}

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.UNKNOWN
    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["node3"]
    assert any("node3" in sentence for sentence in diagnosis.incomplete)


def test_stale_pair_outweighs_an_unread_node():
    cluster = make_cluster(3).break_node("node2")
    cluster.unread = {"node3"}

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.STALE
    assert diagnosis.exit_code == 1


def test_peer_that_shows_only_in_states_is_named_by_its_address():
    cluster = make_cluster(3, tunnel=True)
    cluster.with_objects = False
    cluster.names.remove("node3")

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.UNKNOWN
    assert [(n.name, n.read) for n in diagnosis.nodes] == [
        ("node1", True),
        ("node2", True),
        ("10.0.3.5", False),
    ]


def test_cluster_without_any_state_of_cilium_is_not_called_healthy():
    cluster = make_cluster(2)
    cluster.states.clear()
    cluster.config = {}

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.UNKNOWN
    assert "enable-ipsec" in diagnosis.incomplete[0]


def test_lone_node_of_an_ipsec_cluster_is_healthy():
    assert diagnose(make_cluster(1).twice()).verdict is Verdict.HEALTHY


def test_findings_are_sorted_worst_first():
    cluster = make_cluster(8).break_node("node2")
    cluster.agents = {"node2": AgentFacts(version="1.17.4")}

    found = diagnose(cluster.once()).findings

    assert [f.severity for f in found] == [Severity.CRITICAL] * 7 + [Severity.INFO]
