"""The cause is told from what the cluster's objects say, or not at all."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose, narrow
from runbooks.diagnose.finding import Code, Verdict
from runbooks.snapshot import AgentFacts, ClusterFacts, StoredNodeFacts, StoreFacts
from tests.diagnose.cluster_builder import CRD, DAY, NOW, make_cluster

MADE = NOW - 3600
LONG_AGO = AgentFacts(started_s=NOW - 30 * DAY)


def causes(samples):
    return {f.cause for f in diagnose(samples).findings if f.code.startswith("stale")}


def lease_expired():
    cluster = make_cluster(3).break_node("node2", MADE)
    returned = AgentFacts(started_s=MADE - 10, previous_finished_s=MADE - 1500)
    cluster.agents = {"node1": LONG_AGO, "node2": returned, "node3": LONG_AGO}
    return cluster


def store_recreated():
    """node1 restarted first, node3 next, node2 last: it keeps its old states."""
    cluster = make_cluster(3).break_node("node2", MADE)
    cluster.agents = {
        "node1": AgentFacts(started_s=MADE - 100, previous_finished_s=MADE - 103),
        "node2": AgentFacts(started_s=MADE + 900, previous_finished_s=MADE + 897),
        "node3": AgentFacts(started_s=MADE - 60, previous_finished_s=MADE - 63),
    }
    return cluster


def cilium_node_recreated():
    cluster = make_cluster(3).break_node("node2", MADE)
    cluster.config = dict(CRD)
    cluster.created_s = {"node2": MADE - 2}
    cluster.agents = {
        "node1": LONG_AGO,
        "node2": AgentFacts(started_s=MADE - 4, previous_finished_s=MADE - 7),
        "node3": LONG_AGO,
    }
    return cluster


@pytest.mark.parametrize(
    ("cluster", "cause"),
    [
        (lease_expired, Code.KVSTORE_LEASE_EXPIRED),
        (store_recreated, Code.KVSTORE_RECREATED),
        (cilium_node_recreated, Code.CILIUMNODE_RECREATED),
    ],
)
def test_each_of_the_three_ways_is_told(cluster, cause):
    diagnosis = diagnose(cluster().once())

    assert {f.cause for f in diagnosis.findings} == {cause}
    assert {f.runbook for f in diagnosis.findings} == {str(cause)}


def test_cause_is_told_on_clocks_that_are_hours_apart():
    cluster = lease_expired()
    cluster.clock_ahead_s = {"node1": -5000, "node3": 9000}
    for name in ("node1", "node3"):
        ahead = cluster.clock_ahead_s[name]
        cluster.agents[name] = AgentFacts(started_s=LONG_AGO.started_s + ahead)

    assert causes(cluster.twice()) == {Code.KVSTORE_LEASE_EXPIRED}


def test_agent_away_for_less_than_the_lease_is_no_expired_lease():
    cluster = lease_expired()
    cluster.agents["node2"] = AgentFacts(
        started_s=MADE - 10, previous_finished_s=MADE - 60
    )

    assert causes(cluster.once()) == {None}


def test_lease_of_the_cluster_counts_not_the_default():
    cluster = lease_expired()
    cluster.config["kvstore-lease-ttl"] = "25s"
    cluster.agents["node2"] = AgentFacts(
        started_s=MADE - 10, previous_finished_s=MADE - 60
    )

    assert causes(cluster.once()) == {Code.KVSTORE_LEASE_EXPIRED}


@pytest.mark.parametrize(
    ("away_s", "cause"), [(650, Code.KVSTORE_LEASE_EXPIRED), (590, None)]
)
def test_lease_may_have_been_a_third_old_when_the_agent_ended(away_s, cause):
    cluster = lease_expired()
    cluster.agents["node2"] = AgentFacts(
        started_s=MADE - 10, previous_finished_s=MADE - 10 - away_s
    )

    assert causes(cluster.once()) == {cause}


def test_pair_that_does_not_tell_takes_the_cause_of_its_receivers_other_pairs():
    cluster = lease_expired()
    cluster.agents["node3"] = AgentFacts(started_s=MADE - 100)

    assert causes(cluster.once()) == {Code.KVSTORE_LEASE_EXPIRED}


def test_cause_of_another_receiver_is_not_taken():
    cluster = lease_expired()
    cluster.renew("node1", "node3", MADE)
    cluster.agents["node3"] = AgentFacts(started_s=NOW - 10 * DAY)
    found = {
        (f.source, f.destination): f.cause for f in diagnose(cluster.once()).findings
    }

    assert found["node1", "node3"] is None
    assert found["node1", "node2"] is Code.KVSTORE_LEASE_EXPIRED


@pytest.mark.parametrize("missing", ["config", "agents"])
def test_without_the_objects_no_cause_is_guessed(missing):
    cluster = lease_expired()
    setattr(cluster, missing, {})

    assert causes(cluster.once()) == {None}


def test_old_cilium_node_is_no_cause():
    cluster = cilium_node_recreated()
    cluster.created_s = {}

    assert causes(cluster.once()) == {None}


def test_young_cilium_node_long_before_the_states_is_no_cause():
    cluster = cilium_node_recreated()
    cluster.created_s = {"node2": MADE - 2000}

    assert causes(cluster.once()) == {None}


def test_young_key_in_the_store_tells_of_an_expired_lease():
    cluster = make_cluster(3).break_node("node2", MADE)
    samples = cluster.once()
    stored = {
        name: StoredNodeFacts(name, create_revision=revision)
        for name, revision in (("node1", 12), ("node2", 120), ("node3", 57))
    }
    facts = ClusterFacts(store=StoreFacts(stored))
    samples = replace(samples, first=replace(samples.first, cluster=facts))

    assert causes(samples) == {Code.KVSTORE_LEASE_EXPIRED}


def test_narrowing_keeps_the_condition_and_drops_others():
    other = narrow(diagnose(cilium_node_recreated().once()), Code.KVSTORE_LEASE_EXPIRED)
    same = narrow(diagnose(lease_expired().once()), Code.KVSTORE_LEASE_EXPIRED)

    assert (other.verdict, other.exit_code) == (Verdict.HEALTHY, 0)
    assert (same.verdict, len(same.findings), same.exit_code) == (Verdict.STALE, 2, 1)


def test_narrowing_keeps_stale_pairs_whose_cause_is_unknown():
    cluster = lease_expired()
    cluster.agents = {}

    narrowed = narrow(diagnose(cluster.once()), Code.KVSTORE_LEASE_EXPIRED)

    assert narrowed.verdict is Verdict.STALE


def stored(cluster, created_s):
    nodes = {
        name: StoredNodeFacts(name, create_revision=revision, created_s=moment_s)
        for revision, (name, moment_s) in enumerate(created_s.items(), 100)
    }
    cluster.store = StoreFacts(nodes, cluster_id="1", revision=200)
    return cluster


def test_history_of_the_store_tells_of_an_expired_lease_without_the_agents_starts():
    cluster = make_cluster(3).break_node("node2", MADE)
    before = NOW - 20 * DAY
    stored(cluster, {"node1": before, "node2": MADE - 40, "node3": before})

    assert causes(cluster.once()) == {Code.KVSTORE_LEASE_EXPIRED}


def test_history_of_the_store_tells_that_it_began_anew():
    cluster = make_cluster(3).break_node("node2", MADE)
    stored(cluster, {"node1": MADE - 200, "node3": MADE - 160, "node2": MADE - 30})

    assert causes(cluster.once()) == {Code.KVSTORE_RECREATED}


def test_lease_that_expired_while_a_peer_restarted_is_still_one():
    cluster = lease_expired()
    cluster.agents["node1"] = AgentFacts(started_s=MADE - 20)
    cluster.agents["node3"] = AgentFacts(started_s=MADE - 20)
    before = NOW - 20 * DAY
    stored(cluster, {"node1": before, "node2": MADE - 60, "node3": before})

    assert causes(cluster.once()) == {Code.KVSTORE_LEASE_EXPIRED}


@pytest.mark.parametrize("made_s", [MADE - 4000, MADE + 600, NOW - 20 * DAY])
def test_key_made_at_another_time_than_the_states_tells_nothing(made_s):
    cluster = make_cluster(3).break_node("node2", MADE)
    before = NOW - 20 * DAY
    stored(cluster, {"node1": before, "node3": before, "node2": made_s})
    nodes = {
        n: replace(f, create_revision=None) for n, f in cluster.store.nodes.items()
    }
    cluster.store = StoreFacts(nodes)

    assert causes(cluster.once()) == {None}


def test_youngest_key_of_a_store_that_began_anew_is_no_expired_lease():
    cluster = store_recreated()
    stored(cluster, {"node1": None, "node3": None, "node2": None})

    assert Code.KVSTORE_LEASE_EXPIRED not in causes(cluster.once())


def test_keys_that_were_read_through_an_agent_leave_it_to_the_agents_starts():
    for made_cluster, cause in (
        (lease_expired, Code.KVSTORE_LEASE_EXPIRED),
        (store_recreated, Code.KVSTORE_RECREATED),
    ):
        cluster = made_cluster()
        names = cluster.names
        cluster.store = StoreFacts({name: StoredNodeFacts(name) for name in names})

        assert causes(cluster.once()) == {cause}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": {}}, "cilium-config was not read"),
        ({"agents": {}}, "agent on node1 and node2 started was not read"),
        (
            {"agents": dict.fromkeys(["node1", "node2", "node3"], LONG_AGO)},
            "--etcd-endpoint",
        ),
        ({"config": dict(CRD)}, "CiliumNode of node2 is not as young"),
    ],
)
def test_unknown_cause_says_what_is_missing(change, words):
    cluster = lease_expired()
    for name, value in change.items():
        setattr(cluster, name, value)

    finding = diagnose(cluster.once()).findings[0]

    assert finding.cause is None
    assert words in finding.evidence["cause_unknown"]


@pytest.mark.parametrize(
    "how",
    [
        {"agents": dict.fromkeys(["node1", "node2", "node3"], LONG_AGO)},
        {"node_created_s": {"node2": MADE - 3}},
        {
            "agents": dict.fromkeys(
                ["node1", "node2", "node3"], AgentFacts(started_s=NOW - 60)
            )
        },
    ],
    ids=["node labeled", "node registered again", "all restarted since"],
)
def test_every_way_to_recreate_a_cilium_node_is_told(how):
    cluster = cilium_node_recreated()
    for name, value in how.items():
        setattr(cluster, name, value)

    assert causes(cluster.once()) == {Code.CILIUMNODE_RECREATED}
