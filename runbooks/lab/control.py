"""The lab's control socket: what the ``lab`` commands ask a running lab."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runbooks.lab import channel
from runbooks.lab.channel import ChannelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbooks.lab.cluster import Cluster
    from runbooks.lab.kubelet import Kubelet
    from runbooks.lab.network import WireTap
    from runbooks.lab.node_client import NodeClient
    from runbooks.lab.plan import Lab
    from runbooks.lab.uml import NodeKernel


class Control:
    """Serves one lab's control socket.

    Args:
        lab: The lab.
        cluster: Its objects.
        kernels: By node name, as all that follow.
        clients: Ways to ask the nodes.
        kubelets: The nodes' kubelets.
        wires: Counters outside of the nodes.
    """

    def __init__(
        self,
        lab: Lab,
        cluster: Cluster,
        kernels: dict[str, NodeKernel],
        clients: dict[str, NodeClient],
        kubelets: dict[str, Kubelet],
        wires: dict[str, WireTap],
    ) -> None:
        self._lab = lab
        self._cluster = cluster
        self._kernels = kernels
        self._clients = clients
        self._kubelets = kubelets
        self._wires = wires
        self._run = 0
        self._server: asyncio.Server | None = None
        self._operations: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "status": self._status,
            "agent": self._agent,
            "traffic": self._traffic,
            "rotate": self._rotate,
        }

    async def serve(self) -> None:
        """Begin to serve."""
        self._server = await asyncio.start_unix_server(
            self._connection, self._lab.control_socket
        )

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            frame = await channel.read_frame(reader)
            if frame is None:
                return
            request = json.loads(frame[1])
            if request["operation"] == "exec":
                await self._relay(request, reader, writer)
                return
            try:
                answer = await self._operations[request["operation"]](request)
                end = {"status": 0, "answer": answer}
            except (ChannelError, OSError) as error:
                end = {"error": str(error)}
            channel.write_json(writer, channel.EXIT, end)
            await channel.linger(reader, writer)
        except ConnectionError:
            return  # the asker has gone
        finally:
            writer.close()

    async def _relay(
        self,
        request: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            node_reader, node_writer = await self._clients[request["node"]].connect()
        except ChannelError as error:
            channel.write_json(writer, channel.EXIT, {"error": str(error)})
            await writer.drain()
            return
        channel.write_json(node_writer, channel.REQUEST, request)
        there = asyncio.ensure_future(_copy(reader, node_writer))
        back = asyncio.ensure_future(_until_exit(node_reader, writer))
        try:
            await asyncio.wait({there, back}, return_when="FIRST_COMPLETED")
            if back.done():
                there.cancel()
                await asyncio.wait({there})
                await channel.linger(reader, writer)
        finally:
            there.cancel()
            back.cancel()
            node_writer.close()

    async def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {
            node.name: {
                "ip": node.ip,
                "kernel": self._kernels[node.name].running,
                "agent": self._kubelets[node.name].agent,
                "wire": asdict(self._wires[node.name].count()),
            }
            for node in self._lab.nodes
        }

    async def _agent(self, request: dict[str, Any]) -> Any:
        kubelet = self._kubelets[request["node"]]
        if request["action"] == "stop":
            return await kubelet.stop_agent(request.get("signal", "KILL"))
        return await kubelet.start_agent()

    async def _rotate(self, _request: dict[str, Any]) -> int:
        return self._cluster.rotate_key()

    async def _traffic(self, request: dict[str, Any]) -> Any:
        """Ask every node's traffic at once, or one node's."""
        pods = {node.name: self._lab.pod_ips(node) for node in self._lab.nodes}
        if request["action"] == "start":
            self._run += 1
            await self._traffic({"action": "prepare"})
        names = [request["node"]] if "node" in request else list(pods)

        def question(name: str) -> dict[str, Any]:
            peers = [p for p in request.get("peers", pods) if p != name]
            return {
                **{k: v for k, v in request.items() if k != "operation"},
                "run": self._run,
                "peers": [ip for peer in peers for ip in pods[peer]],
            }

        answers = await asyncio.gather(
            *(self._clients[name].ask("traffic", **question(name)) for name in names)
        )
        return dict(zip(names, answers, strict=True))


async def _until_exit(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while (frame := await channel.read_frame(reader)) is not None:
        channel.write_frame(writer, *frame)
        await writer.drain()
        if frame[0] == channel.EXIT:
            return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
