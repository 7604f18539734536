"""Starts a program in namespaces of its own, and gives it a node's wire.

``python -m runbooks.lab.guest.enter DEVICE PROGRAM``: the device goes into the new
network namespace under the name ``vec0``. The program is process 1 of a process
namespace, so that all it starts ends with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

# linux/sched.h
_NEW_MOUNTS = 0x00020000
_NEW_HOST_NAME = 0x04000000
_NEW_PROCESSES = 0x20000000
_NEW_NETWORK = 0x40000000
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the program until its end; gives its exit status."""
    device, program = sys.argv[1:]
    entered, tell = os.pipe()
    mover = os.fork()
    if mover == 0:
        # Still where the device is, and told when the other one has left.
        os.read(entered, 1)
        subprocess.run(
            ["ip", "link", "set", device, "netns", str(os.getppid()), "name", "vec0"],
            check=True,
        )
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NEW_MOUNTS | _NEW_HOST_NAME | _NEW_PROCESSES | _NEW_NETWORK
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.write(tell, b".")
    if os.waitpid(mover, 0)[1]:
        return 1
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.execv(program, [program])  # noqa: S606 - what the lab wrote
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
