"""A CiliumNode that is a new object, and whose node's states are not stale."""

from __future__ import annotations

import json

import pytest

from runbooks.lab.breaks.pairs import shared_states
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    one_spi,
    pairs,
    standing,
)

pytestmark = pytest.mark.lab


def uids(lab):
    listed = lab.command("kubectl", "get", "ciliumnodes", "-o", "json").stdout
    items = json.loads(listed)["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


def shared(lab):
    return {pair: shared_states(lab.client, *pair) for pair in pairs(lab)}


@pytest.fixture(scope="module")
def before(crd_lab):
    return {"uids": uids(crd_lab), "shared": shared(crd_lab), "spi": one_spi(crd_lab)}


@pytest.fixture(scope="module")
def recreated_lab(crd_lab, before):
    del before  # read before the break
    words = ("ciliumnode-recreated-while-down", "--node", "node2")
    with standing(crd_lab, words) as running:
        yield running


def test_only_its_uid_is_new_and_every_pair_delivers(recreated_lab, before):
    now = uids(recreated_lab)
    assert {n for n in now if now[n] != before["uids"][n]} == {"node2"}
    assert shared(recreated_lab) == before["shared"]
    assert_every_pair_delivers(recreated_lab)


def test_a_check_after_it_is_calm(recreated_lab):
    assert_check_is_calm(recreated_lab)


def test_heal_has_nothing_to_rotate(recreated_lab, before):
    recreated_lab.run("heal")
    assert one_spi(recreated_lab) == before["spi"]
