"""Agents that write their entries again too early are given more room."""

import pytest

from runbooks.lab.breaks import Situation
from runbooks.lab.breaks.stale import kvstore_recreated
from runbooks.lab.plan import Lab, LabError


class Known:
    """A lab whose plan is all that is asked for."""

    lab = Lab("lab")


@pytest.fixture
def situation(monkeypatch):
    said = []
    for step in ("raise_numbers_from", "wait_until_fresh"):
        monkeypatch.setattr(kvstore_recreated, step, lambda *_: None)
    return Situation(Known(), "node2", said.append), said


def attempts(monkeypatch, *spared):
    """Have the attempts come out like this; gives how much room each was given."""
    rooms, left = [], list(spared)

    def recreate(_client, order, times):
        assert order == ("node1", "node3", "node2")
        rooms.append(times)
        return [f"attempt {len(rooms)}"], left.pop(0)

    monkeypatch.setattr(kvstore_recreated, "_recreate", recreate)
    return rooms


def test_only_the_attempt_that_succeeds_is_told(monkeypatch, situation):
    rooms = attempts(monkeypatch, [("node1", "node3")], [])

    kvstore_recreated.make(situation[0])

    assert situation[1] == ["attempt 2"]
    assert rooms == sorted(set(rooms))


def test_no_attempt_that_succeeds_is_an_error_that_names_the_pairs(
    monkeypatch, situation
):
    attempts(monkeypatch, *[[("node1", "node3"), ("node1", "node2")]] * 3)

    with pytest.raises(LabError, match="from node3 to node1, node2 to node1: heal"):
        kvstore_recreated.make(situation[0])

    assert situation[1] == []
