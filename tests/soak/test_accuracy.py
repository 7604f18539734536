"""How often a check is right: every condition of the lab, in every shape of it."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from runbooks.lab.breaks import BREAKS
from runbooks.lab.breaks.condition import Kind
from tests.conftest import start_lab
from tests.lab.breaks.diagnosed import Said, check, is_right
from tests.lab.breaks.signs import watch
from tests.measurements import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunningLab

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("ACCURACY_ROUNDS", "10"))
SHAPES = {
    "key-value store, native": ("--mode", "kvstore"),
    "key-value store, tunnel": ("--mode", "kvstore", "--datapath", "tunnel"),
    "CRD, native": ("--mode", "crd"),
    "CRD, tunnel": ("--mode", "crd", "--datapath", "tunnel"),
    "key-value store, legacy": ("--mode", "kvstore", "--legacy-sa"),
    "CRD, legacy": ("--mode", "crd", "--legacy-sa"),
}
#: Old states stay for as long as a check of a rotation takes.
COMMON = ("--rotation-duration", "20")
NODE = "node2"
CALM = Said(0, frozenset())
#: Answers by condition and shape, over all rounds.
ANSWERS: dict[tuple[str, str], Counter[str]] = {}


def conditions(shape: str) -> Iterator[str]:
    """The conditions that can be made in labs of a shape."""
    mode, legacy = SHAPES[shape][1], "legacy" in shape
    for name, found in BREAKS.items():
        overlay = name == "other-internal-ip" and "tunnel" in shape
        if mode in found.modes and legacy >= found.legacy and not overlay:
            yield name


def answer(lab: RunningLab, shape: str, name: str) -> str:
    """Make a condition, check, take it back: what the check was."""
    peers = [n.name for n in lab.client.lab.nodes if n.name != NODE]
    kind = BREAKS[name].kind
    # Without a replay window, numbers don't matter: nothing may be claimed.
    harmless = kind is Kind.HARMLESS or (kind is Kind.STALE and "legacy" in shape)
    try:
        lab.run("break", name, "--node", NODE)
        if harmless:
            said = check(lab)
            return "right" if said == CALM else "false alarm"
        lost = watch(lab.client).lost
        said = check(lab)
    finally:
        lab.run("heal")
    if said == CALM:
        return "missed"
    return "right" if is_right(said, name, NODE, peers, lost) else "wrong"


@pytest.mark.parametrize("shape", SHAPES)
def test_no_condition_is_missed_and_none_is_made_up(shape):
    with start_lab(f"accuracy-{os.getpid()}", *SHAPES[shape], *COMMON) as lab:
        lab.run("traffic", "start")
        for name in conditions(shape):
            answers = [answer(lab, shape, name) for _ in range(ROUNDS)]
            ANSWERS[name, shape] = Counter(answers)
    publish()
    wrong = {
        name: dict(counts)
        for (name, of), counts in ANSWERS.items()
        if of == shape and set(counts) != {"right"}
    }
    assert not wrong


def publish() -> None:
    """Write the table of all shapes that have been tried."""
    shapes = [shape for shape in SHAPES if any(s == shape for _, s in ANSWERS)]

    def cell(name: str, shape: str) -> str:
        counts = ANSWERS.get((name, shape))
        if counts is None:
            return ""
        others = [f"{n} {what}" for what, n in counts.items() if what != "right"]
        return ", ".join([f"{counts['right']} of {counts.total()}", *others])

    write_table(
        "accuracy",
        "How often a check is right",
        f"``ACCURACY_ROUNDS={ROUNDS} make soak``: each condition of the lab made, "
        "checked and taken back. Right is: for a failure, the pairs that the kernels "
        "show as broken, all of them and no others, with the right code and cause; "
        "for a harmless condition, and for stale states without a replay window, "
        "nothing. An empty cell is a condition that such a cluster can't have.",
        ("Condition", *shapes),
        [(f"``{n}``", *(cell(n, shape) for shape in shapes)) for n in BREAKS],
    )
