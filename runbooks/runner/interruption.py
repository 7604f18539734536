"""Ctrl-C: end the playbook at a good moment, give the lock back, say what stands."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from runbooks.rotation.cluster import Cluster
from runbooks.rotation.errors import RotationError
from runbooks.rotation.lease_record import recorded
from runbooks.rotation.lock import Holder, Lock
from runbooks.rotation.patch import read_key
from runbooks.rotation.waiting import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

    from runbooks.rotation.objects import Target
    from runbooks.rotation.record import RotationRecord
    from runbooks.runner.progress import Progress

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: The patch is one request; an API server that is away holds it up for longer.
PATCH_GRACE_S = 20.0
#: ansible-playbook ends its workers and removes its temporary files.
END_GRACE_S = 10.0


class Interruption:
    """Waits for SIGINT and SIGTERM, and brings the playbook to an end.

    ansible-runner asks :meth:`must_kill` again and again. The playbook first
    gets a SIGINT of its own (it runs in another session, out of reach of the
    terminal's), and is killed only where that doesn't help, or at a second
    Ctrl-C.
    """

    def __init__(
        self,
        progress: Callable[[], Progress],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._tell = tell
        self._clock = clock
        self._asked: list[float] = []
        self._told = False
        self._ended_at: float | None = None
        self._previous: list[tuple[int, object]] = []

    @property
    def asked(self) -> bool:
        """Whether somebody wants the run to end."""
        return bool(self._asked)

    def __enter__(self) -> Interruption:
        self._previous = [(sig, signal.signal(sig, self._note)) for sig in SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sig, previous in self._previous:
            signal.signal(sig, previous)  # type: ignore[arg-type]

    def must_kill(self) -> bool:
        """Go on with the interruption; ``True`` once only force is left."""
        if not self._asked:
            return False
        if not self._told:
            self._told = True
            self._tell("Stopping. Press Ctrl-C again to stop at once.")
        if len(self._asked) > 1:
            return True
        now = self._clock()
        progress = self._progress()
        if self._ended_at is None:
            patching = progress.step == "patch" and not progress.patched
            if patching and now - self._asked[0] < PATCH_GRACE_S:
                return False
            if progress.pid is None:
                # Nothing has begun yet.
                return True
            self._ended_at = now
            try:
                os.kill(progress.pid, signal.SIGINT)
            except ProcessLookupError:
                return False
        return now - self._ended_at > END_GRACE_S

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.append(self._clock())


def what_stands(targets: Sequence[Target], progress: Progress) -> str:
    """Give the locks back after an interruption, and ask the clusters what stands.

    Args:
        targets: Where the playbook worked.
        progress: How far it came.

    Returns:
        Sentences for the operator.
    """
    if len(targets) == 1:
        return _what_stands(targets[0], progress)
    return " ".join(
        f"{target.context}: {_what_stands(target, progress)}" for target in targets
    )


def _what_stands(target: Target, progress: Progress) -> str:
    try:
        cluster = Cluster.connect(target)
        lock = _release(cluster, progress.holder)
        record = _unfinished(cluster)
    except RotationError as error:
        return (
            f"What stands in the cluster could not be read ({error}) Run the command"
            " again: it finds out from the cluster and goes on from there."
        )
    if record is not None and target.key_files:
        stands = (
            f"Rotation {record.rotation_id} (key ID {record.from_key_id} to"
            f" {record.to_key_id}) is not over: nodes may have the new key in their key"
            " files, and others not yet. Run the command again now, before the first"
            " of them drop the old key: it goes on with the same key."
        )
    elif record is not None:
        stands = (
            f"Rotation {record.rotation_id} (key ID {record.from_key_id} to"
            f" {record.to_key_id}) is not over: the new key is in the Secret, and the"
            " agents take it up by themselves. Run the command again: it goes on with"
            " the same key."
        )
    elif progress.patched:
        stands = "The rotation itself was over already."
    else:
        stands = "The key was not changed. Run the command again when you like."
    return f"{stands} {lock}".strip()


def _unfinished(cluster: Cluster) -> RotationRecord | None:
    pace = Pace(limit_s=5.0)
    if not cluster.target.key_files:
        return read_key(cluster, pace).unfinished
    record = recorded(cluster, pace)
    return None if record is None or record.finished_at else record


def _release(cluster: Cluster, holder: str) -> str:
    if not holder:
        return ""
    try:
        released = Lock(cluster, Holder(holder, "")).release()
    except RotationError:
        released = False
    if released:
        return "The lock was given back."
    return (
        "The lock could not be given back; a run on this machine takes it over at"
        " once, others when its time is up."
    )
