"""How far a run has come, told by ansible-runner's events.

Pure: events in, a :class:`Progress` out. A step of the rotation is a task file
of the role, so an event's ``task_path`` says which step it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from runbooks.rotation.spread import RECLAIM_TIMER_S
from runbooks.rotation.waiting import pending_in

STEPS = ("preflight", "lock", "patch", "propagate", "reclaim", "verify", "report")
SPEC_ACTION = "ansible.builtin.validate_argument_spec"

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """The first task that failed.

    Attributes:
        step: Its step.
        action: Its module, fully qualified.
        message: What it says, whole sentences.
        refused: Whether it looked and refused, rather than failed to look.
    """

    step: str
    action: str
    message: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything that is known of a run.

    Attributes:
        check: Whether the run only says what would be done.
        step: The step at work; empty before the first.
        ended: Steps that are over, each with what it says of itself.
        nodes: Names of all nodes, once the preflight has seen them.
        pending: What the step waits for, a phrase each.
        nodes_pending: How many nodes the step waits for; ``None`` before a look.
        reclaim_due_s: Time from the start of the reclaim step until the old SPI
            is due to be gone, in seconds.
        patched: Whether this run put a key into the Secret.
        holder: Name under which this run holds the lock; empty without.
        pid: Process of ansible-playbook.
        summary: What the report says of the whole run.
        report: Paths of the report.
        failure: The first failure.
        complaint: What Ansible says where no task failed, such as a parse error.
    """

    check: bool = False
    step: str = ""
    ended: tuple[tuple[str, str], ...] = ()
    nodes: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    nodes_pending: int | None = None
    reclaim_due_s: float | None = None
    patched: bool = False
    holder: str = ""
    pid: int | None = None
    summary: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    failure: Failure | None = None
    complaint: str = ""

    @property
    def started(self) -> bool:
        """Whether any step of the rotation began."""
        return bool(self.step)

    @property
    def nodes_done(self) -> int | None:
        """How many nodes the waiting step has seen done."""
        if self.nodes_pending is None:
            return None
        return max(0, len(self.nodes) - self.nodes_pending)


def advance(progress: Progress, event: Event) -> Progress:
    """Take in one event of ansible-runner.

    Args:
        progress: What was known before.
        event: As the event handler gets it.

    Returns:
        What is known now.
    """
    about = event.get("event_data") or {}
    said = event.get("stdout") or ""
    match event.get("event"):
        case "playbook_on_start":
            progress = replace(progress, pid=event.get("pid"))
        case "playbook_on_task_start":
            progress = _begin(progress, step_of(about))
        case "runner_on_ok":
            progress = _succeed(progress, about)
        case "runner_on_failed" if not about.get("ignore_errors"):
            progress = _fail(progress, about)
        case "verbose" if progress.started:
            progress = _wait(progress, said)
        case "verbose" | "error":
            progress = _complain(progress, said)
    return progress


def step_of(about: Event) -> str:
    """The step that an event's task belongs to; empty for those around it."""
    path = PurePath(str(about.get("task_path") or "").rpartition(":")[0])
    return path.stem if path.stem in STEPS and path.parent.name == "tasks" else ""


def _begin(progress: Progress, step: str) -> Progress:
    if step in {"", progress.step}:
        return progress
    return replace(progress, step=step, pending=(), nodes_pending=None)


def _succeed(progress: Progress, about: Event) -> Progress:
    result = about.get("res") or {}
    action = str(about.get("task_action") or "").rpartition(".")[2]
    told = ""
    match action:
        case "rotation_preflight":
            duration_s = float(result.get("rotation_duration_s") or 0.0)
            progress = replace(
                progress,
                nodes=tuple(result.get("nodes") or ()),
                reclaim_due_s=duration_s + RECLAIM_TIMER_S,
            )
            told = " ".join(result.get("summary") or ())
        case "rotation_lock" if not progress.check:
            progress = replace(progress, holder=result.get("holder") or "")
            told = f"held by {progress.holder}" if progress.holder else ""
        case "rotation_patch" | "rotation_key_files_begin":
            in_files = action == "rotation_key_files_begin"
            progress = replace(progress, patched=not (progress.check or in_files))
            ids = f"{result.get('from_key_id')} to {result.get('to_key_id')}"
            told = f"would go from key ID {ids}" if progress.check else f"key ID {ids}"
        case "rotation_key_file_write":
            progress = replace(progress, patched=not progress.check)
        case "rotation_propagate" | "rotation_reclaim":
            progress = replace(progress, pending=(), nodes_pending=0)
            elapsed_s = float(result.get("elapsed_s") or 0.0)
            told = f"{len(progress.nodes)} of {len(progress.nodes)} nodes"
            told += f" after {elapsed_s:.0f} s"
        case "rotation_verify":
            told = " ".join(result.get("summary") or ())
        case "rotation_report":
            progress = replace(
                progress,
                summary=tuple(result.get("summary") or ()),
                report=tuple(result.get("paths") or ()),
            )
            told = "written" if progress.report else ""
    if not told:
        return progress
    # Tasks of a file that is no step belong to the step that includes it.
    step = step_of(about) or progress.step
    return replace(progress, ended=(*progress.ended, (step, told)))


def _fail(progress: Progress, about: Event) -> Progress:
    if progress.failure is not None:
        return progress
    result = about.get("res") or {}
    action = str(about.get("task_action") or "")
    refused = "reasons" in result or action.endswith(".assert")
    reasons = result.get("argument_errors") or result.get("reasons")
    message = " ".join(reasons) if reasons else str(result.get("msg") or "")
    failure = Failure(
        step_of(about) or progress.step,
        action,
        message or f"The task {about.get('task')!r} failed.",
        refused,
    )
    return replace(progress, failure=failure)


def _wait(progress: Progress, line: str) -> Progress:
    found = pending_in(line)
    if found is None:
        return progress
    phrases, more = found
    named = {phrase.partition(" ")[0].rstrip(",;:") for phrase in phrases}
    lagging = len(named & set(progress.nodes)) + more
    pending = (*phrases, *([f"and {more} more"] if more else []))
    # A line that names no node tells of an API server that doesn't answer.
    return replace(progress, pending=pending, nodes_pending=lagging or None)


def _complain(progress: Progress, text: str) -> Progress:
    words = " ".join(text.split())
    if "ERROR" not in words.upper() and not progress.complaint:
        return progress
    return replace(progress, complaint=f"{progress.complaint} {words}".strip())
