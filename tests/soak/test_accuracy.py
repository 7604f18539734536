"""How often a check is right: every condition of the lab, in every shape of it.

Answers are kept beside the table as they come, so that the rounds can be run in
several goes, and shapes beside each other; a new go adds the rounds that are missing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runbooks.lab.breaks import BREAKS
from runbooks.lab.breaks.condition import Kind
from runbooks.pages.verified import running_version
from tests.conftest import start_lab
from tests.lab.breaks.diagnosed import Said, check, is_right
from tests.lab.breaks.signs import lost_pairs, watch
from tests.measurements import REFERENCE, write_table

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
ENDED = "the condition ended"
TRIES = 5
ANSWERS = REFERENCE / "measurements" / "accuracy.json"


@contextmanager
def answers_so_far() -> Iterator[dict]:
    """Answers by shape and condition, to be added to; other processes wait."""
    ANSWERS.touch()
    with ANSWERS.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = json.loads(file.read() or "{}")
        yield content
        file.seek(0)
        file.truncate()
        file.write(json.dumps(content, indent=1, sort_keys=True) + "\n")


def count(shape: str, name: str) -> int:
    with answers_so_far() as answers:
        return len(answers.get(shape, {}).get(name, []))


def keep(shape: str, name: str, answer: str) -> None:
    with answers_so_far() as answers:
        of_shape = answers.setdefault(shape, {}).setdefault(name, [])
        day = datetime.now(UTC).date().isoformat()
        of_shape.append({"answer": answer, "day": day, "version": running_version()})
        publish(answers)


def conditions(shape: str) -> Iterator[str]:
    """The conditions that can be made in labs of a shape."""
    mode, legacy = SHAPES[shape][1], "legacy" in shape
    for name, found in BREAKS.items():
        overlay = name == "other-internal-ip" and "tunnel" in shape
        if mode in found.modes and legacy >= found.legacy and not overlay:
            yield name


def answer(lab: RunningLab, shape: str, name: str) -> str:
    """Make a condition, check, take it back: what the check was.

    A condition that ends by itself, as an agent makes a deleted state again, may be
    over before a slow machine's check has read it. Then there was none to be found.
    """
    for _ in range(TRIES):
        if (given := one_answer(lab, shape, name)) != ENDED:
            return given
    raise AssertionError(f"{name} was over before each of {TRIES} checks had ended")


def one_answer(lab: RunningLab, shape: str, name: str) -> str:
    """What a check was of one condition, or that the condition did not last."""
    peers = [n.name for n in lab.client.lab.nodes if n.name != NODE]
    kind = BREAKS[name].kind
    # Without a replay window, numbers don't matter: nothing may be claimed.
    harmless = kind is Kind.HARMLESS or (kind is Kind.STALE and "legacy" in shape)
    lab.run("traffic", "start")
    try:
        lab.run("break", name, "--node", NODE)
        if harmless:
            said = check(lab)
            return "right" if said == CALM else f"false alarm: {described(said)}"
        lost = watch(lab.client).lost
        said = check(lab)
        if is_right(said, name, NODE, peers, lost):
            return "right"
        if lost_pairs(lab.client) != lost:
            return ENDED
    finally:
        lab.run("heal")
    return "missed" if said == CALM else f"wrong: {described(said)}"


def described(said: Said) -> str:
    alarms = sorted(" ".join(filter(None, alarm)) for alarm in said.alarms)
    return f"exit status {said.status}; {', '.join(alarms)}"


@pytest.mark.parametrize("shape", SHAPES)
def test_no_condition_is_missed_and_none_is_made_up(shape):
    name = f"accuracy-{list(SHAPES).index(shape)}-{os.getpid()}"
    with start_lab(name, *SHAPES[shape], *COMMON) as lab:
        for round_ in range(ROUNDS):
            for condition in conditions(shape):
                if count(shape, condition) <= round_:
                    keep(shape, condition, answer(lab, shape, condition))
    with answers_so_far() as answers:
        wrong = {
            condition: others
            for condition, given in answers[shape].items()
            if (others := [a for a in given if a["answer"] != "right"])
        }
    assert not wrong


def publish(answers: dict) -> None:
    """Write the table of all shapes that have been tried."""
    shapes = [shape for shape in SHAPES if shape in answers]
    every = [a for of in answers.values() for given in of.values() for a in given]
    days = sorted({a["day"] for a in every})
    versions = sorted({f"``{a['version']}``" for a in every})

    def cell(name: str, shape: str) -> str:
        if not (given := answers[shape].get(name)):
            return ""
        kinds = Counter(a["answer"].partition(":")[0] for a in given)
        right = kinds.pop("right", 0)
        others = [f"{n} {what}" for what, n in kinds.items()]
        return ", ".join([f"{right} of {len(given)}", *others])

    write_table(
        "accuracy",
        "How often a check is right",
        "``ACCURACY_ROUNDS=10 pytest -m soak tests/soak/test_accuracy.py``: each "
        "condition of the lab made, checked and taken back. Right is: for a failure, "
        "the pairs that the kernels show as broken, all of them and no others, with "
        "the right code and cause; for a harmless condition, and for stale states "
        "without a replay window, nothing. An answer is counted if the condition "
        "stood until the check had ended. An empty cell is a condition that such a "
        "cluster can't have, or that was not tried there. Every single answer is in "
        "``accuracy.json`` beside this table: "
        f"{len(every)}, from {days[0]} to {days[-1]}, by {', '.join(versions)}.",
        ("Condition", *shapes),
        [(f"``{n}``", *(cell(n, shape) for shape in shapes)) for n in BREAKS],
    )
