"""The rotation where nodes get the key as a file, over a real connection."""

import json

import pytest
import yaml

from runbooks.xfrm.keys import parse_key
from tests.playbooks.leaks import files, leaks, processes
from tests.rotation.fleet import KEY_HEX, key_line

DISTRIBUTION = "--extra-vars=key_distribution=files"


def pod_host(pod, key_file, kubeconfig):
    """An inventory's host whose connection leads into an agent's pod."""
    return {
        # Stands in for ssh: it has nothing to do with the rotation's own rights.
        "ansible_kubectl_kubeconfig": str(kubeconfig),
        "ansible_connection": "kubernetes.core.kubectl",
        "ansible_kubectl_namespace": "kube-system",
        "ansible_kubectl_container": "cilium-agent",
        "ansible_kubectl_pod": pod,
        "rotation_key_file": str(key_file),
    }


def hosts_of(fleet, kubeconfig):
    """An inventory for a fleet, whose nodes have other names in it."""
    hosts = {
        f"host{node.number}": pod_host(
            f"cilium-aaaa{node.number}", node.key_file, kubeconfig
        )
        for node in fleet.nodes.values()
    }
    return yaml.safe_dump({"cilium_nodes": {"hosts": hosts}})


@pytest.fixture
def inventory(fleet, api, tmp_path):
    """Hosts for a fleet without a Secret, in the order of their names."""
    fleet.keep_keys_in_files()
    # Time to write them; the made-up agents go by a time of their own.
    fleet.configure(ipsec_key_rotation_duration="60s")
    path = tmp_path / "hosts.yml"
    path.write_text(hosts_of(fleet, api.kubeconfig))
    return path


@pytest.fixture
def in_files(playbooks, fleet, inventory):
    """Runs the rotation without any right to a Secret."""
    roles = fleet.store.get(
        "roles.rbac.authorization.k8s.io", "ipsec-rotate", "kube-system"
    )
    roles["rules"] = [r for r in roles["rules"] if "secrets" not in r["resources"]]
    fleet.store.update(roles)
    options = (f"--inventory={inventory}", DISTRIBUTION)
    start, command = playbooks.start, "rotate-ipsec-key.yml"
    return lambda *more: start(command, *options, *more)


def lines(fleet):
    return [node.key_file.read_text() for node in fleet.nodes.values()]


def test_rotation_that_is_killed_between_two_nodes_ends_with_one_key(
    in_files, playbooks, fleet, api
):
    pods = api.pods
    pods.held = "node2"
    # Ansible's debug mode tells everything that comes over a connection.
    playbooks.environment["ANSIBLE_DEBUG"] = "1"
    first = in_files("-vvvv", "--diff")
    assert pods.holding.wait(60), first.out
    assert [parse_key(line).key_id for line in lines(fleet)] == [4, 3, 3]
    old, new = bytes.fromhex(KEY_HEX), parse_key(lines(fleet)[0]).key
    assert leaks((old, new), processes()) == []
    # What is on its way to a node when a run is killed, may arrive all the same.
    first.process.kill()
    pods.held = None
    first.kill()
    line, on_its_way, last = lines(fleet)
    assert on_its_way in {line, key_line(3)}
    assert last == key_line(3)

    second = in_files("-vvvv", "--diff").finish()
    assert second.status == 0, second.out
    assert "was interrupted. This run goes on with it" in second.out
    assert set(lines(fleet)) == {line}
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
    report = json.loads(next(playbooks.reports.glob("*.json")).read_text())
    assert (report["from_key_id"], report["to_key_id"]) == (3, 4)
    assert report["finished_at"]

    said = [
        (which, run.encode()) for which, run in (("1", first.out), ("2", second.out))
    ]
    assert leaks((old, new), said) == []
    assert leaks((old, new), files(playbooks.folder)) == []


def test_refusal_names_each_host_and_changes_nothing(in_files, fleet):
    fleet.nodes["node2"].key_file.unlink()
    fleet.nodes["node3"].key_file.write_text("3+ rfc4106(gcm(aes)) 0123 \n")
    version = fleet.store.version
    run = in_files().finish()
    assert run.status == 2
    assert "Host host2: " in run.out
    assert "is missing: there is no key to rotate." in run.out
    assert "Host host3: " in run.out
    assert fleet.store.version == version
