"""No check cries wolf: every harmless condition, in every shape, again and again."""

from __future__ import annotations

import os

import pytest

from runbooks.lab.breaks.harmless import HARMLESS
from tests.conftest import start_lab
from tests.lab.breaks.harmless.observed import (
    assert_check_is_calm,
    decrypted,
    standing,
    wait_for_delivery,
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("SOAK_HARMLESS", "5"))
KINDS = [(m, d) for m in ("kvstore", "crd") for d in ("native", "tunnel")]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def shape(request):
    mode, datapath = request.param
    # Old states stay for as long as a check of a rotation takes.
    options = ("--mode", mode, "--datapath", datapath, "--rotation-duration", "20")
    with start_lab(f"harmless-{os.getpid()}", *options) as lab:
        yield lab


@pytest.mark.parametrize("name", HARMLESS)
def test_a_check_is_calm_while_it_stands_and_traffic_arrives(shape, name):
    if shape.client.lab.mode not in HARMLESS[name].modes:
        pytest.skip(f"{name} does not happen in {shape.client.lab.mode} mode")
    for number in range(ROUNDS):
        node = f"node{number % 3 + 1}"
        with standing(shape, (name, "--node", node)):
            assert_check_is_calm(shape)
            if name == "idle":
                shape.run("heal")
            wait_for_delivery(shape, decrypted(shape))
