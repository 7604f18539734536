"""A reboot: another boot ID, other keys, and traffic."""

from __future__ import annotations

import pytest

from runbooks.lab.breaks.pairs import shared_states
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab

NODES = ("node1", "node2", "node3")


def hashes(lab):
    return {
        (a, b): {key for *_, key in shared_states(lab.client, a, b)}
        for a, b in (("node1", "node2"), ("node2", "node3"), ("node1", "node3"))
    }


@pytest.fixture(scope="module")
def before(lab):
    boots = {name: row["boot_id"] for name, row in lab.status().items()}
    return {"boots": boots, "hashes": hashes(lab), "spi": one_spi(lab)}


@pytest.fixture(scope="module")
def rebooted_lab(lab, before):
    del before  # read before the break
    with standing(lab, ("node-reboot", "--node", "node2")) as running:
        yield running


def test_boot_id_and_keys_are_new_on_both_sides_and_all_pairs_deliver(
    rebooted_lab, before
):
    boots = {name: row["boot_id"] for name, row in rebooted_lab.status().items()}
    changed = {name for name in NODES if boots[name] != before["boots"][name]}
    assert changed == {"node2"}
    now, old = hashes(rebooted_lab), before["hashes"]
    assert now["node1", "node3"] == old["node1", "node3"]
    for pair in (("node1", "node2"), ("node2", "node3")):
        assert len(now[pair]) == 2
        assert not now[pair] & old[pair]
    assert_every_pair_delivers(rebooted_lab)


def test_a_check_after_a_reboot_is_calm(rebooted_lab):
    assert_check_is_calm(rebooted_lab)


def test_heal_has_nothing_to_rotate(rebooted_lab, before):
    rebooted_lab.run("heal")
    assert one_spi(rebooted_lab) == before["spi"]
