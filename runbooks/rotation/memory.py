"""A process that has a key in its memory, and who may look there."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

# linux/prctl.h
_PR_SET_DUMPABLE = 4


def guard_memory() -> None:
    """Keep this process's memory out of core dumps and from other processes.

    Called before a key is read or drawn. Without the flag, a crash would write the
    key to disk, or hand it to the system's crash reporter, which ignores the limit
    (core(5)); with it, not even the user's own processes can read the memory or
    the environment. Commands that are started from here get their own flag back.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        # A C library without it is no reason to stop: the limit is there.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
