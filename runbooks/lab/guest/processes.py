"""The two long-lived processes that a node's daemon keeps: agent and traffic."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

AGENT_LOG = Path("/run/log/cilium-agent.log")


class AgentProcess:
    """Starts and stops the lab's agent, and tells how it fares.

    Args:
        config: Path of the agent's configuration.
    """

    def __init__(self, config: str) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
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
        if self._process is not None:
            return
        with AGENT_LOG.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "runbooks.lab.agent",
                self._config,
                *flags,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._started_s = time.time()
        self._waiter = asyncio.ensure_future(self._wait(self._process))
        await self._tell()

    async def stop(self, signal_name: str) -> None:
        """Stop the agent and wait for its end."""
        process, waiter = self._process, self._waiter
        if process is None or waiter is None:
            return
        process.send_signal(getattr(signal, f"SIG{signal_name}"))
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

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
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
        config: The node's configuration.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pass a request on; the process is started by the first one."""
        async with self._turn:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *("ip", "netns", "exec", "pod", sys.executable, "-m"),
                    *("runbooks.lab.guest.traffic", self._config["name"]),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            line = await self._process.stdout.readline()
            if not line:
                raise OSError("the traffic process ended")
            answer: dict[str, Any] = json.loads(line)
            return answer
