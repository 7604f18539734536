import pytest

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.rotation import spread, steps
from runbooks.rotation.record import PREFIX
from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import key_line

STALE = Finding(
    Code.STALE_XFRM_STATE,
    Severity.CRITICAL,
    "The states no longer belong together.",
    source="node2",
    destination="node1",
)


def rotate(session):
    """The steps in the order of the playbook."""
    before = steps.preflight(session)
    record = steps.patch(session, before["key_id"], "me", over=before["over"])
    taken_up = spread.propagate(session, record["to_key_id"], 5, 0.01)
    gone = spread.reclaim(session, record["to_key_id"], 5, 0.01)
    after = steps.verify(session, 0.05, before["counters"])
    return before, record, taken_up, gone, after, steps.finish(session)


def test_rotation_ends_with_one_new_key_everywhere(session, fleet):
    _, record, taken_up, gone, after, done = rotate(session)
    assert record["changed"]
    assert parse_key(fleet.secret_line).key_id == 4
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
    assert (
        set(taken_up["nodes_done_at"]) == set(gone["nodes_done_at"]) == set(fleet.nodes)
    )
    assert after["healthy"]
    assert done["finished_at"]


def test_second_rotation_follows_the_first(session):
    rotate(session)
    before, record, *_ = rotate(session)
    assert before["resumes"] is None
    assert (record["from_key_id"], record["to_key_id"]) == (4, 5)


@pytest.mark.parametrize("step", ["patch", "propagate", "reclaim", "verify"])
def test_run_killed_after_any_step_is_gone_on_with(session, fleet, step):
    first = steps.patch(session, 3, "the first run")
    line = fleet.secret_line
    for name in ("propagate", "reclaim", "verify"):
        if step == "patch":
            break
        if name == "verify":
            steps.verify(session, 0, {})
        else:
            getattr(spread, name)(session, 4, 5, 0.01)
        if name == step:
            break
    before, second, _, _, _, done = rotate(session)
    assert before["resumes"]["rotation_id"] == first["rotation_id"]
    assert second["rotation_id"] == done["rotation_id"] == first["rotation_id"]
    assert not second["changed"]
    assert fleet.secret_line == line


def test_cluster_that_broke_after_an_interruption_gets_a_new_key(session, reader):
    steps.patch(session, 3, "me")
    spread.propagate(session, 4, 5, 0.01)
    spread.reclaim(session, 4, 5, 0.01)
    reader.findings = [STALE]
    before, record, *_ = rotate(session)
    assert before["resumes"] is None
    assert (record["from_key_id"], record["to_key_id"]) == (4, 5)


def test_rotation_forgotten_since_last_week_does_not_stand_for_this_one(session, fleet):
    steps.patch(session, 3, "me")
    spread.propagate(session, 4, 5, 0.01)
    secret = fleet.secret
    secret["metadata"]["annotations"][PREFIX + "started-at"] = "2026-01-01T00:00:00Z"
    fleet.store.update(secret)
    _, record, *_ = rotate(session)
    assert (record["from_key_id"], record["to_key_id"]) == (4, 5)


def test_run_killed_before_the_patch_leaves_nothing(session):
    steps.preflight(session)
    before, record, *_ = rotate(session)
    assert before["resumes"] is None
    assert record["to_key_id"] == 4


def test_laggards_are_named_as_they_lag(session, fleet, lines):
    fleet.nodes["node2"].stuck = True
    steps.patch(session, 3, "me")
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert result["failed"]
    assert "node2" in lines[0]
    assert "node1" not in lines[0].partition("(")[0]
    assert set(result["nodes_done_at"]) == {"node1", "node3"}
    for part in ("Gave up after", "node2 (", "take up the key by themselves", "again"):
        assert part in result["msg"]


def test_node_that_is_slow_is_waited_for(session, fleet):
    fleet.nodes["node3"].delay_s = 0.05
    steps.patch(session, 3, "me")
    result = spread.propagate(session, 4, 5, 0.01)
    assert not result["failed"]
    after_s = result["nodes_done_after_s"]
    assert after_s["node3"] >= after_s["node1"]


def test_node_whose_policies_lead_to_the_old_spi_is_waited_for(session, fleet):
    fleet.duration_s = 1000
    fleet.nodes["node2"].no_policies = True
    steps.patch(session, 3, "me")
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert "node2 (no policy to node1, node3 under SPI 4)" in result["msg"]
    assert set(result["nodes_done_at"]) == {"node1", "node3"}
    fleet.nodes["node2"].no_policies = False
    assert not spread.propagate(session, 4, 5, 0.01)["failed"]


def test_node_that_still_sends_under_the_old_spi_is_waited_for(session, fleet):
    fleet.duration_s = 1000
    fleet.nodes["node3"].sends_old = True
    steps.patch(session, 3, "me")
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert "node3 (still sends to node1, node2 under another SPI)" in result["msg"]
    fleet.nodes["node3"].sends_old = False
    assert not spread.propagate(session, 4, 5, 0.01)["failed"]


def test_node_without_a_ciliumnode_is_waited_for(session, fleet):
    lost = fleet.store.get("ciliumnodes.cilium.io", "node2")
    fleet.store.delete("ciliumnodes.cilium.io", "node2")
    assert "node2" in steps.preflight(session)["nodes"]
    steps.patch(session, 3, "me")
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert "node2 (which has no CiliumNode)" in result["msg"]
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        lost["metadata"].pop(field)
    fleet.store.create(lost)
    assert not spread.propagate(session, 4, 5, 0.01)["failed"]


def test_old_spi_that_stays_is_named(session, fleet):
    fleet.duration_s = 1000
    steps.patch(session, 3, "me")
    spread.propagate(session, 4, 5, 0.01)
    result = spread.reclaim(session, 4, 0.05, 0.01)
    assert result["failed"]
    assert "node1 (4 states under SPI 3)" in result["msg"]


def test_node_that_cannot_be_read_is_not_taken_for_done(session, reader):
    steps.patch(session, 3, "me")
    reader.unread = {"node1": "the agent's pod is gone"}
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert result["failed"]
    assert "node1 (which could not be read: the agent's pod is gone)" in result["msg"]


def test_stale_cluster_is_no_reason_to_refuse(session, reader):
    reader.findings = [STALE]
    summary = steps.preflight(session)["summary"]
    assert summary[1].startswith("The cluster is stale (stale-xfrm-state).")
    assert "goes ahead, since it is the cure" in summary[1]


def test_verification_that_fails_says_what_is_left(session, reader):
    reader.findings = [STALE]
    result = steps.verify(session, 0, {})
    assert not result["healthy"]
    assert any("stale-xfrm-state node2 to node1" in line for line in result["summary"])


def test_dropped_packets_are_counted_per_node(session, reader):
    before = steps.preflight(session)["counters"]
    reader.counters = {"XfrmInStateProtoError": 30, "XfrmInNoStates": 0}
    after = steps.verify(session, 0, before)
    assert after["dropped"]["node2"] == {"XfrmInStateProtoError": 30}


def test_verification_looks_with_the_eyes_of_an_audit(session, reader):
    left = Finding(Code.ORPHANED_XFRM_STATE, Severity.INFO, "Left over.", audit=True)
    reader.audit_findings = (left,)
    result = steps.verify(session, 0, {})
    assert result["healthy"]
    assert result["audit"] == ["Left over."]


def test_counters_of_a_rebooted_node_are_left_out(session):
    result = steps.verify(session, 0, {"node1": {"XfrmInStateProtoError": 99}})
    assert result["dropped"] == {}


def test_finish_leaves_the_key_and_marks_the_record(session, fleet):
    steps.patch(session, 3, "me")
    line = fleet.secret_line
    assert steps.finish(session)["changed"]
    assert fleet.secret_line == line
    assert fleet.secret["metadata"]["annotations"][PREFIX + "finished-at"]
    assert not steps.finish(session)["changed"]


def test_finish_leaves_another_s_key_alone(session, fleet):
    steps.patch(session, 3, "me")
    fleet.write_secret(key_line(9))
    assert not steps.finish(session)["changed"]
    assert PREFIX + "finished-at" not in fleet.secret["metadata"]["annotations"]


def test_limits_follow_the_cluster_s_rotation_duration():
    assert spread.propagate_limit_s(300) == 300
    assert spread.propagate_limit_s(5) == 180
    assert spread.reclaim_limit_s(300) == 420
