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


@pytest.fixture(params=["kvstore", "crd"])
def stale_lab(request):
    """A lab of either mode, stale; the rotation before has healed it."""
    lab, failure = {
        "kvstore": ("lab", "kvstore-lease-expired"),
        "crd": ("crd_lab", "ciliumnode-recreated"),
    }[request.param]
    broken = request.getfixturevalue(lab)
    broken.run("traffic", "start")
    broken.run("break", failure, "--node", "node2")
    yield broken
    broken.run("traffic", "stop")
    broken.run("heal")


@pytest.fixture
def lab_without_key_watcher(crd_lab):
    """The agents started with ``enable-ipsec-key-watcher: false``."""
    watch_key(crd_lab, "false")
    yield crd_lab
    watch_key(crd_lab, "true")


def watch_key(lab, value):
    """Set the option, and restart the agents that read it when they start."""
    patch = json.dumps({"data": {"enable-ipsec-key-watcher": value}})
    agents = ("kubectl", "-n", "kube-system")
    lab.command(*agents, "patch", "configmap", "cilium-config", "-p", patch)
    lab.command(*agents, "rollout", "restart", "daemonset", "cilium")
    lab.command(*agents, "rollout", "status", "daemonset", "cilium", "--timeout=60s")
    pods = lab.command(*agents, "get", "pods", "-l", "k8s-app=cilium", "-o", "name")
    assert len(pods.stdout.split()) == 3


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


def test_agents_that_do_not_watch_the_key_file_are_restarted(
    lab_without_key_watcher, tmp_path
):
    lab = lab_without_key_watcher
    before = lab.command(*SPIS).stdout.split()
    reports = f"--extra-vars=rotation_report_dir={tmp_path}"
    status, said = ansible(lab, "rotate-ipsec-key.yml", reports)
    assert status == 2, said
    assert "Set rotation_restart_agents: true" in " ".join(said.split())
    assert lab.command(*SPIS).stdout.split() == before

    allow = "--extra-vars=rotation_restart_agents=true"
    status, said = ansible(lab, "rotate-ipsec-key.yml", reports, allow)
    assert status == 0, said
    assert "restarting the agent of node2" in said
    assert lab.command(*SPIS).stdout.split() == [str(int(before[0]) % 15 + 1)] * 3
    assert lab.ping("node1", "node2") == 5
