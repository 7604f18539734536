"""The real kubernetes.core collection against the API."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from .conftest import POD

POD_ARGS = {"namespace": "kube-system", "pod": POD}
CONFIG = {"kind": "ConfigMap", "namespace": "kube-system", "name": "cilium-config"}


def task(name, module, /, **args):
    return {f"kubernetes.core.{module}": args, "register": name, "name": name}


def play(cluster, tasks):
    """Run tasks and return what each of them registered."""
    report = cluster.folder / "registered.json"
    names = {task["name"]: f"{{{{ {task['name']} }}}}" for task in tasks}
    last = {
        "name": "report",
        "ansible.builtin.copy": {
            "content": "{{ registered | to_json }}",
            "dest": str(report),
            "mode": "0600",
        },
        "vars": {"registered": names},
    }
    playbook = {
        "name": "Try the modules",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [*tasks, last],
    }
    path = cluster.folder / "play.yml"
    path.write_text(yaml.safe_dump([playbook], sort_keys=False))
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run(
        [program, "-i", "localhost,", "-c", "local", str(path)],
        env=cluster.environment()
        | {
            "K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig),
            "ANSIBLE_HOME": str(cluster.folder / "ansible"),
        },
        cwd=cluster.folder,
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return json.loads(report.read_text())


def test_the_modules_read_write_and_execute(cluster):
    # One playbook for everything: each task starts Python and imports a lot.
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lock", "namespace": "kube-system"},
        "spec": {"holderIdentity": "a"},
    }
    selection = {
        "kind": "Pod",
        "namespace": "kube-system",
        "label_selectors": ["k8s-app=cilium"],
        "field_selectors": ["spec.nodeName=node2"],
        "wait": True,
        "wait_timeout": 20,
    }
    debug = {"state": "patched", "definition": {"data": {"debug": "true"}}}
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"debug": "false"}}
    got = play(
        cluster,
        [
            task("pods", "k8s_info", **selection),
            task("nodes", "k8s_info", api_version="cilium.io/v2", kind="CiliumNode"),
            task("applied", "k8s", definition=lease, apply=True),
            task("again", "k8s", definition=lease, apply=True),
            task("would_patch", "k8s", **CONFIG, **debug) | {"check_mode": True},
            task("patched", "k8s", **CONFIG, **debug),
            task("late", "k8s", **CONFIG, state="patched", definition=stale)
            | {"ignore_errors": True},
            task("ran", "k8s_exec", **POD_ARGS, command="echo a b"),
            task("failed", "k8s_exec", **POD_ARGS, command="fail 5")
            | {"failed_when": False},
            task("gone", "k8s", definition=lease, state="absent", wait=True),
        ],
    )
    assert [p["metadata"]["name"] for p in got["pods"]["resources"]] == ["cilium-aaaa2"]
    keys = [n["spec"]["encryption"]["key"] for n in got["nodes"]["resources"]]
    assert keys == [3, 3]
    changes = [got[n]["changed"] for n in ("applied", "again", "gone")]
    assert changes == [True, False, True]
    # Nothing was changed by the check, so the patch still had something to do.
    assert (got["would_patch"]["changed"], got["patched"]["changed"]) == (True, True)
    assert "Conflict" in json.dumps(got["late"])
    assert (got["ran"]["stdout"], got["ran"]["rc"]) == ("a b\n", 0)
    assert (got["failed"]["stderr"], got["failed"]["rc"]) == ("it went wrong\n", 5)
    settings = cluster.store.get("configmaps", "cilium-config", "kube-system")["data"]
    assert settings["debug"] == "true"
