"""What a check costs, and a rotation side by side with the bare one."""

from __future__ import annotations

import os
import time

import pytest

from tests.conftest import start_lab
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def timed(action) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_check():
    with start_lab(f"bench-{os.getpid()}") as lab:
        lab.run("traffic", "start")
        check_s = [
            timed(lambda: lab.command("ipsec-runbooks", "check")) for _ in range(ROUNDS)
        ]
    write_table(
        "check",
        "Time of a check",
        f"``make bench``: {ROUNDS} checks of one lab of three nodes.",
        ("What", "Median (range)"),
        [("``ipsec-runbooks check``, three nodes", spread(check_s))],
    )


def test_rotation_beside_the_bare_rotation(tmp_path):
    """The playbook against patching the Secret and waiting, alternating."""
    playbook_s, bare_s = [], []
    options = ("-e", f"rotation_report_dir={tmp_path}")
    with start_lab(f"bench-{os.getpid()}") as lab:
        for _ in range(ROUNDS):
            bare_s.append(timed(lambda: lab.run("heal")))
            playbook_s.append(
                timed(lambda: lab.playbook("rotate-ipsec-key.yml", *options))
            )
    ratios = [p / b for p, b in zip(playbook_s, bare_s, strict=True)]
    over = [p - b for p, b in zip(playbook_s, bare_s, strict=True)]
    write_table(
        "rotation",
        "Time of a rotation beside the bare one",
        "``make bench``: the playbook with all of its checks, and a bare patch of "
        "the Secret (``ipsec-runbooks lab heal``) that waits for the old key to go, "
        "in turns on one lab whose old keys stay 8 s. What the playbook takes longer "
        "does not grow with the rotation duration: of Cilium's 5 minutes it is the "
        "share in the last row.",
        ("What", "Median (range)"),
        [
            ("Playbook", spread(playbook_s)),
            ("Bare rotation", spread(bare_s)),
            ("Ratio", spread(ratios, "times")),
            ("Playbook takes longer by", spread(over)),
            (
                "Of a rotation duration of 5 minutes",
                spread([100 * o / 300 for o in over], "%"),
            ),
        ],
    )
