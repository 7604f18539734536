"""Runs the rotation playbook through ansible-runner."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible_runner

from runbooks.runner.interruption import Interruption, what_stands
from runbooks.runner.outcome import INTERRUPTED, Outcome, outcome_of
from runbooks.runner.playbooks import ROTATE, playbooks_folder
from runbooks.runner.progress import Event, Progress, advance

if TYPE_CHECKING:
    from runbooks.runner.display import Display
    from runbooks.runner.options import RotateOptions

#: How often a run looks whether it has to end, in seconds.
POLL_S = 0.2
INVENTORY = Path("inventory") / "localhost.yml"


def default_artifacts() -> Path:
    """Folder of the artifacts: under the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "ipsec-runbooks" / "rotate"


def rotate(options: RotateOptions, artifacts: Path, display: Display) -> Outcome:
    """Run the playbook to its end, or to an interruption.

    Args:
        options: What the operator asked for.
        artifacts: ansible-runner's private data directory; made with mode 0700.
        display: Shows the progress.

    Returns:
        Exit status and message.

    Raises:
        OSError: If the folder of the artifacts or the playbook is out of reach.
    """
    playbooks = playbooks_folder()
    artifacts.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = _Run(display, Progress(check=options.check))
    ident = _ident()
    with Interruption(lambda: run.progress, display.say) as interruption:
        ended = ansible_runner.run(
            private_data_dir=str(artifacts),
            ident=ident,
            project_dir=str(playbooks),
            inventory=str(playbooks / INVENTORY),
            playbook=ROTATE,
            cmdline=shlex.join(options.arguments()),
            envvars=_environment(),
            settings={"pexpect_timeout": POLL_S},
            suppress_env_files=True,
            quiet=True,
            event_handler=run.take,
            status_handler=withhold_environment,
            cancel_callback=interruption.must_kill,
        )
        # Asked too late, the playbook may have come to its own end.
        if interruption.asked and ended.rc != 0:
            return Outcome(INTERRUPTED, what_stands(options.targets(), run.progress))
    for line in (*run.progress.summary, *run.progress.report):
        display.say(line)
    outcome = outcome_of(run.progress, ended.rc, playbooks)
    if outcome.status:
        display.say(f"What Ansible said is in {artifacts / 'artifacts' / ident}.")
    return outcome


def withhold_environment(status: dict[str, Any], runner_config: Any) -> None:
    """Take the environment out of the stored command: it may hold credentials."""
    if status.get("status") != "running":
        return
    path = Path(runner_config.artifact_dir) / "command"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "env": {}}))


@dataclass(slots=True)
class _Run:
    """Takes ansible-runner's events."""

    display: Display
    progress: Progress

    def take(self, event: Event) -> bool:
        self.progress = advance(self.progress, event)
        self.display.show(self.progress)
        return True


def _environment() -> dict[str, str]:
    """What has to differ from this process, since the playbook runs elsewhere."""
    # The ansible-playbook of this Python has the package; PATH may name another.
    found = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    kubeconfigs = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    if any(kubeconfigs):
        found["KUBECONFIG"] = os.pathsep.join(
            str(Path(path).expanduser().absolute()) for path in kubeconfigs if path
        )
    return found


def _ident() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{os.getpid()}"
