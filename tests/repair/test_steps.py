import pytest

from runbooks.collect.agent_exec import Ran
from runbooks.repair import steps
from runbooks.rotation.errors import RefusedError, RotationError


def test_finding_shows_the_commands_and_changes_nothing(session, fleet):
    found = steps.find(session)
    assert found["nodes"] == ["node2"]
    assert found["summary"][0] == "2 stale inbound states to delete on 1 node."
    assert any("on node2: ip xfrm state delete src" in s for s in found["summary"])
    assert "names only one cure" in found["caveat"]
    assert fleet.deleted == []


def test_node_is_healed_and_nothing_else_is_deleted(session, fleet, reader):
    fleet.sync_s = 0.02
    result = steps.repair_node(session, "node2", 10)
    assert not result["failed"]
    assert [(node, s.source) for node, s in fleet.deleted] == [
        ("node2", "10.0.1.10"),
        ("node2", "10.0.3.10"),
    ]
    assert reader.assess().diagnosis.exit_code == 0
    assert steps.find(session)["nodes"] == []


def test_states_that_healed_meanwhile_are_left_alone(session, fleet):
    fleet.nodes["node2"].stale_from = set()
    assert not steps.repair_node(session, "node2", 10)["changed"]
    assert fleet.deleted == []


def test_agent_that_makes_nothing_anew_is_named_at_the_limit(session, fleet, lines):
    fleet.sync_s = 10.0**9
    result = steps.repair_node(session, "node2", 0)
    assert result["failed"]
    assert "node2 (no inbound state from node1 yet)" in result["msg"]
    assert "Look at the log of the agent on node2" in result["msg"]
    assert lines[0].startswith("node2: ip xfrm state delete")


def test_rotation_that_began_meanwhile_stops_the_repair(session, fleet):
    for node in fleet.nodes.values():
        node.spis = {3: None, 4: None}
    with pytest.raises(RefusedError, match="a key rotation is under way"):
        steps.repair_node(session, "node2", 10)
    assert fleet.deleted == []


def test_state_that_somebody_else_deleted_is_no_failure(session, fleet, reader):
    gone = Ran(2, "", "RTNETLINK answers: No such process")
    reader.answers["node2"] = gone
    fleet.nodes["node2"].remade_at = {}
    result = steps.repair_node(session, "node2", 0)
    assert "still stale from node1" in result["msg"]


def test_kernel_that_refuses_has_a_sentence(session, reader):
    reader.answers["node2"] = Ran(2, "", "RTNETLINK answers: Not permitted")
    with pytest.raises(RotationError, match=r"could not delete.*Not permitted"):
        steps.repair_node(session, "node2", 10)
