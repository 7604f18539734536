"""Commands in containers by the real kubectl, over WebSocket and over SPDY.

kubectl before 1.30 knows SPDY only, whatever it is told.
"""

import subprocess

import pytest

from runbooks.lab.kubeapi import Identity

from .conftest import POD

SYSTEM = ("-n", "kube-system")
EXEC = ("exec", *SYSTEM, POD)

pytestmark = pytest.mark.usefixtures("_kubectl", "_protocol")


@pytest.fixture(params=["websocket", "spdy"])
def _protocol(request, monkeypatch):
    wanted = str(request.param == "websocket").lower()
    monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", wanted)


def test_exec_passes_output_and_exit_status(cluster):
    assert cluster.kubectl(*EXEC, "--", "echo", "a b", "c").stdout == b"a b c\n"
    done = cluster.kubectl(*EXEC, "-c", "cilium-agent", "--", "fail", "7", check=False)
    assert done.returncode == 7
    assert done.stderr.startswith(b"it went wrong\n")


def test_exec_passes_input_to_its_end(cluster):
    content = bytes(range(256)) * 4096
    done = cluster.kubectl(*EXEC, "-i", "--", "cat", stdin=content)
    assert done.stdout == content


def test_exec_passes_much_output(cluster):
    done = cluster.kubectl(*EXEC, "--", "zeros", str(16 * 1024 * 1024))
    assert len(done.stdout) == 16 * 1024 * 1024


def test_exec_says_what_is_missing(cluster):
    done = cluster.kubectl(*EXEC, "--", "nope", check=False)
    assert done.returncode != 0
    assert b'exec: "nope": executable file not found' in done.stderr
    done = cluster.kubectl(*EXEC, "-c", "other", "--", "echo", check=False)
    assert b"container other" in done.stderr.replace(b"not found in pod", b"")
    done = cluster.kubectl("exec", *SYSTEM, "other", "--", "echo", check=False)
    assert b'pods "other" not found' in done.stderr


def test_a_command_ends_with_its_client(cluster):
    process = cluster.start_kubectl(*EXEC, "--", "wait")
    assert process.stdout.readline() == b"waiting\n"
    process.kill()
    process.communicate(timeout=20)
    assert cluster.node.cancelled.wait(20)


def test_exec_needs_a_right_of_its_own(cluster):
    config = cluster.token_kubeconfig(Identity("alice", ("system:authenticated",)))
    cluster.kubectl("create", "role", *SYSTEM, "r", "--verb=get", "--resource=pods")
    cluster.kubectl("create", "rolebinding", *SYSTEM, "r", "--role=r", "--user=alice")
    done = cluster.kubectl(*EXEC, "--", "echo", kubeconfig=config, check=False)
    assert done.returncode == 1
    assert b'resource "pods/exec"' in done.stderr


def test_commands_in_a_terminal_join_both_outputs(cluster):
    # -t without a terminal of its own makes kubectl go on without one.
    done = subprocess.run(
        [
            "script",
            "-qec",
            f"kubectl exec {' '.join(SYSTEM)} -it {POD} -- where",
            "/dev/null",
        ],
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"node1 cilium-agent tty=True" in done.stdout
