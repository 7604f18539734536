"""States and policies that are not Cilium's, and then no traffic at all."""

from __future__ import annotations

import pytest

from runbooks.lab.breaks.pairs import numbers
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    foreign,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def shared_lab(lab):
    with standing(lab, ("foreign-xfrm", "--node", "node3")) as running:
        yield running


@pytest.fixture(scope="module")
def idle_lab(shared_lab):
    shared_lab.run("break", "idle")
    return shared_lab


def test_states_of_all_sorts_are_there_and_every_pair_delivers(shared_lab):
    states, policies = foreign(shared_lab, "node3")
    ends = {frozenset((s.source, s.destination)) for s in states}
    assert ends == {frozenset(("192.0.2.1", "198.51.100.1"))}
    assert {s.algorithm for s in states} == {
        "rfc4106(gcm(aes))",
        "hmac(sha256)+cbc(aes)",
    }
    assert {s.mark is None for s in states} == {True, False}
    assert (len(states), len(policies)) == (5, 5)
    assert_every_pair_delivers(shared_lab)


def test_no_key_of_theirs_is_in_a_file(shared_lab):
    shown = shared_lab.client.run("node3", ["ip", "xfrm", "state"]).stdout
    keys = {w for w in shown.split() if w.startswith("0x") and len(w) > 30}
    # Four of Cilium's, three with an AEAD, two with two keys.
    assert len(keys) == 4 + 3 + 2 * 2
    look = "cat /proc/[0-9]*/cmdline $(find /run -type f)"
    seen = [shared_lab.client.run("node3", ["sh", "-c", look]).stdout]
    directory = shared_lab.client.lab.directory
    seen += [f.read_text("latin-1") for f in directory.rglob("*") if f.is_file()]
    assert "level=info" in seen[0]
    assert any('"foreign-xfrm"' in text for text in seen)
    assert not [k for k in keys for text in seen if k.removeprefix("0x") in text]


def test_no_number_moves_on_an_idle_cluster(idle_lab):
    sent = {pair: row["sent"] for pair, row in idle_lab.traffic().items()}
    before = numbers(idle_lab.client)
    assert all(sent.values())
    assert {pair: row["sent"] for pair, row in idle_lab.traffic().items()} == sent
    assert numbers(idle_lab.client) == before


def test_a_check_of_an_idle_cluster_with_foreign_states_is_calm(idle_lab):
    assert_check_is_calm(idle_lab)


def test_heal_lets_traffic_go_on_and_deletes_what_is_foreign(idle_lab):
    spi = one_spi(idle_lab)
    idle_lab.run("heal")
    assert foreign(idle_lab, "node3") == ([], [])
    assert_every_pair_delivers(idle_lab)
    assert one_spi(idle_lab) == spi
