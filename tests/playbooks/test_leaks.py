"""Runs that fail or crash, with everything switched on that writes things down.

That no key is in any output or file is looked at after every test of a playbook,
by the fixture.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runbooks.lab.kubeapi import Fault
from runbooks.lab.reading import wait_until
from runbooks.rotation.patch import read_key
from runbooks.rotation.waiting import Pace
from runbooks.xfrm.keys import parse_key
from tests.playbooks.conftest import PLAYBOOKS
from tests.playbooks.leaks import files, leaks, processes

DUMPING = ("bash", "-c", 'ulimit -c unlimited && exec "$@"', "bash")


@pytest.fixture
def talkative(playbooks):
    playbooks.environment |= {
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_VERBOSITY": "4",
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(playbooks.folder / "facts"),
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
    }
    return playbooks


@pytest.fixture
def crash_folder(tmp_path):
    """A working directory in which a crash leaves its core file."""
    folder = tmp_path / "crash"
    folder.mkdir()
    script = "import os; key = os.urandom(20); print(key.hex(), flush=True); os.abort()"
    control = subprocess.run(
        [*DUMPING, sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    key = bytes.fromhex(control.stdout.decode())
    cores = leaks([key], files(folder))
    if not cores:
        pytest.skip("this machine leaves no core files beside a program")
    for core in cores:
        Path(core).unlink()
    return folder


def children(pid):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(stat.parent.name)


def test_worker_that_crashes_with_the_key_in_hand_leaves_none(
    talkative, fleet, api, crash_folder
):
    struck = fleet.faults.add(
        Fault(verb="patch", resource="secrets", after=True, hang=True)
    )
    first = talkative.start("rotate-ipsec-key.yml", cwd=crash_folder, before=DUMPING)
    wait_until(lambda: parse_key(fleet.secret_line).key_id == 4, "no patch comes")
    line = fleet.secret_line
    assert fleet.loaded_key.key in fleet.keys
    assert leaks(fleet.keys, processes()) == []
    (worker,) = children(first.process.pid)
    os.kill(worker, signal.SIGABRT)
    assert first.finish().status != 0
    assert struck.seen == 1
    assert list(crash_folder.iterdir()) == []

    fleet.faults.clear()
    assert read_key(api.connect(), Pace(5.0)).unfinished.to_key_id == 4
    assert fleet.secret_line == line
    assert len(fleet.keys) == 2


def test_run_that_fails_twice_says_both_things(talkative, fleet):
    """A login page takes the patch's answer, the probe fails, the disk is no help."""
    page = fleet.faults.add(
        Fault(verb="patch", resource="secrets", after=True, page=True, times=1)
    )
    talkative.reports.write_text("no folder")
    probe = {"rotation_probe_command": ["sh", "-c", "env; false"]}
    run = talkative.rotate(f"--extra-vars={json.dumps(probe)}")
    assert run.status == 2, run.out
    assert page.seen == 1
    assert "the probe sh -c env; false failed" in " ".join(run.out.split())
    assert f"The report can't be written to {talkative.reports}" in run.out
    assert len(fleet.keys) == 2
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
