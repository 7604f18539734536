"""Rotations under way: on every node, and on one that is later than the others.

Labs keep old states for seconds where clusters do for minutes. Agents that a check
must find with old states are restarted with another duration, and again after it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from runbooks.lab.breaks.pairs import spis
from tests.lab.breaks.harmless.observed import (
    Checked,
    assert_every_pair_delivers,
    check,
    foreign,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab

NODES = ("node1", "node2", "node3")
DURATION = "ipsec-key-rotation-duration"
GET = ("kubectl", "-n", "kube-system", "get", "configmap", "cilium-config")


@dataclass(frozen=True)
class Rotation:
    """What was seen of one.

    Attributes:
        old: The SPI before.
        new: The next one.
        held: Each node's SPIs when the break returned.
        strangers: States and policies of node3 that are not Cilium's.
        checked: What the check said.
    """

    old: int
    new: int
    held: dict[str, set[int]]
    strangers: tuple[int, int]
    checked: Checked


@contextmanager
def old_states_stay(lab, nodes):
    """Let agents that start now keep old states until a check has read them."""
    settings = lab.command(*GET, "-o", "json").stdout
    usual = json.loads(settings)["data"][DURATION]
    set_duration(lab, "5m")
    try:
        yield
    finally:
        set_duration(lab, usual)
        restart_agents(lab, nodes)


def set_duration(lab, value):
    patch = json.dumps({"data": {DURATION: value}})
    lab.command("kubectl", "-n", "kube-system", "patch", *GET[-2:], "-p", patch)


def restart_agents(lab, nodes):
    for node in nodes:
        lab.client.ask("agent", node=node, action="stop", signal="KILL")
        lab.client.ask("agent", node=node, action="start")


def observe(lab, old):
    """What there is to be seen while a rotation stands, and after it."""
    held, strangers = spis(lab.client), tuple(map(len, foreign(lab, "node3")))
    checked = check(lab)
    assert spis(lab.client) == held
    assert_every_pair_delivers(lab)
    return Rotation(old, old % 15 + 1, held, strangers, checked)


@pytest.fixture(scope="module")
def healthy(lab):
    old = one_spi(lab)
    with standing(lab):
        with old_states_stay(lab, NODES):
            restart_agents(lab, NODES)
            lab.run("break", "rotation")
            seen = observe(lab, old)
        yield seen


@pytest.fixture(scope="module")
def lagging(lab):
    old = one_spi(lab)
    with standing(lab, ("foreign-xfrm", "--node", "node3")):
        with old_states_stay(lab, ["node2"]):
            lab.run("break", "rotation-with-restart", "--node", "node2")
            seen = observe(lab, old)
        yield seen


def test_every_node_holds_both_spis_during_a_rotation(healthy):
    both = {healthy.old, healthy.new}
    assert healthy.held == dict.fromkeys(NODES, both)


def test_a_check_only_notes_a_healthy_rotation(healthy):
    assert healthy.checked.alarms == []
    assert healthy.checked.status == 0
    assert "rotation-in-progress" in healthy.checked.notes


def test_heal_waits_for_the_rotations_end_and_begins_none(lab, healthy):
    lab.run("heal")
    assert one_spi(lab) == healthy.new


def test_a_restarted_agent_alone_still_holds_the_old_spi(lagging):
    both, new = {lagging.old, lagging.new}, {lagging.new}
    assert lagging.held == {"node1": new, "node2": both, "node3": new}


def test_a_check_only_notes_a_node_that_is_late(lagging):
    assert lagging.checked.alarms == []
    assert lagging.checked.status == 0
    assert "rotation-in-progress" in lagging.checked.notes


def test_what_is_not_ciliums_outlives_a_rotation(lagging):
    assert lagging.strangers == (5, 5)


def test_heal_waits_for_the_late_node_and_begins_no_rotation(lab, lagging):
    lab.run("heal")
    assert one_spi(lab) == lagging.new
    assert foreign(lab, "node3") == ([], [])
