"""A lab comes up, goes down, and leaves nothing, whatever happens to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runbooks.lab import launch
from runbooks.lab.launch import down
from runbooks.lab.plan import Lab, LabError
from runbooks.lab.reading import wait_until

COMMAND = (sys.executable, "-m", "runbooks", "lab")


def lab_processes(name: str) -> list[str]:
    """Command lines of this machine's processes that belong to a lab."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        line = b" ".join(words).decode(errors="replace")
        owned = f"/{name}/" in line or line.endswith(f"supervisor {name}")
        if owned and "pytest" not in line:
            found.append(line)
    return found


@pytest.fixture
def name():
    """A lab's name of the test's own; what is left of it goes."""
    name = f"life-{os.getpid()}"
    yield name
    down(name)


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def interfaces() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def home_config() -> tuple[bytes, int] | None:
    path = Path.home() / ".kube/config"
    return (path.read_bytes(), path.stat().st_mtime_ns) if path.exists() else None


def named_namespaces() -> list[str]:
    directory = Path("/run/netns")
    return sorted(p.name for p in directory.iterdir()) if directory.exists() else []


@pytest.mark.lab
def test_a_second_lab_runs_beside_the_first_and_down_leaves_nothing_of_it(lab, name):
    before = (interfaces(), named_namespaces())
    user_config = home_config()
    configs = [Lab(name).kubeconfig, lab.kubeconfig]
    up = run("up", "--name", name, "--nodes", "2")
    assert up.returncode == 0, up.stderr
    assert f"export KUBECONFIG=/tmp/ipsec-runbooks-{os.getuid()}/{name}" in up.stdout
    assert lab_processes(name)
    # Another lab's API has another port, and nobody's ~/.kube/config is touched.
    servers = {re.findall("server: (.*)", c.read_text())[0] for c in configs}
    assert len(servers) == 2
    assert home_config() == user_config
    pod = Lab(name).node("node2").pod_ip
    ping = ("ip", "netns", "exec", "pod", "ping", "-c1", "-W1", pod)
    done = run("exec", "--name", name, "node1", "--", *ping)
    assert done.returncode == 0, done.stdout
    assert lab.ping("node1", "node2") == 5
    assert run("down", "--name", name).returncode == 0
    assert lab_processes(name) == []
    assert not Lab(name).directory.exists()
    assert (interfaces(), named_namespaces()) == before
    assert lab.ping("node1", "node2") == 5


@pytest.mark.lab
def test_a_crash_takes_every_process_along_and_down_removes_the_files(name):
    assert run("up", "--name", name, "--nodes", "2").returncode == 0
    pid = int(Lab(name).pid_file.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not lab_processes(name), "processes outlive the lab", 10)
    assert run("down", "--name", name).returncode == 0
    assert not Lab(name).directory.exists()


@pytest.mark.lab
@pytest.mark.parametrize("line", ["kernels started", "is ready"])
def test_an_interrupted_up_leaves_nothing(name, line):
    up = subprocess.Popen(
        [*COMMAND, "up", "--name", name, "--nodes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for printed in up.stdout:
        if line in printed:
            up.send_signal(signal.SIGINT)
            break
    up.communicate()
    assert up.returncode != 0
    assert lab_processes(name) == []
    assert not Lab(name).directory.exists()


def test_down_succeeds_when_there_is_nothing_to_do():
    done = run("down", "--name", "never-was")
    assert (done.returncode, done.stdout) == (0, "No lab 'never-was' is running.\n")


def test_commands_on_a_lab_that_is_not_there_say_how_to_start_it():
    done = run("status", "--name", "never-was")
    assert done.returncode == 1
    assert "start it: ipsec-runbooks lab up --name never-was" in done.stderr


@pytest.mark.parametrize("bad", ["", "A", "../x", "a b", "x" * 40, "-a"])
def test_a_name_that_could_be_a_path_is_refused(bad):
    with pytest.raises(LabError, match="use lower-case letters"):
        Lab(bad)


@pytest.mark.parametrize("count", [0, 1, 61])
def test_a_number_of_nodes_that_makes_no_cluster_is_refused(count):
    with pytest.raises(LabError, match="2 to 60 nodes"):
        Lab("lab", count)


def test_missing_programs_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(launch, "_PATH", "/nonexistent")
    with pytest.raises(LabError, match="etcd-server iproute2 user-mode-linux"):
        launch.up(Lab("never-was"), print)
    assert not Lab("never-was").directory.exists()
