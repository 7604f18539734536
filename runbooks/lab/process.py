"""A process that outlives the one that started it, and can be taken over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

_POLL_S = 0.02


class KeptProcess:
    """A program of the lab, in a session of its own.

    Its number is kept in a file, so that another supervisor finds it again: the
    number in the lab's process namespace, whose processes are the lab's own.

    Args:
        pid_file: Where its number is kept.
    """

    def __init__(self, pid_file: Path) -> None:
        self._pid_file = pid_file
        self._pid: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, argv: list[str], output: Path) -> None:
        """Start it.

        Args:
            argv: The command.
            output: Where its output goes.

        Raises:
            FileNotFoundError: The program is not there.
        """
        with output.open("ab") as log:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid = self._child.pid
        self._pid_file.write_text(f"{self._pid}\n")

    def adopt(self) -> None:
        """Take over what another supervisor started, if it still runs."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            self._pid = int(self._pid_file.read_text())

    @property
    def running(self) -> bool:
        """Whether it runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self._pid is not None and _leads_session(self._pid)

    async def wait(self) -> None:
        """Wait for its end."""
        if self._pid is None:
            return
        try:
            descriptor = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            if self.running:
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        self._reap()

    async def kill(self) -> None:
        """Kill it with all that it started, and wait until they are gone."""
        if self._pid is None:
            return
        # A kernel's own processes are its session's, each in a group of its own.
        while left := _session(self._pid):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(_POLL_S)
            self._reap()
        self._reap()

    def _reap(self) -> None:
        if self._child is not None:
            self._child.poll()


def _session(leader: int) -> list[int]:
    """The processes of a session, by their numbers in this process namespace.

    ``/proc`` counts the processes of the whole machine; what it says last of each is
    its number, and its session's, in the namespace that the process is in.
    """
    ours = Path("/proc/self/ns/pid").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "status").read_text()
            numbers = dict(line.split(":", 1) for line in text.splitlines())
            session = int(numbers["NSsid"].split()[-1])
            if session == leader and (process / "ns/pid").readlink() == ours:
                found.append(int(numbers["NSpid"].split()[-1]))
        except (OSError, KeyError):
            continue  # it has ended, or is another user's
    return found


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False
