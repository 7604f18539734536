"""Real kernels whose agents read the key from a file that no Secret brought."""

import hashlib
import json
import os
import signal
import subprocess

import pytest
import yaml

from runbooks.lab.plan import KEY_FILE
from runbooks.lab.reading import wait_until
from runbooks.xfrm.keys import parse_key
from tests.conftest import start_lab
from tests.playbooks.conftest import ANSIBLE_PLAYBOOK, PLAYBOOKS
from tests.playbooks.leaks import files, leaks, processes
from tests.playbooks.test_key_files import pod_host

pytestmark = [pytest.mark.lab]

NODES = ("node1", "node2", "node3")
#: Puts a plain file into the place of what kubelet mounted.
MAKE_PLAIN = (
    "cd /etc/ipsec && cp -L keys plain && chmod 600 plain && mv -f plain keys"
    " && rm -rf ..?*"
)
#: A shell that is late, for as long as a file is there, to write key files.
LATE_SHELL = """#!/bin/sh
case "$*" in *"Replaces this node"*)
  touch /run/waiting
  while [ -e /run/closed ]; do sleep 0.1; done ;;
esac
exec /bin/sh "$@"
"""


@pytest.fixture(scope="module")
def file_lab():
    """A lab without a Secret; there is time between two runs of the playbook."""
    name = f"files-{os.getpid()}"
    with start_lab(name, "--mode", "crd", "--rotation-duration", "60") as lab:
        lab.command("kubectl", "-n", "kube-system", "delete", "secret", "--all")
        for node in NODES:
            on(lab, node, MAKE_PLAIN)
        yield lab


def on(lab, node, script):
    done = lab.client.run(node, ["sh", "-c", script])
    assert done.status == 0, done.stderr
    return done.stdout


def key_line(lab, node):
    return on(lab, node, f"cat {KEY_FILE}")


@pytest.fixture
def inventory(file_lab, tmp_path):
    """Hosts in another order than the nodes, the second of them slow at writing."""
    get = ("kubectl", "-n", "kube-system", "get", "pods", "-l", "k8s-app=cilium")
    pods = json.loads(file_lab.command(*get, "-o", "json").stdout)["items"]
    names = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods}
    hosts = {
        f"host{place}": pod_host(names[node], KEY_FILE, file_lab.kubeconfig)
        for place, node in enumerate(reversed(NODES), 1)
    }
    on(
        file_lab,
        "node2",
        f"cat > /run/late <<'EOF'\n{LATE_SHELL}EOF\nchmod +x /run/late",
    )
    hosts["host2"]["ansible_shell_executable"] = "/run/late"
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"cilium_nodes": {"hosts": hosts}}))
    return path


@pytest.fixture
def start(file_lab, inventory, tmp_path):
    """Starts the rotation in a session of its own, with its output in a file."""
    (tmp_path / "tmp").mkdir()
    environment = file_lab.env | {
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path / "tmp"),
        "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"),
    }

    def run(name):
        with (tmp_path / name).open("wb") as out:
            return subprocess.Popen(
                [
                    *(ANSIBLE_PLAYBOOK, "rotate-ipsec-key.yml", "-vvvv", "--diff"),
                    *("-i", inventory, "-e", "key_distribution=files"),
                    *("-e", f"rotation_report_dir={tmp_path}"),
                ],
                cwd=PLAYBOOKS,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return run


def arguments(lab):
    """Arguments and environment of every process on the nodes."""
    script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; :"
    for node in NODES:
        yield node, on(lab, node, script).encode()


def test_killed_between_two_nodes_ends_with_one_key_and_loses_no_packet(
    file_lab, start, tmp_path
):
    old = parse_key(key_line(file_lab, "node1"))
    file_lab.run("traffic", "start", "--rate", "100")
    on(file_lab, "node2", "touch /run/closed")
    first = start("first.txt")
    wait_until(
        lambda: "waiting" in on(file_lab, "node2", "ls /run") or first.poll(),
        "node2 was not written",
        120,
    )
    assert first.poll() is None, (tmp_path / "first.txt").read_text()[-4000:]
    line = key_line(file_lab, "node3")
    new = parse_key(line)
    assert new.key_id == old.key_id % 15 + 1
    keys = (old.key, new.key)
    assert leaks(keys, processes()) == []
    assert leaks(keys, arguments(file_lab)) == []
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(30)
    on(file_lab, "node2", "rm /run/closed")
    assert parse_key(key_line(file_lab, "node1")) == old

    second = start("second.txt")
    status = second.wait(180)
    said = (tmp_path / "second.txt").read_text()
    assert status == 0, said[-4000:]
    assert "was interrupted. This run goes on with it" in " ".join(said.split())
    assert {key_line(file_lab, node) for node in NODES} == {line}
    for node in NODES:
        assert on(file_lab, node, "stat -c %a /etc/ipsec/keys; ls -A /etc/ipsec") == (
            "600\nkeys\n"
        )

    file_lab.run("traffic", "stop")
    settled = lambda: file_lab.traffic() == file_lab.traffic()  # noqa: E731
    wait_until(settled, "packets are still on their way", 10)
    counts = file_lab.traffic().values()
    assert sum(row["sent"] for row in counts) > 0
    assert [row["lost"] for row in counts if row["lost"]] == []
    assert leaks(keys, files(tmp_path)) == []
    hashes = hashlib.sha256(line.encode()).hexdigest()
    assert hashes in said  # what is shown of the key file, so the search had a chance
