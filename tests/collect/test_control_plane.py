"""What the key-value store and the Secret say, as far as they may be read."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from runbooks.collect import agent_exec, control_plane
from runbooks.collect.agent_exec import ExecError, Ran
from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.cluster import ClusterReader
from runbooks.collect.node_files import NodeFile, read_node
from runbooks.collect.snapshot_folder import write_snapshot
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code
from tests.collect.test_cluster import (  # noqa: F401 - fixtures
    CONFIG,
    PODS,
    agents,
    api,
    kubeconfig,
)

SECRET = "/api/v1/namespaces/kube-system/secrets/cilium-ipsec-keys"
KEY = "5ca1ab1e" * 5  # made up here
PRINTED = "".join(
    f'cilium/state/nodes/v1/default/{name} => {{"EncryptionKey":7}}\n'
    for name in ("n1", "n2", "n3")
)


@pytest.fixture
def store(monkeypatch, agents):  # noqa: ARG001, F811
    """What an agent says when it is asked for the store."""
    said = {"answer": Ran(0, PRINTED), "asked": []}

    def run(_self, pod, command, limit_s):
        assert limit_s > 0
        said["asked"].append((pod, command[-1]))
        if isinstance(said["answer"], Exception):
            raise said["answer"]
        return said["answer"]

    monkeypatch.setattr(agent_exec.AgentExec, "run", run)
    return said


def secret(line, when="2026-11-22T23:00:00Z"):
    return {
        "metadata": {
            "name": "cilium-ipsec-keys",
            "managedFields": [
                {"time": "2026-11-22T23:30:00Z", "fieldsV1": {"f:metadata": {}}},
                {"time": when, "fieldsV1": {"f:data": {"f:keys": {}}}},
            ],
        },
        "data": {"keys": base64.b64encode(line.encode()).decode()},
    }


def read(kubeconfig):  # noqa: F811
    return ClusterReader.connect(kubeconfig).record(interval_s=0)


def test_one_ready_agent_is_asked_for_the_nodes_keys(kubeconfig, store):  # noqa: F811
    cluster = read(kubeconfig).samples().first.cluster

    assert [pod for pod, _ in store["asked"]] == ["cilium-xn1"]
    assert set(cluster.stored_nodes) == {"n1", "n2", "n3"}
    assert cluster.stored_nodes["n1"].create_revision is None
    assert not any("store" in sentence for sentence in cluster.unread)


def test_in_crd_mode_no_store_is_asked_for(kubeconfig, store, api):  # noqa: F811
    api.content[CONFIG]["data"]["identity-allocation-mode"] = "crd"

    assert read(kubeconfig).samples().first.cluster.store is None
    assert store["asked"] == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Ran(1, "", "Error: not connected"), "cilium-xn1: Error: not connected"),
        (Ran(127, "", ""), "it says nothing"),
        (ExecError("its agent did not answer within 20 s"), "within 20 s"),
    ],
)
def test_store_that_can_not_be_read_is_a_sentence(
    kubeconfig,  # noqa: F811
    store,
    answer,
    words,
):
    store["answer"] = answer

    diagnosis = diagnose(read(kubeconfig).samples())

    (sentence,) = [s for s in diagnosis.incomplete if "key-value store" in s]
    assert words in sentence
    # What it would have told is not needed to find the pairs.
    assert diagnosis.exit_code == 1


def test_agent_that_lacks_a_nodes_key_is_believed(kubeconfig, store, api):  # noqa: F811
    store["answer"] = Ran(0, "".join(PRINTED.splitlines(keepends=True)[:2]))
    for pod in api.content[PODS]["items"]:
        running = pod["status"]["containerStatuses"][0]["state"]["running"]
        running["startedAt"] = "2026-01-01T00:00:00Z"

    found = diagnose(read(kubeconfig).samples()).findings

    assert [f.node for f in found if f.code is Code.KVSTORE_LEASE_EXPIRING] == ["n3"]


def test_script_lets_nothing_of_an_entry_but_its_key_id_out(tmp_path):
    entry = {"Name": "n1", "EncryptionKey": 7, "BootID": "b", "NodeIdentity": 1}
    for separators in (None, (",", ":")):
        line = json.dumps(entry, separators=separators)
        program = tmp_path / "cilium-dbg"
        program.write_text(
            f"#!/bin/sh\necho 'cilium/state/nodes/v1/default/n1 => {line}'\n"
        )
        program.chmod(0o755)
        script = Path(control_plane.__file__).with_name("read_store.sh").read_text()

        done = subprocess.run(
            ["bash", "-c", script],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )

        said = done.stdout.replace(" ", "")
        assert said == 'cilium/state/nodes/v1/default/n1=>{"EncryptionKey":7}\n'


def test_script_fails_where_the_agent_does(tmp_path):
    program = tmp_path / "cilium-dbg"
    program.write_text("#!/bin/sh\necho no store >&2\nexit 1\n")
    program.chmod(0o755)
    script = Path(control_plane.__file__).with_name("read_store.sh").read_text()

    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")


def test_of_the_secret_only_the_id_and_the_time_are_kept(
    kubeconfig,  # noqa: F811
    store,
    api,  # noqa: F811
    tmp_path,
):
    api.content[SECRET] = secret(f"7+ rfc4106(gcm(aes)) {KEY} 128\n")
    recording = read(kubeconfig)

    kept = recording.samples().first.cluster.secret
    assert kept.key_id == 7
    assert kept.changed_s == 1_795_388_400.0
    assert KEY not in repr(recording)
    write_snapshot(recording, tmp_path / "s")
    again = read_archive(tmp_path / "s").first.cluster
    assert again.secret == kept
    assert again.store == recording.samples().first.cluster.store
    for file in (tmp_path / "s").rglob("*"):
        assert file.is_dir() or KEY not in file.read_text()
    assert store["asked"]


@pytest.mark.parametrize("status", [403, 404])
def test_secret_that_may_not_be_read_is_not_missed(
    kubeconfig,  # noqa: F811
    store,
    api,  # noqa: F811
    status,
):
    api.content[SECRET] = status

    cluster = read(kubeconfig).samples().first.cluster

    assert cluster.secret is None
    assert not any("ecret" in sentence for sentence in cluster.unread)
    assert store["asked"]


BROKEN = {
    "": "is empty",
    "3+ rfc4106(gcm(aes))": "2 fields",
    f"16+ rfc4106(gcm(aes)) {KEY} 128": "1 to 15",
    f"x+ rfc4106(gcm(aes)) {KEY} 128": "ID",
    f"3+ rfc4106(gcm(aes)) {KEY}zz 128": "hex",
    f"3+ rfc4106(gcm(aes)) {KEY} 127": "ICV",
    f"3+ {KEY} rfc4106(gcm(aes)) 128": "",
    f"3+ a {KEY} 128\n4+ b {KEY} 128": "2 lines",
    f"{KEY}": "",
}


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_broken_secret_is_told_without_any_part_of_it(
    kubeconfig,  # noqa: F811
    store,
    api,  # noqa: F811
    capfd,
    line,
):
    api.content[SECRET] = secret(line)

    diagnosis = diagnose(read(kubeconfig).samples())

    (sentence,) = [s for s in diagnosis.incomplete if "Secret" in s]
    assert BROKEN[line] in sentence
    told = sentence + "".join(capfd.readouterr())
    assert KEY[:8] not in told
    assert diagnosis.exit_code == 1
    assert store["asked"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "no data key keys"),
        ({"keys": "%%%"}, "not text"),
        ({"keys": base64.b64encode(b"\xff\xfe\x00").decode()}, "not text"),
        ({"keys": 7}, "not text"),
    ],
)
def test_secret_of_another_shape_is_told(kubeconfig, store, api, data, words):  # noqa: F811
    api.content[SECRET] = {"metadata": {}, "data": data}

    (sentence,) = [
        s
        for s in read(kubeconfig).samples().first.cluster.unread
        if "cilium-ipsec-keys" in s
    ]

    assert words in sentence
    assert store["asked"]


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("KVStore:                 Ok   etcd: 1/1 connected, has-quorum=true", None),
        ("KVStore:                 Disabled", None),
        ("KVStore:  Failure   Err: no endpoints.", "Failure: Err: no endpoints"),
        ("KVStore:  Warning", "Warning"),
        ("", None),
    ],
)
def test_agent_that_does_not_reach_its_store_says_so(line, trouble):
    node = read_node(
        "n1", {"cilium-dbg-status": NodeFile(f"{line}\nCilium: Ok 1.18\n")}
    )

    assert node.agent.store_trouble == trouble
