"""The command end to end: interrupted, gone on with, refused, sent elsewhere."""

import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from runbooks.rotation.lock import LEASE_NAME
from runbooks.xfrm.keys import parse_key
from tests.playbooks.leaks import files, leaks
from tests.runner.conftest import LIMITS, PROGRAMS


def holder(fleet):
    lease = fleet.store.get("leases.coordination.k8s.io", LEASE_NAME, "kube-system")
    return lease["spec"].get("holderIdentity") or ""


def test_interrupted_run_gives_the_lock_back_and_the_next_one_finishes(rotation, fleet):
    fleet.nodes["node2"].stuck = True
    first = rotation.start()
    first.wait_for("propagate: 2 of 3 nodes, waiting for node2 (")
    line = fleet.secret_line
    assert holder(fleet)

    first.process.send_signal(signal.SIGINT)
    stopped = first.finish()
    assert stopped.status == 130
    assert "Stopping." in stopped.out
    assert "is not over: the new key is in the Secret" in stopped.out
    assert "goes on with the same key. The lock was given back." in stopped.out
    assert holder(fleet) == ""
    assert fleet.secret_line == line

    fleet.nodes["node2"].stuck = False
    second = rotation.run()
    assert second.status == 0, second.out
    assert "was interrupted. This run goes on with it" in second.out
    assert "propagate: 3 of 3 nodes after" in second.out
    assert "reclaim: 3 of 3 nodes after" in second.out
    assert "; after: healthy." in second.out
    assert "Traceback" not in stopped.out + second.out
    assert fleet.secret_line == line
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
    assert [path.suffix for path in sorted(rotation.reports.iterdir())] == [
        ".html",
        ".json",
    ]

    runs = list((rotation.artifacts / "artifacts").iterdir())
    assert len(runs) == 2
    for folder in [rotation.artifacts, *runs]:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(folder.rglob("*"))
    assert len(fleet.keys) == 2
    environment = rotation.environment["TOKEN_OF_SOMETHING"].encode()
    assert not [
        where for where, text in files(rotation.artifacts) if environment in text
    ]


def test_check_mode_changes_nothing(rotation, fleet):
    line = fleet.secret_line
    result = rotation.run("--check")
    assert result.status == 0, result.out
    assert "patch: would go from key ID 3 to 4" in result.out
    assert "lock:" not in result.out
    assert "reclaim:" not in result.out
    assert "Would go from key ID 3 to 4 on 3 nodes." in result.out
    assert fleet.secret_line == line
    assert not rotation.reports.exists()


def test_refusal_exits_1_and_says_why(rotation, fleet):
    fleet.configure(enable_ipsec="false")
    result = rotation.run()
    assert result.status == 1, result.out
    assert "does not have enable-ipsec set to true" in " ".join(result.out.split())
    (run,) = (rotation.artifacts / "artifacts").iterdir()
    assert f"What Ansible said is in {run}." in result.out


def test_run_that_fails_after_the_patch_exits_1_and_its_artifacts_hold_no_key(
    rotation, fleet
):
    fleet.nodes["node2"].stuck = True
    result = rotation.run("-e", "rotation_propagate_limit=1")
    assert result.status == 1, result.out
    assert "node2 (" in result.out
    assert "goes on from here with the same key" in " ".join(result.out.split())
    (run,) = (rotation.artifacts / "artifacts").iterdir()
    assert len(fleet.keys) == 2
    assert leaks(fleet.keys, files(run)) == []
    assert any(b"Gave up after" in text for _, text in files(run))


def test_cluster_that_refuses_the_credentials_exits_3(rotation, tmp_path):
    config = yaml.safe_load(Path(rotation.environment["KUBECONFIG"]).read_text())
    config["users"][0]["user"] = {"token": "unknown"}
    (tmp_path / "unknown.yaml").write_text(yaml.safe_dump(config))
    # Relative to where the command is called, not to where the playbook runs.
    result = rotation.run("--kubeconfig", "unknown.yaml")
    assert result.status == 3, result.out
    assert "preflight: " in result.out
    assert "Nothing was changed." in result.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-e", "rotation_poll_interval=often"], "rotation_poll_interval"),
        (["-e", "@missing.yml"], "missing.yml"),
        (["--kubeconfig", "missing.yaml"], "there is no kubeconfig missing.yaml"),
    ],
    ids=["type", "file", "kubeconfig"],
)
def test_wrong_call_exits_2(rotation, options, sentence):
    result = rotation.run(*options)
    assert result.status == 2, result.out
    assert sentence in result.out


def test_transmit_worker_process_rotates_and_brings_the_report_back(rotation, fleet):
    folder = rotation.folder / "sent"
    kubeconfig = rotation.environment.pop("KUBECONFIG")
    options = "--prepare", folder, "--kubeconfig", kubeconfig, "-e", LIMITS
    prepared = subprocess.run(
        [PROGRAMS / "ipsec-runbooks", "rotate", *map(str, options)],
        env=rotation.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert prepared.stderr == ""
    command = prepared.stdout.strip()
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=rotation.folder,
        env=rotation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict before: healthy; after: healthy." in done.stdout
    assert parse_key(fleet.secret_line).key_id == 4
    reports = (folder / "artifacts").glob("rotation-report-*")
    assert {path.suffix for path in reports} == {".html", ".json"}
    assert len(fleet.keys) == 2
    assert leaks(fleet.keys, [("output", done.stdout.encode())]) == []
