"""Every way to break a cluster gets its finding and its cause, and nothing else."""

import ipaddress
from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity, Verdict
from runbooks.xfrm.model import Direction
from tests.diagnose.cluster_builder import DAY, NOW, make_cluster

SHAPES = [{}, {"tunnel": True}, {"ipv6": True}, {"dual": True}, {"window": 0}]
LAST = 2**32 - 1


def with_other_key(cluster, node, key="changed"):
    """A node makes all its states anew under a changed key of the same ID."""
    for where, state in cluster.states.items():
        if where[0] == node:
            ends = where[1:4]
            cluster.states[where] = replace(
                state, key_hash=f"{key} {ends}", seq=0, oseq=0, added_s=NOW - 600
            )
    return cluster


@pytest.mark.parametrize("shape", SHAPES)
def test_key_changed_under_the_same_id_is_a_mismatch_both_ways(shape):
    cluster = with_other_key(make_cluster(3, **shape), "node2")

    def send():
        for peer in ("node1", "node3"):
            cluster.lose(peer, "node2", 9, "integrity_errors")
            cluster.lose("node2", peer, 4, "integrity_errors")
        for name in cluster.names:
            cluster.counters[name] = {"XfrmInStateProtoError": 18}

    diagnosis = diagnose(cluster.twice(send))

    assert {(f.code, f.source, f.destination) for f in diagnosis.findings} == {
        (Code.KEY_MISMATCH, "node1", "node2"),
        (Code.KEY_MISMATCH, "node2", "node1"),
        (Code.KEY_MISMATCH, "node2", "node3"),
        (Code.KEY_MISMATCH, "node3", "node2"),
    }
    assert all(f.evidence["both_ways"] for f in diagnosis.findings)
    assert all(f.evidence["failed_delta"] for f in diagnosis.findings)
    assert diagnosis.verdict is Verdict.DEGRADED


def test_boot_ids_that_agree_leave_only_the_key_to_blame():
    cluster = with_other_key(make_cluster(2), "node2")
    cluster.boot_ids = {"node1": "boot 1", "node2": "boot 2"}

    for finding in diagnose(cluster.twice()).findings:
        assert "changed without a new key ID." in finding.summary
        assert finding.runbook == "key-changed-same-id"


def test_boot_id_that_is_announced_wrongly_is_named():
    cluster = with_other_key(make_cluster(2), "node2")
    cluster.boot_ids = {"node1": "boot 1", "node2": "boot 2"}
    cluster.announced_boot_ids = {"node2": "boot before"}

    for finding in diagnose(cluster.twice()).findings:
        assert "boot ID that node2 announces" in finding.summary
        assert finding.runbook == "key-mismatch"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at", [0, -1])
def test_inbound_state_removed_by_hand_is_missing_there(shape, at):
    cluster = make_cluster(3, **shape)
    _, into = list(cluster.tunnels("node1", "node2"))[at]
    del cluster.states[into]
    cluster.counters = {"node2": {"XfrmInNoStates": 0}}

    def send():
        cluster.counters = {"node2": {"XfrmInNoStates": 12}}

    diagnosis = diagnose(cluster.twice(send))

    (finding,) = diagnosis.findings
    assert finding.code is Code.MISSING_XFRM_STATE
    assert (finding.source, finding.destination) == ("node1", "node2")
    assert finding.evidence["missing_on"] == "node2"
    assert finding.evidence["address_pairs"] == [
        {"source": into[1], "destination": into[2]}
    ]
    assert finding.cause is None


@pytest.mark.parametrize("shape", [{"tunnel": True}, {"dual": True}])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("at", [0, -1])
def test_one_of_several_outbound_states_removed_by_hand_is_missing_there(
    shape, size, at
):
    cluster = make_cluster(size, **shape)
    out, _ = list(cluster.tunnels("node1", "node2"))[at]
    del cluster.states[out]

    (finding,) = diagnose(cluster.twice()).findings

    assert finding.code is Code.MISSING_XFRM_STATE
    assert (finding.source, finding.destination) == ("node1", "node2")
    assert finding.evidence["missing_on"] == "node1"


def test_removed_state_is_found_while_another_node_keeps_an_old_key():
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 900)
    for name in ("node1", "node2"):
        cluster.reclaim(name, 3)
    _, into = next(cluster.tunnels("node1", "node2", 4))
    del cluster.states[into]

    (finding,) = diagnose(cluster.twice()).alarming

    assert finding.code is Code.MISSING_XFRM_STATE
    assert finding.cause is None


def exhausted(oseq):
    cluster = make_cluster(2, esn=False, window=0)
    out, _ = next(cluster.tunnels("node1", "node2"))
    cluster.change(out, oseq=oseq)
    return cluster, out


def test_sender_that_nears_its_last_number_is_a_warning():
    (finding,) = diagnose(exhausted(int(0.9 * LAST))[0].twice()).findings

    assert finding.code is Code.SEQUENCE_EXHAUSTION
    assert finding.severity is Severity.WARNING
    assert "89%" in finding.summary
    assert "left_s" not in finding.evidence


def test_sender_that_is_there_within_the_hour_is_critical():
    cluster, out = exhausted(LAST - 100_000)

    def send():
        cluster.change(out, oseq=LAST - 100_000 + 1000)
        cluster.read_at["node1"] = NOW + 2.0

    (finding,) = diagnose(cluster.twice(send)).findings

    assert finding.severity is Severity.CRITICAL
    assert finding.evidence["left_s"] == 198
    assert "3 minutes" in finding.summary


def test_sender_that_has_no_number_left_is_critical_and_its_errors_are_explained():
    cluster, _ = exhausted(LAST)
    cluster.counters = {"node1": {"XfrmOutStateSeqError": 0}}

    def send():
        cluster.counters = {"node1": {"XfrmOutStateSeqError": 30}}

    (finding,) = diagnose(cluster.twice(send)).findings

    assert finding.code is Code.SEQUENCE_EXHAUSTION
    assert finding.severity is Severity.CRITICAL
    assert finding.evidence["refused_delta"] == 30


def test_numbers_of_a_key_that_was_left_behind_are_no_matter():
    cluster, _ = exhausted(LAST)
    cluster.rotate(4, NOW - 30)

    assert diagnose(cluster.twice()).alarming == ()


def with_other_address(cluster, node="node2"):
    """An agent comes back with another CiliumInternalIP.

    Its inbound states are made for the new address. Its outbound ones and its
    peers' inbound ones conflict with the old, and those stay.
    """
    old = cluster.ips[node][0]
    new = str(ipaddress.ip_address(old) + 77)
    cluster.ips[node][0] = new
    for where, state in list(cluster.states.items()):
        holder, src, dst, spi, way = where
        made = {"seq": 0, "oseq": 0, "packets": 0, "added_s": NOW - 300}
        if dst == old:
            fresh = replace(
                state, destination=new, key_hash=f"key of {src} {new} {spi}", **made
            )
            cluster.states[holder, src, new, spi, way] = fresh
    return cluster, old, new


@pytest.mark.parametrize("shape", SHAPES)
def test_agent_back_with_another_address_misses_the_outbound_states_of_it(shape):
    cluster, old, new = with_other_address(make_cluster(3, **shape))
    cluster.counters = {"node2": {"XfrmOutBundleGenError": 0}}

    def send():
        cluster.counters = {"node2": {"XfrmOutBundleGenError": 8}}

    diagnosis = diagnose(cluster.twice(send))

    assert {(f.code, f.source, f.destination) for f in diagnosis.findings} == {
        (Code.MISSING_XFRM_STATE, "node2", "node1"),
        (Code.MISSING_XFRM_STATE, "node2", "node3"),
    }
    for finding in diagnosis.findings:
        assert finding.evidence["left_over_source"] == old
        assert finding.evidence["address_pairs"][0]["source"] == new
        assert old in finding.summary


def test_other_address_is_found_where_only_the_kernel_has_it_yet():
    cluster, old, new = with_other_address(make_cluster(3))
    cluster.cilium_host["node2"] = [new]
    cluster.announced_ips["node2"] = [old]

    found = diagnose(cluster.twice()).findings

    assert {f.evidence.get("left_over_source") for f in found} == {old}


def test_rotation_cures_the_other_address():
    cluster, old, new = with_other_address(make_cluster(3))
    cluster.rotate(4, NOW - 60)
    for (node, src, dst, spi, way), state in list(cluster.states.items()):
        if spi == 4 and old in {src, dst}:
            del cluster.states[node, src, dst, spi, way]
            ends = [new if ip == old else ip for ip in (src, dst)]
            cluster.states[node, *ends, spi, way] = replace(
                state,
                source=ends[0],
                destination=ends[1],
                key_hash=f"key of {ends[0]} {ends[1]} 4",
            )

    assert diagnose(cluster.twice()).alarming == ()


@pytest.mark.parametrize("packets", [130, 900])
def test_quiet_pair_counts_replays_alone_and_is_stale_all_the_same(packets):
    cluster = make_cluster(3, packets=packets).break_node("node2")
    cluster.counters = {"node2": {"XfrmInStateSeqError": 0}}

    def ping():
        cluster.lose("node1", "node2", 10, "replay_errors")
        cluster.counters = {"node2": {"XfrmInStateSeqError": 10}}

    diagnosis = diagnose(cluster.twice(ping))

    assert {(f.code, f.source, f.destination) for f in diagnosis.findings} == {
        (Code.STALE_XFRM_STATE, "node1", "node2"),
        (Code.STALE_XFRM_STATE, "node3", "node2"),
    }
    numbers = diagnosis.findings[0].evidence
    assert (numbers["replay_delta"], numbers["failed_delta"]) == (10, 0)
    assert numbers["packets_until_healed"] == packets - 10


@pytest.mark.parametrize("shape", [{"dual": True}, {"dual": True, "tunnel": True}])
@pytest.mark.parametrize("reading", ["once", "twice"])
def test_stale_pairs_of_two_families_are_one_finding_each(shape, reading):
    cluster = make_cluster(3, **shape).break_node("node2")

    found = diagnose(getattr(cluster, reading)()).findings

    assert [(f.code, f.source) for f in found] == [
        (Code.STALE_XFRM_STATE, "node1"),
        (Code.STALE_XFRM_STATE, "node3"),
    ]
    each = 4 if shape.get("tunnel") else 2
    assert [len(f.evidence["address_pairs"]) for f in found] == [each, each]


def subnet_encryption(size=3):
    """ENI and Azure: inbound states for both pairs of addresses, outbound for one."""
    cluster = make_cluster(size, tunnel=True)
    for where in list(cluster.states):
        if where[4] is Direction.OUT and where[1].startswith("192.168."):
            del cluster.states[where]
    return cluster


def test_stale_pair_is_found_with_subnet_encryption():
    cluster = subnet_encryption().break_node("node2")

    found = diagnose(cluster.twice()).findings

    assert {(f.code, f.source, f.destination) for f in found} == {
        (Code.STALE_XFRM_STATE, "node1", "node2"),
        (Code.STALE_XFRM_STATE, "node3", "node2"),
    }


def test_lost_outbound_state_is_found_with_subnet_encryption():
    cluster = subnet_encryption()
    cluster.remove("node1", peer="node2", way=Direction.OUT)

    (finding,) = diagnose(cluster.twice()).findings

    assert finding.code is Code.MISSING_XFRM_STATE
    assert finding.evidence["missing_on"] == "node1"


@pytest.mark.parametrize("reading", ["once", "twice"])
def test_legacy_cluster_claims_nothing_when_counters_start_anew(reading):
    cluster = make_cluster(3, esn=False, window=0, made_s=NOW - 30 * DAY)
    for where in cluster.states:
        cluster.change(where, key_hash="one global key")
    cluster.break_node("node2")

    assert diagnose(getattr(cluster, reading)(), audit=True).findings == ()
