"""One lab for every test that needs real kernels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbooks.lab.client import LabClient

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(sys.executable).parent
PLAYBOOKS = Path(__file__).resolve().parents[1] / "playbooks"


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up, used from outside as a person would."""

    name: str
    kubeconfig: Path

    @property
    def env(self) -> dict[str, str]:
        path = f"{SCRIPTS}:{os.environ['PATH']}"
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "PATH": path}

    @property
    def client(self) -> LabClient:
        return LabClient(self.name)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """``ipsec-runbooks lab ARGUMENTS`` for this lab."""
        command, *rest = arguments
        words = ["lab", command]
        if command == "traffic":
            words.append(rest.pop(0))
        return self.command(
            "ipsec-runbooks", *words, "--name", self.name, *rest, check=check
        )

    def command(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        """Any command with this cluster's kubeconfig."""
        done = subprocess.run(
            argv,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(
                f"{' '.join(argv)}: exit status {done.returncode}\n"
                f"{done.stdout}\n{done.stderr}"
            )
        return done

    def playbook(self, name: str, *options: str) -> str:
        """Run a playbook as an operator does; gives what it printed."""
        argv = [str(SCRIPTS / "ansible-playbook"), name, *options]
        done = subprocess.run(
            argv,
            cwd=PLAYBOOKS,
            env=self.env | {"ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{name}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout

    def status(self) -> dict[str, dict]:
        """``lab status``, by node name."""
        rows = json.loads(self.run("status", "--output", "json").stdout)
        return {row["name"]: row for row in rows}

    def traffic(self) -> dict[tuple[str, str], dict]:
        """``lab traffic report``, by source and destination."""
        rows = json.loads(self.run("traffic", "report", "--output", "json").stdout)
        return {(row["source"], row["destination"]): row for row in rows}

    def ping(self, source: str, destination: str, version: int = 4) -> int:
        """Pings that were answered, of five, from pod to pod."""
        node = self.client.lab.node(destination)
        address = node.pod_ip6 if version == 6 else node.pod_ip
        done = self.client.run(
            source, ["ping", "-c5", "-i0.1", "-W5", address], pod=True
        )
        words = done.stdout.split()
        return int(words[words.index("transmitted,") + 1])


@contextmanager
def start_lab(name: str, *options: str) -> Iterator[RunningLab]:
    """Bring a lab up, and take it down in the end."""
    running = RunningLab(
        name, Path(f"/tmp/ipsec-runbooks-{os.getuid()}/{name}/kubeconfig")
    )
    try:
        running.run("up", *options)
        yield running
    finally:
        running.run("down")


@pytest.fixture(scope="session")
def lab() -> Iterator[RunningLab]:
    """A healthy lab of three nodes; whoever breaks it heals it."""
    with start_lab(f"test-{os.getpid()}") as running:
        yield running


@pytest.fixture(scope="session")
def crd_lab() -> Iterator[RunningLab]:
    """A lab without a key-value store, its packets of both families in VXLAN."""
    options = ("--mode", "crd", "--datapath", "tunnel", "--ipv6")
    with start_lab(f"modes-{os.getpid()}", *options) as running:
        yield running


@pytest.fixture(scope="session")
def legacy_lab() -> Iterator[RunningLab]:
    """A lab of two nodes with one key for all, no ESN and no replay window.

    The last of its own tests moves it to keys per pair.
    """
    options = ("--legacy-sa", "--ipv6", "--nodes", "2", "--rotation-duration", "4")
    with start_lab(f"legacy-{os.getpid()}", *options) as running:
        yield running


@pytest.fixture(scope="module")
def broken_lab(lab: RunningLab) -> Iterator[RunningLab]:
    """The lab with node2's lease expired while traffic flows; healed after."""
    lab.run("traffic", "start")
    lab.run("break", "kvstore-lease-expired", "--node", "node2")
    yield lab
    lab.run("traffic", "stop")
    lab.run("heal")
