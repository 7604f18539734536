"""Lost and overtaken packets, and an agent's restart, each on a node of its own."""

from __future__ import annotations

import json

import pytest

from runbooks.lab.breaks import ledger
from runbooks.lab.reading import read_states, wait_until
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    dropped,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab


def ages(lab, node):
    return {(s.mark, s.added_s) for s in read_states(lab.client, node)}


@pytest.fixture(scope="module")
def before(lab):
    agent = lab.status()["node1"]["agent"]
    return {"spi": one_spi(lab), "agent": agent, "ages": ages(lab, "node1")}


@pytest.fixture(scope="module")
def bad_wires(lab, before):
    del before  # read before the break
    loss = ("packet-loss", "20%", "--node", "node2")
    reorder = ("reorder", "--node", "node3")
    with standing(lab, loss, reorder, ("agent-restart", "--node", "node1")) as running:
        yield running


def test_an_agents_restart_leaves_states_and_traffic_as_they_were(bad_wires, before):
    agent = bad_wires.status()["node1"]["agent"]
    assert agent["restarts"] == before["agent"]["restarts"] + 1
    assert agent["pid"] != before["agent"]["pid"]
    assert ages(bad_wires, "node1") == before["ages"]
    assert_every_pair_delivers(bad_wires)


def test_a_check_of_bad_wires_is_calm(bad_wires):
    assert_check_is_calm(bad_wires)


def test_what_arrives_is_what_was_not_lost_in_whatever_order(bad_wires):
    lab, drops = bad_wires, dropped(bad_wires)
    plan = lab.client.lab
    lab.run("traffic", "stop")
    wait_until(lambda: lab.traffic() == lab.traffic(), "packets are still on their way")
    rows = lab.traffic()
    lossy = {pair for pair in rows if pair[0] == "node2"}
    assert all(rows[pair]["lost"] == 0 for pair in rows.keys() - lossy)
    assert all(rows[pair]["lost"] > 0 for pair in lossy)
    show = ["tc", "-s", "-j", "qdisc", "show", "dev", "eth0"]
    qdiscs = json.loads(lab.client.run("node2", show).stdout)
    (netem,) = [q for q in qdiscs if q["kind"] == "netem"]
    assert sum(rows[pair]["lost"] for pair in lossy) <= netem["drops"]

    told = lab.client.ask("traffic", action="report")
    for node in plan.nodes:
        for source in plan.nodes:
            if source != node:
                late = told[node.name]["received"][source.pod_ip]["overtaken"]
                assert (late > 0) is (source.name == "node3")
    states = [s for n in plan.nodes for s in read_states(lab.client, n.name)]
    assert {(s.replay_errors, s.integrity_errors) for s in states} == {(0, 0)}
    assert dropped(lab) == drops


def test_heal_mends_the_wires_without_a_rotation(bad_wires, before):
    lab = bad_wires
    lab.run("heal")
    for node in ("node2", "node3"):
        show = ["tc", "qdisc", "show", "dev", "eth0"]
        assert "netem" not in lab.client.run(node, show).stdout
    assert ledger.standing(lab.client.lab) == []
    assert one_spi(lab) == before["spi"]
