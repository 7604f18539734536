"""A rotation that is killed at any moment ends, in the next run, with one key."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from runbooks.rotation.record import read_record
from runbooks.xfrm.keys import parse_key
from tests.conftest import PLAYBOOKS, SCRIPTS, start_lab
from tests.measurements import write_table

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

KILLS = int(os.environ.get("SOAK_KILLS", "50"))
SEED = int(os.environ.get("SOAK_SEED", "20"))
MODES = ("kvstore", "crd")
#: A run of the playbook in the lab takes about this long.
LONGEST_S = 25.0


def test_a_killed_rotation_and_the_next_run_make_one_new_key(tmp_path, capsys):
    """Both modes at the same time, each in a lab of its own."""

    def say(line):
        with capsys.disabled():
            print(line, flush=True)

    with ThreadPoolExecutor(len(MODES)) as pool:
        rows = list(
            pool.map(lambda mode: kill_and_go_on(mode, tmp_path / mode, say), MODES)
        )
    write_table(
        "interruptions",
        "Rotations killed at random moments",
        "``make soak``: the playbook and all its processes are killed with SIGKILL"
        f" at a random moment of its first {LONGEST_S:.0f} s, then it is run again."
        " A run that ended before its moment came is not counted.",
        ("Mode", "Killed", "Of these after the key was drawn", "New keys each"),
        rows,
    )


def kill_and_go_on(mode, reports, say):
    """Kill so many runs, each followed by one that ends."""
    moments = random.Random(f"{mode}-{SEED}")
    killed = drawn = most_keys = 0
    options = ("-e", f"rotation_report_dir={reports}")
    with start_lab(f"kill-{mode}-{os.getpid()}", "--mode", mode) as lab:
        while killed < KILLS:
            before, _ = key_in_secret(lab)
            was_killed = run_and_kill(lab, moments.uniform(0, LONGEST_S), options)
            now, over = key_in_secret(lab)
            # Killed while it wrote its report, a rotation is over all the same.
            if was_killed and (now == before or not over):
                killed += 1
                drawn += now != before
                lab.playbook("rotate-ipsec-key.yml", *options)
            after = before % 15 + 1
            key_id, over = key_in_secret(lab)
            most_keys = max(most_keys, (key_id - before) % 15)
            assert (key_id, over) == (after, True)
            assert {spi for row in lab.status().values() for spi in row["spis"]} == {
                after
            }
            assert lab.ping("node1", "node2") == 5
            say(f"{mode}: killed {killed} of {KILLS}, {drawn} with a new key")
    assert 0 < drawn < killed
    return mode, killed, drawn, most_keys


def run_and_kill(lab, after_s, options):
    """Whether the run was killed before it came to its end."""
    run = subprocess.Popen(
        [SCRIPTS / "ansible-playbook", "rotate-ipsec-key.yml", *options],
        cwd=PLAYBOOKS,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        run.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True
    return False


def key_in_secret(lab):
    """The key ID in the Secret, and whether its rotation is over."""
    secret = json.loads(
        lab.command(
            *("kubectl", "-n", "kube-system", "get", "secret", "cilium-ipsec-keys"),
            *("-o", "json"),
        ).stdout
    )
    key = parse_key(base64.b64decode(secret["data"]["keys"]).decode())
    record = read_record(secret["metadata"].get("annotations") or {})
    return key.key_id, record is None or record.finished_at is not None
