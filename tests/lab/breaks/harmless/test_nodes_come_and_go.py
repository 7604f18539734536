"""A node that joins, and another one that leaves."""

from __future__ import annotations

import pytest

from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    decrypted,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def spi(crd_lab):
    return one_spi(crd_lab)


@pytest.fixture(scope="module")
def grown_lab(crd_lab, spi):
    del spi  # read before the break
    with standing(crd_lab, ("node-added",)) as running:
        yield running


@pytest.fixture(scope="module")
def moved_lab(grown_lab):
    grown_lab.run("break", "node-removed", "--node", "node2")
    return grown_lab


def nodes(lab):
    listed = lab.command("kubectl", "get", "nodes,ciliumnodes", "-o", "name").stdout
    return sorted(line.split("/")[1] for line in listed.split())


def test_another_node_joins_and_every_pair_delivers(grown_lab):
    assert nodes(grown_lab) == sorted(["node1", "node2", "node3", "node4"] * 2)
    assert len(decrypted(grown_lab)) == 12
    assert_every_pair_delivers(grown_lab)


def test_a_check_of_a_cluster_that_grew_is_calm(grown_lab):
    assert_check_is_calm(grown_lab)


def test_a_node_leaves_and_the_others_deliver(moved_lab):
    assert nodes(moved_lab) == sorted(["node1", "node3", "node4"] * 2)
    assert len(decrypted(moved_lab)) == 6
    for row in moved_lab.status().values():
        assert len(row["agent"]["announced"]["peers"]) == 2
    assert_every_pair_delivers(moved_lab)


def test_a_check_after_a_node_has_left_is_calm(moved_lab):
    assert_check_is_calm(moved_lab)


def test_heal_brings_the_one_back_and_removes_the_other(moved_lab, spi):
    moved_lab.run("heal")
    assert nodes(moved_lab) == sorted(["node1", "node2", "node3"] * 2)
    assert one_spi(moved_lab) == spi
    assert_every_pair_delivers(moved_lab)
