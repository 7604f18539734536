"""One lab for every test that needs real kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbooks.lab.client import LabClient

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(sys.executable).parent


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

    def ping(self, source: str, destination: str) -> int:
        """Pings that were answered, of five, from pod to pod."""
        address = self.client.lab.node(destination).pod_ip
        done = self.client.run(
            source, ["ping", "-c5", "-i0.1", "-W1", address], pod=True
        )
        words = done.stdout.split()
        return int(words[words.index("transmitted,") + 1])


@pytest.fixture(scope="session")
def lab() -> Iterator[RunningLab]:
    """A healthy lab of three nodes; whoever breaks it heals it."""
    name = f"test-{os.getpid()}"
    running = RunningLab(
        name, Path(f"/tmp/ipsec-runbooks-{os.getuid()}/{name}/kubeconfig")
    )
    try:
        running.run("up")
        yield running
    finally:
        running.run("down")


@pytest.fixture(scope="module")
def broken_lab(lab: RunningLab) -> Iterator[RunningLab]:
    """The lab with node2's lease expired while traffic flows; healed after."""
    lab.run("traffic", "start")
    lab.run("break", "kvstore-lease-expired", "--node", "node2")
    yield lab
    lab.run("traffic", "stop")
    lab.run("heal")
