"""The playbooks heal real kernels."""

import json
import subprocess

import pytest

from tests.playbooks.conftest import ANSIBLE_PLAYBOOK, PLAYBOOKS

pytestmark = pytest.mark.lab


#: The key ID that every node announces.
SPIS = (
    *("kubectl", "get", "ciliumnodes", "-o"),
    "jsonpath={.items[*].spec.encryption.key}",
)


@pytest.fixture
def stale_lab(lab):
    """The lab, broken once more: the rotation before has healed it."""
    lab.run("traffic", "start")
    lab.run("break", "kvstore-lease-expired", "--node", "node2")
    yield lab
    lab.run("traffic", "stop")
    lab.run("heal")


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


def test_repair_heals_pairs_without_a_rotation(stale_lab):
    assert stale_lab.ping("node1", "node2") == 0
    key_id = stale_lab.command(*SPIS).stdout
    status, said = ansible(stale_lab, "repair-stale-states.yml")
    assert status == 2, said
    assert "ip xfrm state delete src" in said
    assert stale_lab.ping("node1", "node2") == 0

    confirm = "--extra-vars=repair_confirm=true"
    status, said = ansible(stale_lab, "repair-stale-states.yml", confirm)
    assert status == 0, said
    assert "No pair is stale." in said

    assert stale_lab.ping("node1", "node2") == 5
    assert stale_lab.ping("node2", "node3") == 5
    status, said = ansible(stale_lab, "check-ipsec.yml")
    assert status == 0, said
    assert stale_lab.command(*SPIS).stdout == key_id
