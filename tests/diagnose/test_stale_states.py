"""Which pairs count as stale, and above all which don't."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity, Verdict
from runbooks.xfrm.model import Mark, XfrmState
from tests.diagnose.cluster_builder import DAY, NOW, make_cluster


def stale_pairs(samples):
    return {
        (f.source, f.destination)
        for f in diagnose(samples).findings
        if f.code is Code.STALE_XFRM_STATE
    }


TO_NODE2 = {("node1", "node2"), ("node3", "node2")}

SHAPES = [
    {},
    {"tunnel": True},
    {"ipv6": True},
    {"tunnel": True, "ipv6": True},
    {"esn": False, "window": 32},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reading", ["once", "twice"])
def test_healthy_cluster_is_healthy(shape, reading):
    samples = getattr(make_cluster(4, **shape), reading)()

    diagnosis = diagnose(samples, audit=True)

    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.findings == ()
    assert diagnosis.exit_code == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reading", ["once", "twice"])
def test_receiver_ahead_of_fresh_sender_is_stale(shape, reading):
    cluster = make_cluster(3, **shape).break_node("node2")

    assert stale_pairs(getattr(cluster, reading)()) == TO_NODE2


def test_one_finding_per_pair_names_every_address_pair_and_the_worst_numbers():
    cluster = make_cluster(2, tunnel=True)
    cluster.send("node1", "node2", 500)
    first, second = cluster.tunnels("node1", "node2")
    cluster.change(second[1], seq=9000)
    cluster.break_node("node2")

    (finding,) = diagnose(cluster.once()).findings

    assert finding.severity is Severity.CRITICAL
    assert (finding.source, finding.destination, finding.spi) == ("node1", "node2", 3)
    assert finding.evidence["inbound_seq"] == 9000
    assert finding.evidence["outbound_oseq"] == 0
    assert [p["source"] for p in finding.evidence["address_pairs"]] == [
        first[0][1],
        second[0][1],
    ]


def test_traffic_at_any_rate_between_samples_is_not_stale():
    cluster = make_cluster(2)

    def burst():
        cluster.send("node1", "node2", 50_000_000)

    assert stale_pairs(cluster.twice(burst)) == set()


def test_a_receiver_read_after_traffic_in_the_first_sample_is_not_stale():
    # The receiver is read last in sample one, the sender before the burst.
    cluster = make_cluster(2)
    out, into = next(cluster.tunnels("node1", "node2"))
    cluster.change(into, seq=2_000_000)

    def catch_up():
        cluster.change(out, oseq=2_000_500)

    assert stale_pairs(cluster.twice(catch_up)) == set()


def test_two_samples_prove_staleness_by_a_single_packet_and_without_clocks():
    cluster = make_cluster(2, packets=10).break_node("node2")
    cluster.clock_ahead_s = {"node1": -7200}
    cluster.lose("node1", "node2", 9, "replay_errors")

    assert stale_pairs(cluster.twice()) == {("node1", "node2")}


def test_failures_between_samples_are_evidence():
    cluster = make_cluster(2).break_node("node2")

    def ping():
        cluster.lose("node1", "node2", 12, "integrity_errors")

    (finding,) = diagnose(cluster.twice(ping)).findings

    assert finding.evidence["failed_delta"] == 12
    assert finding.evidence["outbound_oseq"] == 12
    assert finding.evidence["inbound_seq"] == 3000


def test_idle_pair_is_found_although_no_counter_moves():
    cluster = make_cluster(2).break_node("node2")
    samples = cluster.twice()

    (finding,) = diagnose(samples).findings

    assert finding.evidence["failed_delta"] == 0
    assert finding.evidence["dropped_total"] == 0


@pytest.mark.parametrize("reading", ["once", "twice"])
def test_pair_that_healed_by_itself_is_healthy(reading):
    cluster = make_cluster(2, packets=130).break_node("node2")
    cluster.lose("node1", "node2", 130, "replay_errors")
    cluster.send("node1", "node2", 5)

    assert stale_pairs(getattr(cluster, reading)()) == set()


def test_healed_pair_with_traffic_between_the_reads_of_an_archive_is_healthy():
    cluster = make_cluster(2, packets=1000).break_node("node2", made_s=NOW - DAY // 2)
    cluster.lose("node1", "node2", 1000, "integrity_errors")
    cluster.send("node1", "node2", 400_000)
    _, into = next(cluster.tunnels("node1", "node2"))
    cluster.change(into, seq=401_000 + 2_000)

    assert stale_pairs(cluster.once()) == set()


def test_busy_pair_read_minutes_apart_is_healthy():
    cluster = make_cluster(2)
    _, into = next(cluster.tunnels("node1", "node2"))
    cluster.change(into, seq=5_000_000)

    assert stale_pairs(cluster.once()) == set()


def test_receiver_made_later_than_sender_is_harmless():
    cluster = make_cluster(2)
    cluster.renew("node2", "node1", NOW - 600)
    cluster.send("node1", "node2", 10)

    assert ("node1", "node2") not in stale_pairs(cluster.once())


@pytest.mark.parametrize("reading", ["once", "twice"])
def test_without_a_replay_window_nothing_goes_stale(reading):
    cluster = make_cluster(3, esn=False, window=0).break_node("node2")

    assert stale_pairs(getattr(cluster, reading)()) == set()


@pytest.mark.parametrize("ahead_s", [-7200, 7200])
@pytest.mark.parametrize("reading", ["once", "twice"])
def test_skewed_clock_of_a_healthy_node_is_not_stale(ahead_s, reading):
    cluster = make_cluster(3)
    cluster.clock_ahead_s = {"node2": ahead_s}

    assert stale_pairs(getattr(cluster, reading)()) == set()


def test_busy_healthy_pair_with_skewed_clocks_in_an_archive_is_not_stale():
    cluster = make_cluster(2, packets=4_000_000)
    cluster.clock_ahead_s = {"node1": 7200}
    _, into = next(cluster.tunnels("node1", "node2"))
    cluster.change(into, seq=4_010_000)

    assert stale_pairs(cluster.once()) == set()


def test_stale_pair_with_skewed_clocks_is_found_by_its_drops():
    cluster = make_cluster(2).break_node("node2")
    cluster.clock_ahead_s = {"node1": -2 * DAY}
    cluster.lose("node1", "node2", 40, "integrity_errors")

    assert stale_pairs(cluster.once()) == {("node1", "node2")}


def test_stale_pair_with_skewed_clocks_is_found_by_the_way_back():
    cluster = make_cluster(2).break_node("node2")
    cluster.clock_ahead_s = {"node1": -2 * DAY}
    cluster.send("node2", "node1", 20)

    assert stale_pairs(cluster.once()) == {("node1", "node2")}


def test_reads_in_the_right_order_need_no_allowance():
    cluster = make_cluster(2).break_node("node2")
    cluster.send("node2", "node1", 1)
    out, _ = next(cluster.tunnels("node1", "node2"))
    cluster.change(out, oseq=2990)
    cluster.read_at = {"node2": NOW, "node1": NOW + 1}

    assert stale_pairs(cluster.once()) == {("node1", "node2")}


def test_old_error_totals_alone_are_nothing():
    cluster = make_cluster(3)
    cluster.counters = {"node2": {"XfrmInStateProtoError": 2056}}
    for pair in TO_NODE2:
        for _, into in cluster.tunnels(*pair):
            cluster.change(into, integrity_errors=500)

    assert diagnose(cluster.twice()).verdict is Verdict.HEALTHY


def test_rotation_heals_and_the_old_states_are_no_alarm():
    cluster = make_cluster(3).break_node("node2")
    cluster.lose("node1", "node2", 20, "integrity_errors")
    cluster.rotate(4, NOW - 30)
    cluster.send("node1", "node2", 0)

    diagnosis = diagnose(cluster.once())

    assert diagnosis.verdict is Verdict.ROTATING
    assert diagnosis.exit_code == 0
    assert [f.code for f in diagnosis.findings] == [Code.ROTATION_IN_PROGRESS]


def test_rotation_from_15_to_1_is_a_rotation():
    cluster = make_cluster(3, spi=15).break_node("node2")
    cluster.rotate(1, NOW - 30)

    assert diagnose(cluster.once()).verdict is Verdict.ROTATING


def test_sender_that_still_uses_the_stale_old_key_is_stale():
    cluster = make_cluster(2).break_node("node2")
    cluster.rotate(4, NOW - 30)

    def ping():
        for out, into in cluster.tunnels("node1", "node2", 3):
            cluster.change(out, oseq=cluster.states[out].oseq + 5)
            cluster.change(into, integrity_errors=5)

    diagnosis = diagnose(cluster.twice(ping))

    assert diagnosis.verdict is Verdict.STALE
    assert diagnosis.findings[0].spi == 3


def test_states_of_others_are_left_alone():
    cluster = make_cluster(2)
    ends = {"source": "203.0.113.1", "destination": "203.0.113.2", "spi": 0xC0FFEE}
    strongswan = XfrmState(**ends, reqid=7, seq=9000, replay_window=32)
    a, b = cluster.ips["node1"][0], cluster.ips["node2"][0]
    unmarked = XfrmState(a, b, 3, seq=9000, replay_window=32, mark=Mark(0x42, 0xFF))
    cluster.foreign = {"node1": [strongswan], "node2": [unmarked, strongswan]}

    diagnosis = diagnose(cluster.twice(), audit=True)

    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.findings == ()


def test_node_ids_in_marks_are_never_compared():
    cluster = make_cluster(2)
    for where, state in cluster.states.items():
        if where[0] == "node1":
            mark = Mark(0xBEEF0000 | state.mark.value & 0xFFFF, state.mark.mask)
            cluster.change(where, mark=mark)

    assert diagnose(cluster.once()).verdict is Verdict.HEALTHY


def test_states_made_anew_between_the_samples_are_not_judged():
    cluster = make_cluster(2)

    def rekey():
        cluster.renew("node1", "node2", NOW)

    assert stale_pairs(cluster.twice(rekey)) == set()


def test_rebooted_node_with_new_keys_on_both_sides_is_healthy():
    cluster = make_cluster(3)
    for peer in ("node1", "node3"):
        cluster.renew(peer, "node2", NOW - 60)
        cluster.renew("node2", peer, NOW - 62)
    for where, state in cluster.states.items():
        if state.added_s >= NOW - 62:
            cluster.change(where, key_hash=f"after the reboot {where[1:4]}")

    assert diagnose(cluster.twice()).verdict is Verdict.HEALTHY


def test_addresses_are_found_without_cilium_nodes():
    cluster = make_cluster(3, tunnel=True).break_node("node2")
    cluster.with_objects = False

    assert stale_pairs(cluster.once()) == TO_NODE2


def test_left_over_state_under_another_mark_does_not_alarm():
    cluster = make_cluster(2)
    out, _ = next(cluster.tunnels("node1", "node2"))
    left_over = replace(
        cluster.states[out], mark=Mark(0x99993E00, 0xFFFFFF00), oseq=0, added_s=NOW
    )
    cluster.foreign = {"node1": [left_over]}

    assert stale_pairs(cluster.twice()) == set()


def test_a_second_read_that_failed_falls_back_on_the_order_of_the_first():
    cluster = make_cluster(2).break_node("node2")
    cluster.read_at = {"node1": NOW + 1.0, "node2": float(NOW)}
    samples = cluster.twice()
    nodes = dict(samples.second.nodes)
    nodes["node1"] = replace(nodes["node1"], states=None)
    samples = replace(samples, second=replace(samples.second, nodes=nodes))

    assert stale_pairs(samples) == {("node1", "node2")}
