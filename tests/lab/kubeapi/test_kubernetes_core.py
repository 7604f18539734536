"""The real kubernetes.core collection against the API."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import POD

POD_ARGS = {"namespace": "kube-system", "pod": POD}
CONFIG = {"kind": "ConfigMap", "namespace": "kube-system", "name": "cilium-config"}


def task(name, module, /, **args):
    return {f"kubernetes.core.{module}": args, "register": name, "name": name}


@pytest.fixture
def play(cluster):
    def run(tasks, *options):
        """Run tasks and return what each registered."""
        names = {task["name"]: f"{{{{ {task['name']} }}}}" for task in tasks}
        report = cluster.folder / "registered.json"
        last = {
            "ansible.builtin.copy": {
                "content": "{{ registered | to_json }}",
                "dest": str(report),
                "mode": "0600",
            },
            "vars": {"registered": names},
            "check_mode": False,
            "name": "Report",
        }
        playbook = [
            {
                "name": "Try",
                "hosts": "localhost",
                "gather_facts": False,
                "vars": {"ansible_python_interpreter": sys.executable},
                "tasks": [*tasks, last],
            }
        ]
        path = cluster.folder / "play.yml"
        path.write_text(yaml.safe_dump(playbook, sort_keys=False))
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                *("-i", "localhost,", "-c", "local", *options, str(path)),
            ],
            env=os.environ
            | {
                "K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig),
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "ANSIBLE_HOME": str(cluster.folder / "ansible"),
            },
            cwd=cluster.folder,
            capture_output=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return json.loads(report.read_text())

    return run


def test_the_modules_read_write_and_execute(cluster, play):
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lock", "namespace": "kube-system"},
        "spec": {"holderIdentity": "a"},
    }
    changed = {**lease, "spec": {"holderIdentity": "b"}}
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"debug": "false"}}
    selection = {
        "kind": "Pod",
        "namespace": "kube-system",
        "label_selectors": ["k8s-app=cilium"],
        "field_selectors": ["spec.nodeName=node2"],
    }
    got = play(
        [
            task("pods", "k8s_info", **selection),
            task(
                "custom",
                "k8s_info",
                api_version="cilium.io/v2",
                kind="CiliumNode",
            ),
            task("created", "k8s", definition=lease),
            task("again", "k8s", definition=lease),
            task("updated", "k8s", definition=changed),
            task("applied", "k8s", definition=changed, apply=True),
            task(
                "patched",
                "k8s",
                **CONFIG,
                state="patched",
                definition={"data": {"debug": "true"}},
            ),
            task("late", "k8s", **CONFIG, state="patched", definition=stale)
            | {"failed_when": "late.status | default(409) != 409"},
            task("ran", "k8s_exec", **POD_ARGS, command="echo a b"),
            task("failed", "k8s_exec", **POD_ARGS, command="fail 5")
            | {"failed_when": "failed.rc != 5"},
            task(
                "ready",
                "k8s_info",
                kind="DaemonSet",
                api_version="apps/v1",
                namespace="kube-system",
                name="cilium",
                wait=True,
                wait_timeout=20,
            ),
            task("gone", "k8s", definition=lease, state="absent", wait=True),
        ]
    )
    assert [p["metadata"]["name"] for p in got["pods"]["resources"]] == ["cilium-aaaa2"]
    assert [n["spec"]["encryption"]["key"] for n in got["custom"]["resources"]] == [
        3,
        3,
    ]
    changes = {name: got[name]["changed"] for name in ("created", "again", "updated")}
    assert changes == {"created": True, "again": False, "updated": True}
    assert got["applied"]["result"]["spec"] == {"holderIdentity": "b"}
    assert got["patched"]["changed"]
    assert (got["ran"]["stdout"], got["ran"]["rc"]) == ("a b\n", 0)
    assert (got["failed"]["stderr"], got["failed"]["rc"]) == ("it went wrong\n", 5)
    assert got["gone"]["changed"]
    assert "Conflict" in json.dumps(got["late"])
    settings = cluster.store.get("configmaps", "cilium-config", "kube-system")["data"]
    assert settings["debug"] == "true"


def test_check_mode_changes_nothing_and_says_what_would_change(cluster, play):
    before = cluster.store.version
    definition = {"data": {"debug": "true"}}
    got = play(
        [
            task("patched", "k8s", **CONFIG, state="patched", definition=definition),
            task("gone", "k8s", **CONFIG, state="absent"),
        ],
        "--check",
        "--diff",
    )
    assert got["patched"]["changed"]
    assert got["gone"]["changed"]
    assert cluster.store.version == before
