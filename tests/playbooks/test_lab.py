"""The playbooks heal real kernels."""

import json
import subprocess

import pytest

from tests.playbooks.conftest import ANSIBLE_PLAYBOOK, PLAYBOOKS

pytestmark = pytest.mark.lab


def ansible(lab, playbook, *options):
    done = subprocess.run(
        [ANSIBLE_PLAYBOOK, playbook, *options],
        cwd=PLAYBOOKS,
        env=lab.env | {"ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode, done.stdout


def test_rotation_heals_pairs_whose_states_are_stale(broken_lab, tmp_path):
    assert broken_lab.ping("node1", "node2") == 0
    status, said = ansible(broken_lab, "check-ipsec.yml")
    assert status == 2, said
    assert "stale-xfrm-state" in said

    reports = f"--extra-vars=rotation_report_dir={tmp_path}"
    status, said = ansible(broken_lab, "rotate-ipsec-key.yml", reports)
    assert status == 0, said
    assert "The rotation goes ahead, since it is the cure" in " ".join(said.split())

    assert broken_lab.ping("node1", "node2") == 5
    assert broken_lab.ping("node2", "node3") == 5
    status, said = ansible(broken_lab, "check-ipsec.yml")
    assert status == 0, said
    (report,) = tmp_path.glob("*.json")
    told = json.loads(report.read_text())
    assert (told["verdict_before"], told["verdict_after"]) == ("stale", "healthy")
    assert told["dropped"]["node2"]["XfrmInStateProtoError"] > 0
