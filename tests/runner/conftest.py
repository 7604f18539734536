"""``ipsec-runbooks rotate`` against a fleet whose kernels are made up."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.playbooks.conftest import RunningPlaybook, api, fleet, playbooks

__all__ = ["api", "fleet", "playbooks", "rotation"]

PROGRAMS = Path(sys.executable).parent
LIMITS = (
    "rotation_poll_interval=0.05 rotation_propagate_limit=20"
    " rotation_reclaim_limit=10 rotation_verify_limit=1"
    " rotation_check_interval=0.05"
)


class Rotation:
    """Calls the command the way an operator does."""

    def __init__(self, playbooks):
        self.started = []
        self.ran = playbooks.ran
        self.folder = playbooks.folder
        self.artifacts = playbooks.folder / "artifacts"
        self.reports = playbooks.reports
        # The environment of a run must not end in its artifacts.
        self.environment = playbooks.environment | {
            "TOKEN_OF_SOMETHING": "not-for-artifacts",
            "PATH": f"{PROGRAMS}:{playbooks.environment['PATH']}",
        }

    def start(self, *options):
        process = subprocess.Popen(
            self.command("-e", LIMITS, *options),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        self.ran.append(RunningPlaybook(process))
        return self.ran[-1]

    def end(self):
        """End what a failed test left running."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.wait(60)

    def command(self, *options):
        return [
            *(sys.executable, "-m", "runbooks", "rotate"),
            f"--artifacts={self.artifacts}",
            f"--report-dir={self.reports}",
            *options,
        ]

    def run(self, *options):
        return self.start(*options).finish()


@pytest.fixture
def rotation(playbooks):
    made = Rotation(playbooks)
    yield made
    made.end()
