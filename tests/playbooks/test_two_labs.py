"""One run of the playbook rotates two clusters of real kernels with one key."""

import hashlib
import json
import secrets
from dataclasses import replace

import pytest
from kubernetes import client, config

from runbooks.lab.reading import wait_until
from tests.playbooks.conftest import merged_kubeconfig

pytestmark = pytest.mark.lab

SECRET = (
    *("kubectl", "-n", "kube-system", "get", "secret", "cilium-ipsec-keys", "-o"),
    "jsonpath={.data.keys}",
)
TRAFFIC = ("--rate", "200")


@pytest.fixture
def labs(lab, crd_lab):
    """A cluster with a key-value store, and one without."""
    return {"east": lab, "west": crd_lab}


def key_hash(lab):
    return hashlib.sha256(lab.command(*SECRET).stdout.encode()).hexdigest()


def give_key(lab, key_id):
    """Replace the key by another, as a person would."""
    line = f"{key_id}+ rfc4106(gcm(aes)) {secrets.token_hex(20)} 128"
    api = client.CoreV1Api(config.new_client_from_config(str(lab.kubeconfig)))
    api.patch_namespaced_secret(
        "cilium-ipsec-keys", "kube-system", {"stringData": {"keys": line}}
    )


def settle(lab):
    lab.run("traffic", "stop")
    wait_until(lambda: lab.traffic() == lab.traffic(), "packets are on their way", 10)
    return [row["lost"] for row in lab.traffic().values()]


def spis(lab):
    return {spi for row in lab.status().values() for spi in row["spis"]}


def test_two_clusters_are_rotated_with_one_key_and_lose_nothing(labs, tmp_path):
    # A mesh has one key ID: the newer lab is brought to that of the other.
    (key_id,) = spis(labs["east"])
    if spis(labs["west"]) != {key_id}:
        give_key(labs["west"], key_id)
    wait_until(lambda: spis(labs["west"]) == {key_id}, "west goes to that key", 60)
    assert key_hash(labs["west"]) != key_hash(labs["east"])
    for lab in labs.values():
        lab.run("traffic", "start", *TRAFFIC)

    path = merged_kubeconfig(
        {context: lab.kubeconfig for context, lab in labs.items()}, tmp_path / "both"
    )
    both = replace(labs["east"], kubeconfig=path)
    said = both.playbook(
        "rotate-ipsec-key.yml",
        "--extra-vars={rotation_contexts: [east, west]}",
        f"--extra-vars=rotation_report_dir={tmp_path}",
    )

    assert "on 6 nodes (east/node1, east/node2" in " ".join(said.split())
    assert key_hash(labs["west"]) == key_hash(labs["east"])
    assert spis(labs["west"]) == spis(labs["east"])
    report = json.loads(next(tmp_path.glob("rotation-report-*.json")).read_text())
    assert report["verdict_after"] == "healthy"
    assert set(report["timeline"]["west/node3"]) == {"propagate", "reclaim"}
    assert {context: set(settle(lab)) for context, lab in labs.items()} == {
        "east": {0},
        "west": {0},
    }
    assert labs["east"].ping("node1", "node2") == 5
    assert labs["west"].ping("node2", "node3") == 5
