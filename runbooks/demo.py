"""The whole story in one command: ``make demo``.

Starts a cluster of real kernels, breaks it the way Cilium's documentation warns
of, finds the pairs and the cause, rotates the key and finds it healthy. Every
step is a command that an operator would type, and each must end as it should:
the exit status is 0 only then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runbooks.lab.plan import Lab

LAB = Lab("demo")
_SCRIPTS = Path(sys.executable).parent
_PLAYBOOKS = Path(__file__).resolve().parents[1] / "playbooks"


class StepError(Exception):
    """A step did not end as it must."""


class Story:
    """Narrates steps and runs their commands.

    Args:
        reports: Where the rotation leaves its report.
    """

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._began = time.monotonic()
        self._step = 0
        self._color = sys.stdout.isatty()
        self._environment = os.environ | {
            "PATH": f"{_SCRIPTS}:{os.environ.get('PATH', '')}",
            "KUBECONFIG": str(LAB.kubeconfig),
            "PYTHONUNBUFFERED": "1",
        }

    def tell(self) -> None:
        """Tell it all.

        Raises:
            StepError: A step did not end as it must.
        """
        name = ("--name", LAB.name)
        self._say("Start three nodes: a kernel each, a real etcd, a Kubernetes API")
        self._lab("up", *name)
        self._say("Packets flow between all pods, encrypted")
        self._lab("traffic", "start", *name)
        self._ping("node1", "node2", answered=3)
        self._ping("node3", "node2", answered=3)
        self._say("The agent of node2 is down for longer than its lease lives")
        self._lab("break", "kvstore-lease-expired", "--node", "node2", *name)
        self._say("Pods on node1 and node2 can't reach each other any more")
        self._ping("node1", "node2", answered=0)
        self._ping("node2", "node1", answered=0)
        self._say("The check names the pairs and the cause")
        self._run(["ipsec-runbooks", "check"], status=1)
        self._expect_verdict("stale", 1, {("node1", "node2"), ("node3", "node2")})
        self._say("The playbook rotates the key")
        self._run(
            [
                *("ansible-playbook", "rotate-ipsec-key.yml"),
                *("-e", f"rotation_report_dir={self._reports}"),
            ],
            directory=_PLAYBOOKS,
        )
        self._say("Pods reach each other again")
        self._ping("node1", "node2", answered=3)
        self._ping("node2", "node1", answered=3)
        self._say("The check finds nothing")
        self._run(["ipsec-runbooks", "check"])
        self._expect_verdict("healthy", 0, set())
        reports = sorted(self._reports.glob("rotation-report-*"))
        if not reports:
            raise StepError(f"the rotation left no report in {self._reports}")
        self._say("The rotation left its report")
        for report in reports:
            print(f"  {report}")
        self._say("Take the cluster down")
        self._lab("down", *name)

    def _say(self, text: str) -> None:
        self._step += 1
        elapsed = time.monotonic() - self._began
        line = f"[{elapsed:5.1f} s] {self._step}. {text}"
        print(f"\n\033[1m{line}\033[0m" if self._color else f"\n{line}", flush=True)

    def _lab(self, *words: str) -> None:
        self._run(["ipsec-runbooks", "lab", *words])

    def _run(
        self, argv: list[str], *, status: int = 0, directory: Path | None = None
    ) -> None:
        print(f"$ {' '.join(argv)}", flush=True)
        done = subprocess.run(
            argv,
            env=self._environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != status:
            raise StepError(
                f"{' '.join(argv)}: exit status {done.returncode}, not {status}"
            )

    def _ping(self, source: str, destination: str, *, answered: int) -> None:
        """Ping from pod to pod three times and insist on the answers' number."""
        argv = [
            *("ipsec-runbooks", "lab", "exec", "--name", LAB.name, source, "--"),
            *("ip", "netns", "exec", "pod", "ping"),
            *("-c3", "-i0.2", "-W1", LAB.node(destination).pod_ip),
        ]
        print(f"$ {' '.join(argv)}", flush=True)
        done = subprocess.run(
            argv,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        summary = [line for line in done.stdout.splitlines() if "transmitted" in line]
        print("\n".join(summary) or done.stdout + done.stderr, flush=True)
        if not summary or f", {answered} received" not in summary[0]:
            raise StepError(
                f"{answered} of 3 pings from {source} to {destination} must be answered"
            )

    def _expect_verdict(
        self, verdict: str, status: int, stale: set[tuple[str, str]]
    ) -> None:
        done = subprocess.run(
            ["ipsec-runbooks", "check", "--output", "json"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != status:
            raise StepError(
                f"check --output json: exit status {done.returncode}, not {status}\n"
                f"{done.stderr}"
            )
        result = json.loads(done.stdout)
        found = [f for f in result["findings"] if f["code"] == "stale-xfrm-state"]
        pairs = {(f["source"], f["destination"]) for f in found}
        causes = {f["cause"] for f in found}
        if result["verdict"] != verdict or pairs != stale:
            raise StepError(
                f"the check says {result['verdict']} and names {sorted(pairs)}; "
                f"it must say {verdict} and name {sorted(stale)}"
            )
        if stale and causes != {"kvstore-lease-expired"}:
            raise StepError(f"the check gives the cause {causes}")


def _take_down() -> None:
    subprocess.run(
        [sys.executable, "-m", "runbooks", "lab", "down", "--name", LAB.name],
        stdout=subprocess.DEVNULL,
        check=False,
    )


def main() -> int:
    """Tell the story.

    Returns:
        0 if every step was as it must be.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    _take_down()  # what a demo that was killed left behind
    reports = Path(tempfile.mkdtemp(prefix="ipsec-runbooks-demo-"))
    began = time.monotonic()
    try:
        Story(reports).tell()
    except StepError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the lab goes down.", file=sys.stderr)
        return 130
    finally:
        _take_down()
    print(f"\nThe demo succeeded in {time.monotonic() - began:.0f} s.")
    return 0


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
