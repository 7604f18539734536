"""Namespaces of the lab's own: what starts in them can't outlive them.

Everything of a lab runs in one process namespace whose first process is
:func:`first_process`; when that ends, by whatever means, the kernel ends all the
rest. Its network namespace has no name and goes with its last process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# linux/sched.h
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000

_WATCHED = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGINT}


def enter_new_namespaces() -> None:
    """Give this process a network, and its children a process namespace.

    Without root, a user namespace in which this user is root comes first.

    Raises:
        OSError: The system forbids it.
    """
    flags = _CLONE_NEWPID | _CLONE_NEWNET
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        flags |= _CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def first_process(
    run: Callable[[], None], may_come_back: Callable[[], bool]
) -> NoReturn:
    """Be process 1: run the lab in a child, bury orphans, end with the child.

    A child that was killed is started anew by SIGHUP, where that makes sense.

    Args:
        run: The lab; its end is the end of the namespace.
        may_come_back: Called when the child was killed: whether another one can
            go on.
    """
    # Blocked signals wait; those that process 1 has no handler for would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    child = _start(run)
    while True:
        number = signal.sigwait(_WATCHED)
        if number == signal.SIGCHLD:
            for pid, status in _bury():
                if pid != child:
                    continue
                if not os.WIFSIGNALED(status) or not may_come_back():
                    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
                child = 0
        elif number == signal.SIGHUP:
            child = child or _start(run)
        elif child:
            os.kill(child, number)
        else:
            os._exit(0)


def _start(run: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        run()
        sys.exit(0)
    return child


def _bury() -> Iterator[tuple[int, int]]:
    """Take in children that have ended, orphans among them."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; ``None`` if it's gone.

    Process ID and start time together never come again, so nothing else is
    ever taken for a lab.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] in "ZX" else fields[19]
