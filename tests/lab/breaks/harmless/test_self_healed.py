"""States that were stale until the fresh side had sent enough."""

from __future__ import annotations

import pytest

from runbooks.lab.reading import read_states
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    assert_every_pair_delivers,
    dropped,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def before(crd_lab):
    return {"spi": one_spi(crd_lab), "drops": dropped(crd_lab)}


@pytest.fixture(scope="module")
def healed_lab(crd_lab, before):
    del before  # read before the break
    with standing(crd_lab, ("self-healed", "--node", "node2")) as running:
        yield running


def ends(lab, source, destination):
    """The states of a pair at both of its ends, the sender's first."""
    plan = lab.client.lab
    addresses = tuple(plan.esp_address(plan.node(n)) for n in (source, destination))
    return tuple(
        state
        for holder in (source, destination)
        for state in read_states(lab.client, holder)
        if (state.source, state.destination) == addresses
    )


@pytest.mark.parametrize("peer", ["node1", "node3"])
def test_the_sender_is_younger_and_past_what_the_receiver_dropped(healed_lab, peer):
    _, received = ends(healed_lab, peer, "node2")
    assert received.integrity_errors > 0
    assert received.replay_errors > 0
    # Read after the receiver: what is on its way has been counted as sent.
    sent, _ = ends(healed_lab, peer, "node2")
    assert sent.added_s > received.added_s
    assert sent.oseq >= received.seq


def test_errors_were_counted_on_the_node_and_every_pair_delivers(healed_lab, before):
    old, now = before["drops"]["node2"], dropped(healed_lab)["node2"]
    for counter in ("XfrmInStateProtoError", "XfrmInStateSeqError"):
        assert now[counter] > old.get(counter, 0)
    assert_every_pair_delivers(healed_lab)


def test_a_check_after_it_is_calm(healed_lab):
    assert_check_is_calm(healed_lab)


def test_heal_has_nothing_to_rotate(healed_lab, before):
    healed_lab.run("heal")
    assert one_spi(healed_lab) == before["spi"]
