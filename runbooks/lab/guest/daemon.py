"""What a node runs for as long as its kernel lives: the lab's kubelet, inside.

It runs commands, swaps the key volume the way kubelet does, keeps the agent's
process and the traffic. It never touches XFRM: that is the agent's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from runbooks.lab import channel
from runbooks.lab.guest.commands import run_command
from runbooks.lab.guest.nursery import Nursery
from runbooks.lab.guest.processes import (
    AGENT,
    AGENT_LOG,
    PREVIOUS_LOG,
    TRAFFIC,
    AgentProcess,
    TrafficProcess,
)
from runbooks.lab.guest.volume import write_volume
from runbooks.xfrm import bare_pyroute2

#: Every address of IPv4.
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the network is the lab's own

Operation = Callable[
    [dict[str, Any], asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]
]


class Daemon:
    """Serves one node; every connection is one request.

    Args:
        config: The node's configuration, as the lab wrote it.
        nursery: Where the node's programs come from.
    """

    def __init__(self, config: dict[str, Any], nursery: Nursery) -> None:
        self._agent = AgentProcess(nursery, config["agent_config"])
        self._traffic = TrafficProcess(nursery)
        self._operations: dict[str, Operation] = {
            "exec": self._exec,
            "agent": self._agent_request,
            "watch": self._watch,
            "log": self._log,
            "facts": self._facts,
            "volume": self._volume,
            "traffic": self._traffic_request,
        }

    async def serve(self, port: int) -> None:
        """Serve until the kernel stops."""
        # Not on all families: IPv6 is a module that takes its time to load.
        server = await asyncio.start_server(self._connection, EVERYWHERE, port)
        await server.serve_forever()

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            frame = await channel.read_frame(reader)
            if frame is None:
                return
            request = json.loads(frame[1])
            operation = self._operations[request["operation"]]
            try:
                end = {"status": 0, "answer": await operation(request, reader, writer)}
            except (OSError, ValueError, KeyError) as error:
                end = {"error": f"{type(error).__name__}: {error}"}
            channel.write_json(writer, channel.EXIT, end)
            await channel.linger(reader, writer)
        except ConnectionError:
            pass  # the asker has gone; what it asked for was stopped with it
        finally:
            writer.close()

    async def _exec(
        self,
        request: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> int:
        return await run_command(request, reader, writer)

    async def _agent_request(self, request: dict[str, Any], *_: Any) -> dict[str, Any]:
        match request["action"]:
            case "start":
                await self._agent.start(request["flags"])
            case "stop":
                await self._agent.stop(request.get("signal", "TERM"))
        return self._agent.status()

    async def _watch(
        self,
        _request: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        gone = asyncio.ensure_future(reader.read(1))
        while not gone.done():
            version = self._agent.version
            channel.write_json(writer, channel.EVENT, self._agent.status())
            await writer.drain()
            changed = asyncio.ensure_future(self._agent.changed(version))
            await asyncio.wait({gone, changed}, return_when="FIRST_COMPLETED")
            changed.cancel()

    async def _facts(self, *_: Any) -> dict[str, str]:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"boot_id": boot_id, "kernel": os.uname().release}

    async def _log(self, request: dict[str, Any], *_: Any) -> str:
        path = PREVIOUS_LOG if request.get("previous") else AGENT_LOG
        return path.read_text(errors="replace")[-1_000_000:]

    async def _volume(self, request: dict[str, Any], *_: Any) -> None:
        write_volume(Path(request["path"]), request["files"])

    async def _traffic_request(
        self, request: dict[str, Any], *_: Any
    ) -> dict[str, Any] | None:
        return await self._traffic.request(request)


def _programs(mode: str) -> dict[str, Callable[[list[str]], int]]:
    """What runs for long on a node, by name; slow to import."""
    bare_pyroute2.stand_in()
    from runbooks.lab.agent.__main__ import main as agent
    from runbooks.lab.guest.traffic import main as traffic

    # The agent imports the one that it needs when it starts.
    store = {"crd": "crd", "kvstore": "kvstore"}[mode]
    import_module(f"runbooks.lab.agent.{store}")
    return {AGENT: agent, TRAFFIC: traffic}


def main() -> None:
    """Serve the node whose configuration the first argument names."""
    config = json.loads(Path(sys.argv[1]).read_text())
    # Before all else: its copies must have nothing of the daemon's.
    nursery = Nursery(partial(_programs, config["mode"]))
    asyncio.run(Daemon(config, nursery).serve(channel.PORT))


if __name__ == "__main__":
    main()
