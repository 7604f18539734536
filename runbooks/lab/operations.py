"""What a running lab can be asked to do; each answer is ready for JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runbooks.lab.network import remove_tap
from runbooks.lab.node import LabNode, plug_in
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runbooks.lab.cluster import Cluster
    from runbooks.lab.etcd import Etcd
    from runbooks.lab.plan import Lab, NodePlan


class Operations:
    """One running lab: its nodes, its store, its cluster.

    Args:
        lab: The lab as it was started.
        cluster: Its objects.
        etcd: Its key-value store; ``None`` in CRD mode.
        say: Told of steps that nobody asked for.
    """

    def __init__(
        self,
        lab: Lab,
        cluster: Cluster,
        etcd: Etcd | None,
        say: Callable[[str], None],
    ) -> None:
        self.lab = lab
        self.cluster = cluster
        self.etcd = etcd
        self._say = say
        self.nodes: dict[str, LabNode] = {}
        #: Called when something changed that is no object of the cluster.
        self.changed: Callable[[], None] = lambda: None
        self._run = 0
        self._turn = asyncio.Lock()
        self.by_name: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "status": self._status,
            "agent": self._agent,
            "node": self._node,
            "etcd": self._etcd,
            "secret": self._secret,
            "restore": self._restore,
            "traffic": self._traffic,
            "rotate": self._rotate,
        }

    def add(self, plan: NodePlan) -> LabNode:
        """Make a place for a node; its kernel is not started yet."""
        node = LabNode(self.lab, plan, self.cluster, self._say)
        self.nodes[plan.name] = node
        self.cluster.add_node(plan, node.kubelet)
        return node

    async def adopt(self, plan: NodePlan, saved: dict[str, Any]) -> None:
        """Take over a node that another supervisor started."""
        node = LabNode(self.lab, plan, self.cluster, self._say)
        self.nodes[plan.name] = node
        self.cluster.adopt_node(plan, node.kubelet)
        await node.adopt(saved)

    def _named(self, request: dict[str, Any]) -> LabNode:
        name = request["node"]
        if name not in self.nodes:
            raise LabError(f"there is no node {name!r}")
        return self.nodes[name]

    async def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        names = list(self.nodes)
        rows = await asyncio.gather(*(self.nodes[name].status() for name in names))
        return {
            "nodes": dict(zip(names, rows, strict=True)),
            "etcd": None if self.etcd is None else self.etcd.running,
        }

    async def _agent(self, request: dict[str, Any]) -> Any:
        kubelet = self._named(request).kubelet
        if request["action"] == "stop":
            return await kubelet.stop_agent(request.get("signal", "KILL"))
        return await kubelet.start_agent()

    async def _node(self, request: dict[str, Any]) -> str | None:
        """Stop, start, reboot, register, add or remove a node.

        Returns:
            The name of a node that was added: another one, or one that is to come
            back under its old name.
        """
        async with self._turn:
            match request["action"]:
                case "stop":
                    await self._named(request).stop()
                case "start":
                    await self._named(request).restore()
                case "reboot":
                    await self._named(request).restart()
                case "add":
                    return await self._add_node(request.get("node"))
                case "register":
                    await self._named(request).kubelet.register()
                case "remove":
                    await self._remove_node(self._named(request))
        return None

    async def _add_node(self, again: str | None) -> str:
        lab = self.lab.with_one_more() if again is None else self.lab.with_again(again)
        plan = lab.nodes[-1] if again is None else lab.node(again)
        self.lab = lab
        # pyroute2's sockets run a loop of their own: not inside this one.
        await asyncio.to_thread(plug_in, self.lab, plan)
        node = self.add(plan)
        self.lab.save()
        node.kernel.start()
        await node.join()
        return plan.name

    async def _remove_node(self, node: LabNode) -> None:
        """Take a node out of the cluster as an operator does, and power it off."""
        name = node.plan.name
        self.lab = self.lab.without(name)
        await node.stop()
        del self.nodes[name]
        self.cluster.remove_node(node.plan)
        node.close()
        await asyncio.to_thread(remove_tap, node.plan)
        self.lab.save()

    async def _etcd(self, request: dict[str, Any]) -> None:
        if self.etcd is None:
            raise LabError("a lab in crd mode has no etcd")
        match request["action"]:
            case "stop":
                await self.etcd.stop()
            case "start":
                if not self.etcd.running:
                    await self.etcd.start()
            case "recreate":
                await self.etcd.recreate()

    async def _secret(self, request: dict[str, Any]) -> None:
        """Say how late a node's key file follows the Secret; ``None``: never."""
        await self._named(request).kubelet.delay_secret(request["delay_s"])
        self.changed()

    async def _restore(self, _request: dict[str, Any]) -> list[str]:
        """Bring back whatever has ended.

        Returns:
            What was brought back.
        """
        restored = []
        async with self._turn:
            if self.etcd is not None and not self.etcd.running:
                await self.etcd.start()
                restored.append("etcd")
            names = list(self.nodes)
            done = await asyncio.gather(*(self.nodes[n].restore() for n in names))
            restored += [name for name, was in zip(names, done, strict=True) if was]
        return restored

    async def _rotate(self, _request: dict[str, Any]) -> int:
        return self.cluster.rotate_key()

    async def _traffic(self, request: dict[str, Any]) -> Any:
        """Ask every node's traffic at once, or one node's."""
        nodes = {n: node for n, node in self.nodes.items() if node.kernel.running}
        if request["action"] == "start":
            self._run += 1
            await self._traffic({"action": "prepare"})
        names = [request["node"]] if "node" in request else list(nodes)

        def question(name: str) -> dict[str, Any]:
            peers = [p for p in request.get("peers", nodes) if p != name]
            return {
                **{k: v for k, v in request.items() if k != "operation"},
                "run": self._run,
                "peers": [
                    ip
                    for peer in peers
                    for ip in self.lab.pod_ips(self.nodes[peer].plan)
                ],
            }

        answers = await asyncio.gather(
            *(nodes[name].client.ask("traffic", **question(name)) for name in names)
        )
        return dict(zip(names, answers, strict=True))
