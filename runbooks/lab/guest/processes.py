"""The two long-lived processes that a node's daemon keeps: agent and traffic."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbooks.lab.guest.nursery import Nursery

AGENT, TRAFFIC = "cilium-agent", "traffic"
#: Of the agent that runs, and of the one before it, as kubelet keeps them.
AGENT_LOG = Path("/run/log/cilium-agent.log")
PREVIOUS_LOG = Path("/run/log/cilium-agent.previous.log")


class Program:
    """A program of the nursery's, as long as it runs.

    Attributes:
        pid: Its process ID.
        output: What it prints.
    """

    def __init__(self, pid: int, output: asyncio.StreamReader) -> None:
        self.pid = pid
        self.output = output

    @classmethod
    async def start(
        cls, nursery: Nursery, name: str, argv: list[str], *, stdin: int, stderr: int
    ) -> Program:
        """Start one; its descriptors stay the caller's to close.

        Args:
            nursery: Where from.
            name: Which one.
            argv: Its arguments.
            stdin: Descriptor of its standard input.
            stderr: Descriptor of its error output.
        """
        read, write = os.pipe()
        try:
            pid = await asyncio.to_thread(
                nursery.start, name, argv, (stdin, write, stderr)
            )
        finally:
            os.close(write)
        output = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read, "rb")
        )
        return cls(pid, output)

    async def wait(self) -> int:
        """Wait for its end.

        Returns:
            Its exit status, negative for a signal.
        """
        descriptor = os.pidfd_open(self.pid)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class AgentProcess:
    """Starts and stops the lab's agent, and tells how it fares.

    Args:
        nursery: Where it comes from.
        config: Path of its configuration.
    """

    def __init__(self, nursery: Nursery, config: str) -> None:
        self._nursery = nursery
        self._config = config
        self._process: Program | None = None
        self._turn = asyncio.Lock()
        self._waiter: asyncio.Task[None] | None = None
        self._started_s: float | None = None
        self._last: dict[str, Any] | None = None
        self._ready_s: float | None = None
        self._announced: dict[str, Any] | None = None
        self._changes = asyncio.Condition()
        #: Counts the changes of the status.
        self.version = 0

    async def start(self, flags: list[str]) -> None:
        """Start the agent with flags like cilium-agent's, unless it runs."""
        async with self._turn:
            if self._process is not None:
                return
            if AGENT_LOG.exists():
                AGENT_LOG.replace(PREVIOUS_LOG)
            with AGENT_LOG.open("ab") as log, Path(os.devnull).open("rb") as nothing:
                self._process = await Program.start(
                    self._nursery,
                    AGENT,
                    [self._config, *flags],
                    stdin=nothing.fileno(),
                    stderr=log.fileno(),
                )
            self._started_s = time.time()
            self._waiter = asyncio.ensure_future(self._wait(self._process))
        await self._tell()

    async def stop(self, signal_name: str) -> None:
        """Stop the agent and wait for its end."""
        process, waiter = self._process, self._waiter
        if process is None or waiter is None:
            return
        os.kill(process.pid, getattr(signal, f"SIG{signal_name}"))
        await waiter

    def status(self) -> dict[str, Any]:
        """How the agent fares: running, ready, since when, how the last ended."""
        return {
            "running": self._process is not None,
            "ready": self._ready_s is not None,
            "ready_s": self._ready_s,
            "pid": self._process.pid if self._process else None,
            "started_s": self._started_s,
            "last": self._last,
            "announced": self._announced,
        }

    async def changed(self, since: int) -> None:
        """Return when the status is another one than that of a version."""
        async with self._changes:
            await self._changes.wait_for(lambda: self.version != since)

    async def _tell(self) -> None:
        self.version += 1
        async with self._changes:
            self._changes.notify_all()

    async def _wait(self, process: Program) -> None:
        while line := await process.output.readline():
            if line == b"ready\n":
                self._ready_s = time.time()
            else:
                # What the node's CiliumNode is to say.
                self._announced = json.loads(line)
            await self._tell()
        code = await process.wait()
        self._last = {
            "started_s": self._started_s,
            "finished_s": time.time(),
            "code": code if code >= 0 else 128 - code,
        }
        self._process, self._ready_s = None, None
        await self._tell()


class TrafficProcess:
    """Keeps the pod's traffic process, which answers a line with a line.

    Args:
        nursery: Where it comes from.
    """

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._process: Program | None = None
        self._requests = -1
        self._turn = asyncio.Lock()

    async def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pass a request on; the process is started by the first one."""
        async with self._turn:
            if self._process is None:
                await self._start()
            assert self._process is not None
            os.write(self._requests, json.dumps(request).encode() + b"\n")
            line = await self._process.output.readline()
            if not line:
                os.close(self._requests)
                self._process = None
                raise OSError("the traffic process ended")
            answer: dict[str, Any] = json.loads(line)
            return answer

    async def _start(self) -> None:
        read, self._requests = os.pipe()
        try:
            self._process = await Program.start(
                self._nursery, TRAFFIC, [], stdin=read, stderr=2
            )
        finally:
            os.close(read)
