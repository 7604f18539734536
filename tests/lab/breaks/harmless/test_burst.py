"""Many packets on every pair while states are read."""

from __future__ import annotations

import pytest

from runbooks.lab.breaks.pairs import numbers
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    decrypted,
    dropped,
    one_spi,
    standing,
)

pytestmark = pytest.mark.lab

#: More than there is time for: how long a check takes depends on the machine.
PACKETS = "10000000"


@pytest.fixture(scope="module")
def drops_before(lab):
    return dropped(lab)


@pytest.fixture(scope="module")
def flooded_lab(lab, drops_before):
    del drops_before  # read before the break
    with standing(lab, ("burst", PACKETS)) as running:
        yield running


def left(lab):
    told = lab.client.ask("traffic", action="report")
    return [packets for node in told.values() for packets in node["flood"].values()]


def test_a_check_is_calm_while_every_number_runs(flooded_lab, drops_before):
    before, taken = numbers(flooded_lab.client), decrypted(flooded_lab)
    assert_check_is_calm(flooded_lab)
    after = numbers(flooded_lab.client)
    # An inbound state's first number rises, an outbound one's second.
    assert all(max(after[k]) > max(before[k]) + 1000 for k in before)
    now = decrypted(flooded_lab)
    assert all(now[pair] > taken[pair] + 1000 for pair in taken)
    assert dropped(flooded_lab) == drops_before
    assert len(left(flooded_lab)) == 6
    assert all(left(flooded_lab))


def test_heal_ends_it_without_a_rotation(flooded_lab):
    spi = one_spi(flooded_lab)
    flooded_lab.run("heal")
    assert not any(left(flooded_lab))
    assert one_spi(flooded_lab) == spi
