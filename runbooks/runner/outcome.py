"""What a run's end means: an exit status, and a sentence for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.runner.progress import SPEC_ACTION, Progress

if TYPE_CHECKING:
    from pathlib import Path

DONE, FAILED, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130

NO_COLLECTION = (
    "Ansible does not find the collection kubernetes.core. Install it:"
    " ansible-galaxy collection install -r {requirements}"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: Exit status of ``ipsec-runbooks rotate``.
        message: What the operator has to know; empty where all is well.
    """

    status: int
    message: str = ""


def outcome_of(progress: Progress, return_code: int, playbooks: Path) -> Outcome:
    """Judge a run that nobody interrupted.

    Args:
        progress: What the events told.
        return_code: That of ``ansible-playbook``.
        playbooks: Folder that it ran from.
    """
    failure = progress.failure
    if failure is None and return_code == 0:
        return Outcome(DONE)
    if failure is None and not progress.started:
        return Outcome(USAGE, _did_not_start(progress, return_code, playbooks))
    if failure is None:
        why = progress.complaint or f"ansible-playbook exited {return_code}."
        return Outcome(FAILED, f"{progress.step}: {why}")
    if failure.action == SPEC_ACTION:
        return Outcome(USAGE, failure.message)
    message = f"{failure.step}: {failure.message}"
    if failure.step == "preflight" and not failure.refused:
        return Outcome(UNREADABLE, f"{message} Nothing was changed.")
    return Outcome(FAILED, message)


def _did_not_start(progress: Progress, return_code: int, playbooks: Path) -> str:
    if "kubernetes.core" in progress.complaint:
        requirements = playbooks / "collections" / "requirements.yml"
        return NO_COLLECTION.format(requirements=requirements)
    why = progress.complaint or f"it exited {return_code} without a word"
    return f"Ansible could not start the playbook: {why}"
