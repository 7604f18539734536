"""What only looks like trouble raises no alarm."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Verdict
from runbooks.snapshot import AgentFacts
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy, XfrmState
from tests.diagnose.cluster_builder import CRD, DAY, NOW, make_cluster

SHAPES = [
    {},
    {"tunnel": True},
    {"ipv6": True},
    {"dual": True, "tunnel": True},
    {"esn": False, "window": 0},
]


def harmless(samples):
    diagnosis = diagnose(samples)
    assert diagnosis.alarming == ()
    assert diagnosis.exit_code == 0
    return diagnosis


@pytest.mark.parametrize("shape", SHAPES)
def test_idle_cluster(shape):
    cluster = make_cluster(3, packets=0, **shape).make_policies()

    assert harmless(cluster.twice()).verdict is Verdict.HEALTHY


@pytest.mark.parametrize("shape", SHAPES)
def test_hundred_thousand_packets_while_it_reads(shape):
    cluster = make_cluster(3, **shape).make_policies()
    # The receivers are read late in the first sample, the senders early.
    for source in cluster.names:
        for destination in cluster.names:
            for _, into in cluster.tunnels(source, destination):
                if cluster.states[into].replay_window:
                    cluster.change(into, seq=90_000, packets=90_000)

    def arrive():
        for source in cluster.names:
            for destination in set(cluster.names) - {source}:
                cluster.send(source, destination, 100_000)

    harmless(cluster.twice(arrive))


@pytest.mark.parametrize("lost", [0.05, 0.5])
def test_lost_packets(lost):
    cluster = make_cluster(3, packets=200_000)
    for source in cluster.names:
        for destination in cluster.names:
            for _, into in cluster.tunnels(source, destination):
                state = cluster.states[into]
                arrived = int((1 - lost) * state.packets)
                cluster.change(into, seq=state.seq - 3, packets=arrived)

    def go_on():
        cluster.send("node1", "node2", 500)

    harmless(cluster.twice(go_on))


def test_packets_out_of_order():
    cluster = make_cluster(2)
    for _, into in cluster.tunnels("node1", "node2"):
        state = cluster.states[into]
        cluster.change(into, seq=state.seq - 40, packets=state.packets - 40)

    harmless(cluster.twice())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ago_s", [3, 600])
def test_node_that_rebooted(shape, ago_s):
    cluster = make_cluster(3, **shape)
    for peer in ("node1", "node3"):
        cluster.renew(peer, "node2", NOW - ago_s)
        cluster.renew("node2", peer, NOW - ago_s - 2)
    for where, state in cluster.states.items():
        if state.added_s >= NOW - ago_s - 2:
            cluster.change(where, key_hash=f"after the reboot {where[1:4]}")
    cluster.agents["node2"] = AgentFacts(version="1.18.0", started_s=NOW - ago_s)
    cluster.counters = {"node2": {"XfrmInNoStates": 7}}

    def last_packets_for_the_old_states():
        if ago_s < 10:
            cluster.counters = {"node2": {"XfrmInNoStates": 9}}

    harmless(cluster.twice(last_packets_for_the_old_states))


def test_node_that_comes_back_from_a_reboot_between_the_samples():
    cluster = make_cluster(3)
    cluster.counters = {n: {"XfrmInNoStates": 0} for n in cluster.names}

    def reboot():
        for peer in ("node1", "node3"):
            cluster.renew(peer, "node2", NOW)
            cluster.renew("node2", peer, NOW)
        for where, state in cluster.states.items():
            if state.added_s == NOW:
                cluster.change(where, key_hash=f"after the reboot {where[1:4]}")
        cluster.counters["node1"] = {"XfrmInNoStates": 5, "XfrmInStateProtoError": 2}

    harmless(cluster.twice(reboot))


@pytest.mark.parametrize("config", [CRD, {"identity-allocation-mode": "kvstore"}])
def test_agent_that_restarted(config):
    cluster = make_cluster(3)
    cluster.config |= config
    cluster.agents["node2"] = AgentFacts(
        version="1.18.0", started_s=NOW - 5, previous_finished_s=NOW - 8, restarts=1
    )

    harmless(cluster.twice())


def test_agent_that_restarts_right_now():
    cluster = make_cluster(3)
    cluster.unread = {"node2"}
    cluster.agents["node2"] = AgentFacts(ready=False, down_since_s=NOW - 4.0)

    diagnosis = diagnose(cluster.twice())

    assert diagnosis.alarming == ()
    assert diagnosis.exit_code == 3


@pytest.mark.parametrize("known_by", [0, 1, 2])
@pytest.mark.parametrize("own", [True, False])
def test_node_that_has_just_joined(known_by, own):
    """Its peers have made their states for it, or some have, or none; so has it."""
    cluster = make_cluster(4)
    cluster.created_s["node4"] = cluster.node_created_s["node4"] = NOW - 3
    for where, state in list(cluster.states.items()):
        holder, src, dst, *_ = where
        if holder == "node4" or {src, dst} & set(cluster.ips["node4"]):
            peers = cluster.names[:known_by]
            if holder in peers or (own and holder == "node4"):
                cluster.states[where] = replace(
                    state, seq=0, oseq=0, packets=0, added_s=NOW - 2
                )
            else:
                del cluster.states[where]

    harmless(cluster.twice())


def test_node_that_was_removed():
    cluster = make_cluster(4)
    for peer in ("node1", "node2"):
        cluster.remove(peer, peer="node4")
    cluster.names.remove("node4")

    assert harmless(cluster.twice()).verdict is Verdict.HEALTHY


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("done", [1, 2, 3])
@pytest.mark.parametrize("age_s", [1, 40])
def test_rotation_that_is_under_way(shape, done, age_s):
    cluster = make_cluster(3, **shape).make_policies()
    cluster.rotate(4, NOW - age_s)
    for name in cluster.names[done:]:
        cluster.reclaim(name, 4)
    cluster.counters = {"node3": {"XfrmInNoStates": 0}}

    def moment():
        cluster.counters = {"node3": {"XfrmInNoStates": 4}}

    assert harmless(cluster.twice(moment)).verdict is Verdict.ROTATING


@pytest.mark.parametrize("kept", [("node1",), ("node1", "node2")])
def test_rotation_whose_old_states_go_one_node_after_another(kept):
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 340)
    for name in set(cluster.names) - set(kept):
        cluster.reclaim(name, 3)

    assert harmless(cluster.twice()).verdict is Verdict.ROTATING


def test_cilium_node_recreated_while_agents_were_down():
    cluster = make_cluster(3)
    cluster.config = dict(CRD)
    cluster.created_s = {"node2": NOW - 300}

    assert harmless(cluster.twice()).verdict is Verdict.HEALTHY


@pytest.mark.parametrize("packets", [130, 3000])
def test_pair_that_has_healed_by_itself(packets):
    cluster = make_cluster(3, packets=packets).break_node("node2")
    for peer in ("node1", "node3"):
        as_what = "replay_errors" if packets < 1024 else "integrity_errors"
        cluster.lose(peer, "node2", packets, as_what)
        cluster.send(peer, "node2", 40)
    cluster.counters = {"node2": {"XfrmInStateProtoError": 5952}}

    assert harmless(cluster.twice()).verdict is Verdict.HEALTHY


FOREIGN_ENDS = ("203.0.113.1", "203.0.113.2")


@pytest.mark.parametrize("algorithm", ["rfc4106(gcm(aes))", "hmac(sha256)+cbc(aes)"])
@pytest.mark.parametrize(
    ("mark", "spi"),
    [
        (None, 3),
        (None, 0xC0FFEE),
        (Mark(0x42, 0xFFFFFFFF), 3),
        (Mark(0x0D00, 0xFFFF0F00), 0xC0FFEE),
        (Mark(0x13E00, 0xFFFFFF00), 16),
    ],
)
@pytest.mark.parametrize("ends", [FOREIGN_ENDS, ("10.0.1.5", "10.0.2.5")])
def test_states_and_policies_of_others(algorithm, mark, spi, ends):
    cluster = make_cluster(2).make_policies()
    theirs = XfrmState(
        *ends,
        spi,
        reqid=7,
        mark=mark,
        algorithm=algorithm,
        seq=9000,
        oseq=2**32 - 1,
        replay_window=32,
        integrity_errors=3,
        added_s=NOW - DAY,
        key_hash="theirs",
    )
    cluster.foreign = {"node1": [theirs], "node2": [replace(theirs, seq=0, oseq=0)]}
    block = XfrmPolicy("0.0.0.0/0", "0.0.0.0/0", Direction.OUT, "block", 5)
    cluster.policies["node1"].append(block)

    diagnosis = diagnose(cluster.twice(), audit=True)

    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.findings == ()
