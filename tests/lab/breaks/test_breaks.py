"""Breaks made on the command line show in the kernels' own numbers, and heal.

Those of each lab come one after another, and the labs side by side: what they do
is wait. ``make soak`` tries every way to every break, and for longer.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from runbooks.lab.breaks import BREAKS
from tests.lab.breaks.diagnosed import Said, check, is_right
from tests.lab.breaks.expected import matches
from tests.lab.breaks.signs import Signs, lost_pairs, watch

pytestmark = pytest.mark.lab
NODE = "node2"
#: How often a break is made that was over before a slow machine had looked at it.
TRIES = 3
#: An agent's background sync ends this one; the others stand until they are healed.
PASSING = "state-deleted"

CASES = {
    "lab": [
        ("kvstore-recreated",),
        ("other-internal-ip",),
        ("key-changed-same-id",),
    ],
    "crd_lab": [
        ("state-deleted",),
        ("ciliumnode-recreated", "--how", "delete-node"),
        ("agent-missed-rotation",),
        ("rotation-too-fast", "600"),
    ],
    "legacy_lab": [("sequence-exhausted",), ("kvstore-lease-expired",)],
}
ALL = [(lab, *case) for lab, cases in CASES.items() for case in cases]
#: Without a replay window numbers don't matter.
HARMLESS = {("legacy_lab", "kvstore-lease-expired")}


@dataclass(frozen=True)
class Seen:
    """What a break showed, and what was left of it after ``lab heal``."""

    broken: Signs
    said: Said
    healed: Signs
    printed: str


def seen(lab, name, *options):
    for _ in range(TRIES):
        try:
            done = lab.run("break", name, "--node", NODE, *options)
            broken = watch(lab.client)
            said = check(lab)
            stood = name != PASSING or lost_pairs(lab.client) == broken.lost
        finally:
            lab.run("heal")
        healed = watch(lab.client)
        if stood or healed != Signs():
            return Seen(broken, said, healed, done.stdout)
    raise AssertionError(f"{name} was over before each of {TRIES} checks had ended")


@pytest.fixture(scope="module")
def results(request):
    """What each break of the selected tests shows, once it has."""
    selected = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    labs = {
        name: request.getfixturevalue(name) for name in {case[0] for case in selected}
    }
    with contextlib.ExitStack() as pools:
        # One worker for each lab: its breaks come one after another.
        pool = {n: pools.enter_context(ThreadPoolExecutor(1)) for n in labs}
        yield {
            case: pool[case[0]].submit(seen, labs[case[0]], *case[1:])
            for case in selected
        }


@pytest.fixture
def result(results, case):
    return results[case].result()


@pytest.mark.parametrize("case", ALL, ids=" ".join)
def test_a_break_shows_where_it_must_and_nowhere_else_until_it_is_healed(
    case, result, request
):
    lab, name = case[:2]
    peers = peers_in(request.getfixturevalue(lab))
    if (lab, name) in HARMLESS:
        assert result.broken == Signs()
    else:
        assert matches(result.broken, name, NODE, peers), result.broken
    assert result.healed == Signs()
    assert result.printed.endswith(f"{name} stands on {NODE}.\n")


@pytest.mark.parametrize("case", ALL, ids=" ".join)
def test_a_check_names_the_right_pairs_and_the_right_cause(case, result, request):
    lab, name = case[:2]
    if (lab, name) in HARMLESS:
        assert result.said == Said(0, frozenset())
        return
    peers = peers_in(request.getfixturevalue(lab))
    assert is_right(result.said, name, NODE, peers, result.broken.lost), result


def peers_in(lab):
    return [n.name for n in lab.client.lab.nodes if n.name != NODE]


def test_every_break_that_is_not_harmless_is_tried_here():
    tried = {case[1] for case in ALL}
    assert tried == {name for name, b in BREAKS.items() if b.kind != "harmless"}
