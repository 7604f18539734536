from runbooks.rotation.drops import explain, state_errors
from runbooks.snapshot import NodeSnapshot, Snapshot
from runbooks.xfrm.model import Mark, XfrmState

STALE = {"code": "stale-xfrm-state", "source": "node1", "destination": "node2"}


def test_moment_without_states_is_explained_by_the_rotation():
    explained, unexplained = explain({"node1": {"XfrmInNoStates": 3}}, [])
    assert explained[0].startswith("XfrmInNoStates: packets met a node")
    assert unexplained == []


def test_error_that_a_healthy_cluster_did_not_have_is_not_explained():
    explained, (line,) = explain({"node2": {"XfrmInStateProtoError": 30}}, [])
    assert explained == []
    assert line.startswith("XfrmInStateProtoError rose by 30 on node2, which a rot")


def test_error_of_a_stale_pair_is_explained_on_its_own_nodes_only():
    drops = {"XfrmInStateProtoError": 30}
    explained, (line,) = explain({"node2": drops, "node3": drops}, [STALE])
    assert "cured" in explained[0]
    assert "on node3" in line


def test_error_that_rose_before_is_explained():
    before = {
        "code": "xfrm-errors-rising",
        "node": "node1",
        "evidence": {"deltas": {"XfrmOutPolBlock": 2}},
    }
    assert explain({"node1": {"XfrmOutPolBlock": 9}}, [before])[1] == []


def test_errors_of_states_that_are_not_ciliums_are_left_out():
    def state(mark, count):
        return XfrmState("10.0.0.1", "10.0.0.2", 3, mark=mark, integrity_errors=count)

    states = (state(Mark(0x10D00, 0xFFFF0F00), 2), state(None, 9))
    snapshot = Snapshot({"node1": NodeSnapshot("node1", states=states)})
    assert state_errors(snapshot) == {"node1": {"3": {"failed": 2}}}


def test_error_of_a_pair_that_was_idle_before_is_told_by_the_old_keys_states():
    drops = {"XfrmInStateProtoError": 30}
    dropped = {"node2": drops, "node3": drops}
    refused = {"node2": {"3": {"failed": 30}}, "node3": {"4": {"failed": 30}}}
    explained, (line,) = explain(dropped, [], refused, key_id=4)
    assert "cured" in explained[0]
    assert "on node3" in line


def test_packets_that_the_default_drop_policy_stopped_are_explained():
    explained, unexplained = explain({"node1": {"XfrmOutPolBlock": 2}}, [])
    assert "plain text" in explained[0]
    assert unexplained == []
