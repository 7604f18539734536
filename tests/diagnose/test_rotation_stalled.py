"""A rotation that leaves a node behind is told from one that takes its time."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity, Verdict
from runbooks.diagnose.rotation_stalled import newest_spi
from runbooks.snapshot import AgentFacts, SecretFacts
from runbooks.xfrm.model import Direction
from tests.diagnose.cluster_builder import NOW, make_cluster


def stalled(samples):
    found = diagnose(samples).findings
    return [f for f in found if f.code is Code.ROTATION_STALLED]


def missed(made_s, old=3, new=4, **shape):
    """node2's key file does not change; the others made their new states then."""
    cluster = make_cluster(3, spi=old, **shape)
    cluster.announced = {"node1": new, "node2": old, "node3": new}
    cluster.rotate(new, made_s)
    cluster.reclaim("node2", new)
    return cluster


@pytest.mark.parametrize(("old", "new"), [(3, 4), (15, 1)])
@pytest.mark.parametrize("shape", [{}, {"tunnel": True}, {"dual": True}])
def test_node_that_others_have_left_behind_is_critical(old, new, shape):
    cluster = missed(NOW - 400, old, new, **shape)
    for peer in ("node1", "node3"):
        cluster.reclaim(peer, old)

    diagnosis = diagnose(cluster.twice())

    finding = diagnosis.findings[0]
    assert (finding.code, finding.severity) == (
        Code.ROTATION_STALLED,
        Severity.CRITICAL,
    )
    assert (finding.node, finding.spi) == ("node2", old)
    assert finding.evidence["newest_spi"] == new
    assert finding.evidence["announced_key_id"] == old
    assert finding.evidence["cut_off_from"] == ["node1", "node3"]
    # The pairs that lose packets are named, with that as their cause.
    lost = [f for f in diagnosis.findings if f.code is Code.MISSING_XFRM_STATE]
    assert {(f.source, f.destination) for f in lost} == {
        ("node1", "node2"),
        ("node2", "node1"),
        ("node2", "node3"),
        ("node3", "node2"),
    }
    assert {f.cause for f in lost} == {Code.ROTATION_STALLED}
    assert diagnosis.verdict is Verdict.DEGRADED


def test_node_that_lags_past_the_rotation_duration_is_a_warning_before_it_is_cut_off():
    (finding,) = stalled(missed(NOW - 301).twice())

    assert finding.severity is Severity.WARNING
    assert finding.node == "node2"
    assert finding.evidence["newest_since_s"] == 301
    assert finding.evidence["cut_off_from"] == []


@pytest.mark.parametrize("age_s", [5, 60, 299])
def test_node_that_kubelet_has_not_reached_yet_is_only_a_rotation(age_s):
    diagnosis = diagnose(missed(NOW - age_s).twice())

    assert diagnosis.verdict is Verdict.ROTATING
    assert diagnosis.alarming == ()


def test_short_rotation_duration_does_not_count_against_kubelet():
    cluster = missed(NOW - 100)
    cluster.config["ipsec-key-rotation-duration"] = "10s"

    assert stalled(cluster.twice()) == []


def test_jitter_of_the_agents_is_waited_for():
    cluster = missed(NOW - 400)
    cluster.config["ipsec-key-rotation-jitter"] = "5m"

    assert stalled(cluster.twice()) == []


def test_rotation_that_was_too_fast_for_a_node_is_critical_at_once():
    cluster = missed(NOW - 20)
    for peer in ("node1", "node3"):
        cluster.reclaim(peer, 3)

    (finding,) = stalled(cluster.twice())

    assert finding.severity is Severity.CRITICAL
    assert "removed SPI 3 already" in finding.summary


def test_peer_that_joined_during_the_rotation_has_not_dropped_anything():
    cluster = missed(NOW - 20)
    cluster.reclaim("node3", 3)
    cluster.created_s["node3"] = NOW - 10

    assert stalled(cluster.twice()) == []


@pytest.mark.parametrize("reading", ["once", "twice"])
def test_old_spi_that_lingers_on_one_node_is_harmless(reading):
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 700)
    for peer in ("node1", "node3"):
        cluster.reclaim(peer, 3)
    cluster.agents["node2"] = AgentFacts(version="1.18.0", started_s=NOW - 200)

    diagnosis = diagnose(getattr(cluster, reading)())

    assert diagnosis.alarming == ()
    assert diagnosis.verdict is Verdict.ROTATING


def test_clock_of_a_node_that_is_hours_off_makes_no_stall():
    cluster = missed(NOW - 30)
    cluster.clock_ahead_s = {"node1": 7200, "node3": -7200}

    assert stalled(cluster.twice()) == []


def test_node_that_takes_up_the_key_between_the_samples_is_not_stalled():
    cluster = missed(NOW - 400)

    def arrives():
        cluster.rotate(4, NOW)

    assert stalled(cluster.twice(arrives)) == []


def test_rotation_that_begins_between_the_samples_has_not_stalled():
    cluster = make_cluster(3)

    def begin():
        cluster.rotate(4, NOW)

    assert diagnose(cluster.twice(begin)).alarming == ()


def test_sender_that_goes_on_with_what_its_receiver_removed_is_critical():
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 400)
    cluster.reclaim("node2", 3)

    def send():
        for where in [w for w in cluster.states if w[0] == "node1" and w[3] == 3]:
            if where[4] is Direction.OUT and where[2] in cluster.ips["node2"]:
                cluster.change(where, oseq=cluster.states[where].oseq + 7)

    (finding,) = stalled(cluster.twice(send))

    assert finding.severity is Severity.CRITICAL
    assert (finding.source, finding.destination) == ("node1", "node2")
    assert finding.spi == 3
    assert finding.evidence["sent_delta"] == 7


def test_key_in_the_secret_that_nobody_took_up_is_a_warning():
    cluster = make_cluster(3)
    cluster.secret = SecretFacts(4, changed_s=NOW - 600)

    (finding,) = stalled(cluster.twice())

    assert finding.severity is Severity.WARNING
    assert finding.evidence["secret_key_id"] == 4


def test_agents_that_do_not_watch_the_file_are_named_as_the_reason():
    cluster = make_cluster(3)
    cluster.secret = SecretFacts(4, changed_s=NOW - 600)
    cluster.config["enable-ipsec-key-watcher"] = "false"

    (finding,) = stalled(cluster.twice())

    assert "enable-ipsec-key-watcher" in finding.summary


@pytest.mark.parametrize(
    "secret", [SecretFacts(4, NOW - 100), SecretFacts(4), SecretFacts(3, NOW - 600)]
)
def test_secret_that_may_be_on_its_way_or_is_in_use_is_nothing(secret):
    cluster = make_cluster(3)
    cluster.secret = secret

    assert diagnose(cluster.twice()).findings == ()


@pytest.mark.parametrize(
    ("spis", "made", "new"),
    [
        ({3, 4}, [{3: 100.0}, {4: 50.0}], 4),
        ({1, 15}, [{15: 100.0}, {1: 50.0}], 1),
        # Back to an older ID: whoever has both tells.
        ({3, 4}, [{3: 900.0, 4: 100.0}, {4: 50.0}], 3),
        ({2, 3, 4}, [{2: 1.0}, {3: 5.0}, {4: 9.0}], 4),
        ({3, 9}, [{9: 100.0}, {3: 700.0}], 3),
    ],
)
def test_newest_spi_is_told_by_who_has_several_and_else_by_its_number(spis, made, new):
    assert newest_spi(spis, made) == new


def test_unread_node_is_no_laggard():
    cluster = missed(NOW - 400)
    cluster.unread = {"node2"}

    assert stalled(cluster.twice()) == []


def test_legacy_cluster_with_one_key_rotates_like_any_other():
    cluster = missed(NOW - 400, esn=False, window=0)
    for where, state in cluster.states.items():
        cluster.states[where] = replace(state, key_hash=f"global key {where[3]}")

    (finding,) = stalled(cluster.twice())

    assert finding.node == "node2"
