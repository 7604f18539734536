"""Whatever is killed is shown by ``lab status`` and brought back by ``lab up``."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from runbooks.lab.journal import Journal
from runbooks.lab.reading import wait_until
from tests.conftest import start_lab


def process(*words: str) -> int:
    """The process whose command line has all of the words, and not its children.

    A kernel has many, with the same command line. Which of them is the first, their
    numbers don't say: those begin anew at the end of their range.
    """
    parents = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            stat = (path.parent / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if all(word in line for word in words) and "pytest" not in line:
            parents[int(path.parent.name)] = int(stat.rpartition(")")[2].split()[1])
    (first,) = (pid for pid, parent in parents.items() if parent not in parents)
    return first


def supervisor(name: str) -> int:
    """The lab's own process: the child of its first one."""
    first = int(
        (Path(f"/tmp/ipsec-runbooks-{os.getuid()}") / name / "init.pid")
        .read_text()
        .split()[0]
    )
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = path.read_text().rsplit(")", 1)[1].split()
        if (
            int(fields[1]) == first
            and f"supervisor\0{name}" in (path.parent / "cmdline").read_text()
        ):
            return int(path.parent.name)
    raise AssertionError(f"lab {name} has no supervisor")


@pytest.fixture(scope="module")
def fragile():
    with start_lab(f"fragile-{os.getpid()}", "--nodes", "2") as running:
        yield running


def status(lab):
    done = lab.run("status", check=False)
    return done.returncode, done.stdout + done.stderr


def bring_back(lab):
    return lab.run("up").stdout.splitlines()[0]


@pytest.mark.lab
def test_a_killed_kernel_is_shown_and_started_again(fragile):
    boot_id = fragile.status()["node2"]["boot_id"]
    os.kill(process(f"{fragile.name}/nodes/node2/uml"), signal.SIGKILL)
    wait_until(lambda: "node2  10.9.0.12  kernel down" in status(fragile)[1], "shown")
    assert status(fragile)[0] == 1
    counted = fragile.run("traffic", "report", check=False)
    assert counted.returncode == 1
    assert "Error: the kernel of node2 is down" in counted.stderr
    assert f"bring it back: ipsec-runbooks lab up --name {fragile.name}" in (
        counted.stderr
    )
    assert bring_back(fragile) == (
        f"Lab '{fragile.name}' is whole again (node2). Point a shell at it:"
    )
    assert status(fragile)[0] == 0
    assert fragile.status()["node2"]["boot_id"] != boot_id
    assert fragile.ping("node1", "node2") == 5


@pytest.mark.lab
def test_a_killed_etcd_is_shown_and_comes_back_with_what_it_held(fragile):
    os.kill(process("etcd ", f"--name {fragile.name} "), signal.SIGKILL)
    wait_until(lambda: "etcd down" in status(fragile)[1], "shown")
    assert status(fragile)[0] == 1
    assert "whole again (etcd)" in bring_back(fragile)
    assert "etcd up" in status(fragile)[1]
    assert fragile.ping("node1", "node2") == 5


@pytest.mark.lab
def test_a_killed_agent_is_shown_and_started_again(fragile):
    fragile.client.ask("agent", node="node1", action="stop", signal="KILL")
    assert "agent down" in status(fragile)[1]
    assert "whole again (node1)" in bring_back(fragile)
    assert status(fragile)[0] == 0


@pytest.mark.lab
def test_a_killed_api_refuses_connections_and_comes_back_with_its_objects(fragile):
    def version():
        secret = ("get", "secret", "-n", "kube-system", "cilium-ipsec-keys")
        path = "jsonpath={.metadata.uid} {.metadata.resourceVersion}"
        return fragile.command("kubectl", *secret, "-o", path).stdout

    before, states = version(), fragile.status()["node1"]["spis"]
    os.kill(supervisor(fragile.name), signal.SIGKILL)
    refused = fragile.command("kubectl", "get", "nodes", check=False)
    assert refused.returncode == 1
    assert "refused" in refused.stderr
    code, shown = status(fragile)
    assert code == 1
    assert f"bring it back: ipsec-runbooks lab up --name {fragile.name}" in shown
    assert "whole again (Kubernetes API)" in bring_back(fragile)
    assert version() == before
    assert fragile.status()["node1"]["spis"] == states
    assert fragile.run("heal").stdout.startswith("Every node is on SPI")
    assert fragile.ping("node2", "node1") == 5


@pytest.mark.lab
def test_a_second_up_changes_nothing(fragile):
    before = fragile.status()
    line = bring_back(fragile)
    assert line == (
        f"Lab '{fragile.name}' is up already, and all of it runs. Point a shell at it:"
    )
    after = fragile.status()
    for name, row in before.items():
        for fact in ("boot_id", "spis"):
            assert after[name][fact] == row[fact]
        assert after[name]["agent"]["pid"] == row["agent"]["pid"]


@pytest.mark.lab
def test_a_second_up_with_other_options_is_refused_with_what_differs(fragile):
    done = fragile.run("up", "--mode", "crd", "--nodes", "5", check=False)
    assert done.returncode == 1
    assert "its mode is kvstore, not crd; its node_count is 2, not 5" in done.stderr
    assert f"end it first: ipsec-runbooks lab down --name {fragile.name}" in done.stderr


def test_a_journal_gives_what_was_written_last():
    journal = Journal()
    assert journal.read() is None
    for number in range(5):
        journal.write({"number": number, "filler": "x" * 10_000 * (5 - number)})
        assert journal.read()["number"] == number


def test_a_journal_keeps_the_last_whole_writing_when_the_next_one_is_cut_short():
    journal = Journal()
    journal.write({"number": 1})
    journal.write({"number": 2})
    # The third goes over the first: killed before its header, it leaves this.
    os.pwrite(journal._file, b"\0" * 10, (1 << 30) + 24)
    assert journal.read() == {"number": 2}


@pytest.mark.lab
def test_a_lab_that_has_used_many_process_numbers_still_reboots_nodes(fragile):
    """Since Linux 6.14 a process namespace goes on beyond the machine's own limit."""
    lab = Path(f"/tmp/ipsec-runbooks-{os.getuid()}") / fragile.name
    first = (lab / "init.pid").read_text().split()[0]
    last = "/proc/sys/kernel/ns_last_pid"
    used = subprocess.run(
        ["nsenter", "-t", first, "-p", "sh", "-c", f"echo 33000 >{last}"], check=False
    )
    if used.returncode:
        pytest.skip("process numbers begin anew at 32768 here")
    for _ in range(2):
        boot_id = fragile.status()["node2"]["boot_id"]
        fragile.run("break", "node-reboot", "--node", "node2")
        assert int((lab / "nodes" / "node2" / "kernel.pid").read_text()) > 33000
        # The one that was there is gone, with all of its processes.
        process(f"{fragile.name}/nodes/node2/uml")
        assert fragile.status()["node2"]["boot_id"] != boot_id
        assert fragile.ping("node1", "node2") == 5
