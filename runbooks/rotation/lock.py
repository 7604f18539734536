"""One rotation at a time: a Lease that names its holder.

A second run stops at once and names the first. A lock whose holder died is
taken over: at once where this machine can see that the process is gone, and
otherwise when the Lease has run out and stays unrenewed while being watched,
because the holder's clock is not ours.
"""

from __future__ import annotations

import datetime
import getpass
import os
import socket
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runbooks.rotation.errors import (
    ConflictError,
    LockLostError,
    RefusedError,
    RotationError,
    named,
)
from runbooks.rotation.objects import LeaseNow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbooks.rotation.cluster import Cluster

LEASE_NAME = "cilium-ipsec-rotation"
CLOCK_DISAGREEMENT_S = 5.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or wants, the lock.

    Attributes:
        name: ``user@host:pid``, for people.
        process: Boot, PID namespace, PID and start of the process, by which
            the same machine can tell whether it still runs.
    """

    name: str
    process: str

    @classmethod
    def of_process(cls, pid: int) -> Holder:
        """The holder that a process of this machine is."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        return cls(f"{user}@{socket.gethostname()}:{pid}", _process(pid) or "")


def _machine() -> str:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot_id}/{Path('/proc/self/ns/pid').readlink()}"


def _process(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        # The name in parentheses may hold blanks; the start is field 22.
        started = stat.rpartition(")")[2].split()[19]
        return f"{_machine()}/{pid}/{started}"
    except (OSError, IndexError):
        return None


def surely_dead(process: str) -> bool:
    """Whether a holder's process ran on this machine and is gone."""
    try:
        machine, pid, _ = process.rsplit("/", 2)
        return machine == _machine() and _process(int(pid)) != process
    except (ValueError, OSError):
        return False


class Lock:
    """The Lease, in the hands of one holder.

    Attributes:
        duration_s: How long a holder that shows no life keeps the lock.
    """

    def __init__(
        self,
        cluster: Cluster,
        holder: Holder,
        duration_s: int = 60,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._holder = holder
        self.duration_s = duration_s
        self._clock = clock
        self._sleep = sleep
        self._renewed: float | None = None

    def acquire(self) -> str | None:
        """Take the lock.

        Returns:
            The name of a dead holder it was taken over from, if any.

        Raises:
            RefusedError: If another run holds it; names the run.
        """
        try:
            previous = self._take(self._cluster.lease(LEASE_NAME))
        except ConflictError:
            raise RefusedError(
                ["Another run took the rotation lock at the same moment."]
            ) from None
        self._renewed = self._clock()
        return previous

    def renew(self) -> None:
        """Show life, if a third of the duration has passed since the last time.

        Raises:
            LockLostError: If the lock is someone else's by now.
        """
        now = self._clock()
        if self._renewed is not None and now - self._renewed < self.duration_s / 3:
            return
        lease = self._cluster.lease(LEASE_NAME)
        if lease is None or lease.holder != self._holder.name:
            other = f" to {lease.holder}" if lease and lease.holder else ""
            raise LockLostError(
                f"This run lost the rotation lock{other}; it stops here and changes"
                " nothing more."
            )
        try:
            self._cluster.write_lease(LEASE_NAME, replace(lease, renewed=_now()))
        except ConflictError:
            # Somebody wrote to it in between; the next look tells who.
            return
        self._renewed = now

    def release(self) -> bool:
        """Give the lock back; ``False`` if it was not ours."""
        lease = self._cluster.lease(LEASE_NAME)
        if lease is None or lease.holder != self._holder.name:
            return False
        freed = replace(lease, holder="", process="", renewed=_now())
        try:
            self._cluster.write_lease(LEASE_NAME, freed)
        except ConflictError:
            return False
        return True

    def _take(self, lease: LeaseNow | None) -> str | None:
        mine = LeaseNow(
            self._holder.name, self._holder.process, self.duration_s, _now(), _now()
        )
        if lease is None:
            self._cluster.write_lease(LEASE_NAME, mine)
            return None
        previous = lease.holder
        if previous and previous != self._holder.name:
            self._let_die(lease)
            mine = replace(mine, acquired=_now(), renewed=_now())
        # On condition of the version seen first: a sign of life is a conflict.
        self._cluster.write_lease(
            LEASE_NAME,
            replace(
                mine,
                transitions=lease.transitions + 1,
                resource_version=lease.resource_version,
                annotations=lease.annotations,
            ),
        )
        return None if previous in {"", self._holder.name} else previous

    def _let_die(self, lease: LeaseNow) -> None:
        """Return when the holder is dead; refuse if it lives."""
        if surely_dead(lease.process):
            return
        lasts_s = lease.duration_s or self.duration_s
        age_s = float("inf")
        if lease.renewed is not None:
            age_s = (_now() - lease.renewed).total_seconds()
        if -CLOCK_DISAGREEMENT_S <= age_s < lasts_s:
            raise RefusedError([_held_by(lease, lasts_s - age_s)])
        # One renewal would come within a third of the duration; where the
        # clocks disagree only the whole duration proves anything.
        watch_s = lasts_s if age_s < 0 else lasts_s / 3 + 1
        end = self._clock() + watch_s
        while self._clock() < end:
            self._sleep(min(2.0, watch_s))
            seen = self._cluster.lease(LEASE_NAME)
            if seen is not None and seen.renewed != lease.renewed:
                raise RefusedError([_held_by(seen, lasts_s)])


def _held_by(lease: LeaseNow, left_s: float) -> str:
    since = f" since {lease.acquired:%Y-%m-%d %H:%M:%S} UTC" if lease.acquired else ""
    return (
        f"Another rotation runs: {lease.holder} holds Lease {LEASE_NAME}{since}. Wait"
        f" for it to end; if it died, the lock is free in {left_s:.0f} s."
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def acquire(locks: Mapping[str, Lock]) -> str | None:
    """Take the locks of all clusters, or none.

    Args:
        locks: The lock of each cluster, by its name; the name is empty where there
            is only one.

    Returns:
        The dead holders that locks were taken over from, if any.

    Raises:
        RefusedError: If another run holds one; names the cluster and the run.
    """
    held: list[Lock] = []
    previous: list[str] = []
    # Always in the same order: two runs can't each hold what the other wants.
    for name, lock in sorted(locks.items()):
        try:
            taken_from = lock.acquire()
        except RotationError as error:
            for mine in held:
                mine.release()
            raise (named(name, error) if name else error) from None
        held.append(lock)
        previous += [taken_from] if taken_from else []
    return ", ".join(dict.fromkeys(previous)) or None


class Renewal:
    """Shows life while a step is at work, however long it waits for an answer.

    An API server that doesn't answer is no reason to stop: whoever wants the
    lock can't reach it either.

    Args:
        lock: The lock that this run holds.
        alive: Whether the run is still there; one that isn't must not keep it.
    """

    def __init__(self, lock: Lock, alive: Callable[[], bool]) -> None:
        self._lock = lock
        self._alive = alive
        self._lost: LockLostError | None = None
        self._over = threading.Event()

    def begin(self) -> None:
        """Renew from now on, in a thread that ends with its process."""
        threading.Thread(target=self._go_on, name="lock", daemon=True).start()

    def end(self) -> None:
        """Renew no more."""
        self._over.set()

    def require(self) -> None:
        """Look whether the lock is still this run's.

        Raises:
            LockLostError: If it is someone else's by now.
        """
        if self._lost is not None:
            raise self._lost

    def renew(self) -> None:
        """Show life now, if it is time for it."""
        try:
            self._lock.renew()
        except LockLostError as error:
            self._lost = error
        except RotationError:
            return

    def _go_on(self) -> None:
        # Three attempts for each renewal that is due.
        while not self._over.wait(self._lock.duration_s / 9):
            if not self._alive() or self._lost is not None:
                return
            self.renew()
