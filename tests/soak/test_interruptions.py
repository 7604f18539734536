"""A rotation that is killed at any moment ends, in the next run, with one key."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from tests.conftest import PLAYBOOKS, SCRIPTS, start_lab
from tests.measurements import write_table

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

KILLS = int(os.environ.get("SOAK_KILLS", "50"))
#: A run of the playbook in the lab takes about this long.
LONGEST_S = 25.0


@pytest.fixture(scope="module")
def rows():
    rows = []
    yield rows
    if rows:
        write_table(
            "interruptions",
            "Rotations killed at random moments",
            "``make soak``: the playbook and all its processes are killed with "
            "SIGKILL at a random moment of its run, then it is run again.",
            ("Mode", "Killed", "Ended before", "New keys per rotation"),
            rows,
        )


def key_id(lab) -> int:
    (spi,) = {spi for row in lab.status().values() for spi in row["spis"]}
    return spi


@pytest.mark.parametrize("mode", ["kvstore", "crd"])
def test_a_killed_rotation_and_the_next_run_make_one_new_key(mode, rows, tmp_path):
    seed = int(os.environ.get("SOAK_SEED", "20"))
    moments = random.Random(f"{mode}-{seed}")
    killed = ended = 0
    with start_lab(f"kill-{os.getpid()}", "--mode", mode) as lab:
        for _ in range(KILLS):
            before = key_id(lab)
            run = subprocess.Popen(
                [
                    *(SCRIPTS / "ansible-playbook", "rotate-ipsec-key.yml"),
                    *("-e", f"rotation_report_dir={tmp_path}"),
                ],
                cwd=PLAYBOOKS,
                env=lab.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                run.wait(moments.uniform(0, LONGEST_S))
                ended += 1
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                killed += 1
                lab.playbook(
                    "rotate-ipsec-key.yml", "-e", f"rotation_report_dir={tmp_path}"
                )
            assert key_id(lab) == before % 15 + 1
            assert lab.ping("node1", "node2") == 5
    rows.append((mode, killed, ended, 1))
    assert killed > 0
