"""Agents that do not watch the key file are restarted, node by node."""

import copy

import pytest

from runbooks.rotation import restart, spread, steps
from runbooks.rotation.errors import RotationError


@pytest.fixture
def unwatched(fleet):
    """A fleet whose agents take up a key only when they start."""
    fleet.need_restarts()
    return fleet


def test_every_agent_is_restarted_and_has_the_key(session, unwatched, lines):
    before = steps.preflight(session, restart_agents=True)
    assert before["restart_agents"]
    assert any("restarted, node by node" in line for line in before["summary"])
    steps.patch(session, 3, "me")
    result = restart.restart_agents(session, 4, 5, 0.01)
    assert result["restarted"] == unwatched.restarted == ["node1", "node2", "node3"]
    assert "restarting the agent of node1" in lines
    assert not spread.propagate(session, 4, 5, 0.01)["failed"]


def test_restart_goes_on_where_it_was_interrupted(session, unwatched):
    steps.patch(session, 3, "me")
    unwatched.store.delete("pods", "cilium-aaaa1", "kube-system")
    result = restart.restart_agents(session, 4, 5, 0.01)
    assert result["restarted"] == ["node2", "node3"]
    assert not restart.restart_agents(session, 4, 5, 0.01)["changed"]


def test_agent_that_stays_away_stops_the_restarts(session, unwatched):
    unwatched.stuck_after_restart = {2}
    steps.patch(session, 3, "me")
    result = restart.restart_agents(session, 4, 0.05, 0.01)
    assert result["failed"]
    assert result["restarted"] == ["node1"]
    assert unwatched.restarted == ["node1", "node2"]
    assert "node2 (no state under SPI 4)" in result["msg"]
    assert "run the playbook again" in result["msg"]


def test_key_changed_by_someone_else_stops_the_restarts(session, unwatched):
    steps.patch(session, 3, "me")
    unwatched.write_secret(unwatched.secret_line.replace("4+", "9+"))
    with pytest.raises(RotationError):
        restart.restart_agents(session, 4, 5, 0.01)
    assert unwatched.restarted == []


def test_agents_that_watch_the_file_are_left_alone(session):
    assert not steps.preflight(session, restart_agents=True)["restart_agents"]


def test_right_to_restart_is_one_of_its_own(granted, unwatched, restart_rights):
    session = granted("ipsec-rotate")
    steps.patch(session, 3, "me")
    with pytest.raises(RotationError, match=r"delete on pods.*rbac-restart\.yml"):
        restart.restart_agents(session, 4, 5, 0.01)
    for thing in restart_rights:
        unwatched.store.create(copy.deepcopy(thing))
    assert not restart.restart_agents(session, 4, 5, 0.01)["failed"]
