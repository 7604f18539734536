"""What Ansible's tasks get to see."""

import os
from dataclasses import asdict

import pytest

from runbooks.rotation import ansible as one_secret
from runbooks.rotation.key_files import ansible
from tests.rotation.key_files.test_judge import seen

CALL = {"check_mode": False, "controller_pid": os.getppid(), "tell": print}


@pytest.fixture
def options(api):
    return {
        "namespace": "kube-system",
        "secret_name": "cilium-ipsec-keys",
        "kubeconfig": str(api.kubeconfig),
        "context": None,
        "key_distribution": "files",
        "per_tunnel_keys": False,
        "lock": False,
    }


def write(options, host, place, **call):
    turn = {"seen": asdict(host.look()), "place": place, "key_id": 4}
    turn |= {"has_key": False, "last": place == 1}
    given = {**CALL, "task_id": "task", "shell": host.shell, **call}
    return ansible.write({**options, "turn": turn}, **given)


def test_loop_hands_one_key_from_host_to_host_and_forgets_it(options, hosts):
    assert write(options, hosts[0], 0)["changed"]
    assert ansible._hands
    assert write(options, hosts[1], 1)["changed"]
    assert not ansible._hands
    assert hosts[0].path.read_text() == hosts[1].path.read_text()
    assert hosts[0].path.read_text().startswith("4+ ")


def test_turn_of_another_loop_gets_no_key_of_this_one(options, hosts):
    write(options, hosts[0], 0)
    before = hosts[1].path.read_text()
    result = write(options, hosts[1], 1, task_id="other")
    assert result["problem"]
    assert hosts[1].path.read_text() == before


def test_check_mode_asks_no_host(options, host):
    result = write(options, host, 0, check_mode=True, shell=None)
    assert (result["changed"], result["problem"]) == (True, "")


def test_loop_ends_with_the_process_of_the_playbook(options, host):
    result = write(options, host, 0, controller_pid=1)
    assert result["failed"]
    assert host.path.read_text().startswith("3+ ")


@pytest.mark.parametrize("path", ["etc/ipsec/keys", "/etc/ipsec\n/keys"])
def test_path_that_is_none_is_refused(path):
    result = ansible.look({"path": path, "host": "a", "clean": False}, **CALL)
    assert result["failed"]


def test_several_clusters_are_refused():
    options = {"contexts": ["east", "west"], "context": None, "key_files": []}
    allowed = {"restart_agents": False, "accept_known_bugs": []}
    result = one_secret.preflight(
        {**options, **allowed, "key_distribution": "files"}, **CALL
    )
    (reason,) = result["reasons"]
    assert reason.startswith("Several clusters can't be rotated together")


def test_what_is_seen_survives_ansible():
    told = asdict(seen(1)) | {"lines": list(seen(1).lines)}
    assert ansible.looked_at([told]) == (seen(1),)
