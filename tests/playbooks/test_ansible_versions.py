"""The playbooks on every version of ansible-core that the project allows.

A rotation on the oldest one is part of `make test`; `make compat` runs everything.
"""

import os
import re
import subprocess
import sys
from importlib import metadata

import pytest

from runbooks.xfrm.keys import parse_key
from tests.playbooks.conftest import PLAYBOOKS, ROOT

OLDEST, *LATER = ("2.16", "2.17", "2.18", "2.19")
CACHE = ROOT / ".cache" / "ansible-core"


def installed(version):
    """A folder with one version of ansible-core alone; the rest is shared.

    What it needs beside itself, the collections and the client among it, comes from
    the environment of the tests.
    """
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / f"{version}-{python}"
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(f".{folder.name}-{os.getpid()}")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-qq", "--no-input"),
            *("--disable-pip-version-check", "--root-user-action=ignore"),
            *("--no-deps", "--no-compile", "--target", unfinished),
            f"ansible-core=={version}.*",
        ],
        check=True,
    )
    return unfinished.rename(folder)


@pytest.fixture(
    params=[OLDEST, *(pytest.param(v, marks=pytest.mark.compat) for v in LATER)]
)
def ansible(request, playbooks):
    """The playbooks, and a version of Ansible that runs them."""
    if not metadata.version("ansible-core").startswith(f"{request.param}."):
        path = (
            f"{installed(request.param)}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        )
        playbooks.environment["PYTHONPATH"] = path
    playbooks.program = [sys.executable, "-m", "ansible", "playbook"]
    said = playbooks.run("--version").out
    assert re.search(rf"\[core {re.escape(request.param)}\.", said), said
    return playbooks


def test_check_and_rotation_work(ansible, fleet):
    ansible.act_as("ipsec-check")
    run = ansible.run("check-ipsec.yml")
    assert run.status == 0, run.out
    assert "Verdict: healthy" in run.out

    ansible.act_as("ipsec-rotate")
    version = fleet.store.version
    run = ansible.rotate("--check", "--diff")
    assert run.status == 0, run.out
    assert "-3" in run.out
    assert "+4" in run.out
    assert "Would go from key ID 3 to 4 on 3 nodes." in run.out
    assert fleet.store.version == version

    run = ansible.rotate()
    assert run.status == 0, run.out
    assert "Verdict before: healthy; after: healthy." in run.out
    assert parse_key(fleet.secret_line).key_id == 4


@pytest.mark.compat
def test_refusals_and_repair_work(ansible, fleet):
    fleet.nodes["node2"].stale_from = {1}
    run = ansible.run("repair-stale-states.yml", "--extra-vars=repair_confirm=true")
    assert run.status == 0, run.out
    assert "No pair is stale." in run.out
    run = ansible.rotate("--extra-vars=rotation_poll_interval=often")
    assert run.status == 2
    assert "rotation_poll_interval" in run.out
    run = ansible.rotate("--extra-vars={rotation_accept_known_bugs: [all]}")
    assert run.status == 2
    assert "cilium-44335" in run.out


@pytest.mark.compat
@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("module", "runbooks.ipsec.rotation_propagate", ("key_id", "kubeconfig")),
        ("role", "rotation", ("rotation_poll_interval", "ipsec_namespace")),
    ],
)
def test_documentation_is_shown(ansible, kind, name, words):
    done = subprocess.run(
        [*ansible.program[:-1], "doc", "--type", kind, name],
        cwd=PLAYBOOKS,
        env=ansible.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in words)
