"""A node that is about to be forgotten is told while there is time."""

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity, Verdict
from runbooks.snapshot import AgentFacts, StoredNodeFacts, StoreFacts
from tests.diagnose.cluster_builder import CRD, DAY, NOW, make_cluster

STARTED = NOW - DAY


def expiring(cluster):
    return [
        f
        for f in diagnose(cluster.twice()).findings
        if f.code is Code.KVSTORE_LEASE_EXPIRING
    ]


def down(seconds):
    cluster = make_cluster(3)
    cluster.unread = {"node2"}
    cluster.agents["node2"] = AgentFacts(ready=False, down_since_s=NOW - seconds)
    return cluster


def store(**lease):
    nodes = {
        name: StoredNodeFacts(name, lease_ttl_s=900.0, lease_left_s=780.0)
        for name in ("node1", "node3")
    }
    return StoreFacts(nodes | {"node2": StoredNodeFacts("node2", **lease)})


def test_agent_that_is_down_is_a_warning_with_how_long_is_left():
    (finding,) = expiring(down(400))

    assert finding.severity is Severity.WARNING
    assert finding.node == "node2"
    assert finding.evidence == {
        "lease_ttl_s": 900.0,
        "peers_with_states": 2,
        "agent_down_s": 400,
        "lease_left_at_most_s": 500,
    }
    assert "stale" in finding.summary


def test_lease_of_the_cluster_counts():
    cluster = down(40)
    cluster.config["kvstore-lease-ttl"] = "60s"

    (finding,) = expiring(cluster)

    assert finding.evidence["lease_left_at_most_s"] == 20


def test_agent_that_restarts_is_no_warning():
    assert expiring(down(120)) == []


@pytest.mark.parametrize("config", [CRD, {}])
def test_without_a_store_or_without_knowing_nothing_is_said(config):
    cluster = down(400)
    cluster.config = dict(config)

    assert expiring(cluster) == []


def test_node_that_its_peers_have_forgotten_already_is_not_about_to_be():
    cluster = down(4000)
    for peer in ("node1", "node3"):
        cluster.remove(peer, peer="node2")

    assert expiring(cluster) == []


def test_agent_that_is_cut_off_is_a_warning_in_its_own_words():
    cluster = make_cluster(3)
    cluster.agents["node2"] = AgentFacts(
        version="1.18.0", store_trouble="not able to connect to any etcd endpoints"
    )

    (finding,) = expiring(cluster)

    assert finding.node == "node2"
    assert "any etcd endpoints" in finding.summary


def test_store_that_is_away_for_all_is_one_finding():
    cluster = make_cluster(3)
    trouble = AgentFacts(version="1.18.0", store_trouble="no quorum")
    cluster.agents = dict.fromkeys(cluster.names, trouble)

    (finding,) = expiring(cluster)

    assert finding.node is None
    assert finding.evidence["cut_off"] == ["node1", "node2", "node3"]


def test_lease_that_is_overdue_is_told_to_the_second():
    cluster = make_cluster(3)
    cluster.store = store(lease_ttl_s=900.0, lease_left_s=312.0)

    (finding,) = expiring(cluster)

    assert finding.evidence["lease_left_s"] == 312


def test_lease_that_is_renewed_outweighs_what_else_is_said():
    cluster = down(400)
    cluster.store = store(lease_ttl_s=900.0, lease_left_s=880.0)

    assert expiring(cluster) == []


def test_key_that_is_gone_while_peers_still_have_states_is_a_warning():
    cluster = make_cluster(3)
    kept = store(lease_ttl_s=900.0, lease_left_s=880.0).nodes
    cluster.store = StoreFacts({n: kept[n] for n in ("node1", "node3")})
    cluster.agents["node2"] = AgentFacts(version="1.18.0", started_s=STARTED)

    (finding,) = expiring(cluster)

    assert finding.node == "node2"
    assert finding.evidence["key_in_store"] is False


def test_agent_that_has_just_started_writes_its_key_yet():
    cluster = make_cluster(3)
    cluster.store = StoreFacts({n: StoredNodeFacts(n) for n in ("node1", "node3")})
    cluster.agents["node2"] = AgentFacts(version="1.18.0", started_s=NOW - 10)

    assert expiring(cluster) == []


def test_store_without_keys_is_told_before_an_agent_restarts():
    cluster = make_cluster(3)
    cluster.store = StoreFacts()

    diagnosis = diagnose(cluster.twice())

    (finding,) = diagnosis.findings
    assert finding.code is Code.KVSTORE_RECREATED
    assert finding.severity is Severity.WARNING
    assert finding.evidence["nodes_without_key"] == ["node1", "node2", "node3"]
    assert diagnosis.verdict is Verdict.DEGRADED


def test_whole_store_is_nothing():
    cluster = make_cluster(3)
    cluster.store = store(lease_ttl_s=900.0, lease_left_s=610.0)

    assert diagnose(cluster.twice()).findings == ()


def test_store_of_another_cluster_tells_nothing():
    cluster = make_cluster(3)
    cluster.store = StoreFacts({"other": StoredNodeFacts("other")})

    assert diagnose(cluster.twice()).findings == ()
