"""The DaemonSet controller's part: an agent Pod for every node."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any

from runbooks.lab.channel import ChannelError
from runbooks.lab.kubeapi import objects
from runbooks.lab.kubeapi.status import JsonObject, StatusError
from runbooks.lab.plan import NAMESPACE, NodePlan

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.store import Store
    from runbooks.lab.kubeapi.watch import Event
    from runbooks.lab.kubelet import Kubelet

_DAEMONSET = "daemonsets.apps"
#: Letters of generated names, without vowels.
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class DaemonSetController:
    """Keeps the agents' Pods, and the counts of their DaemonSet.

    Args:
        store: The cluster's objects.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._nodes: dict[str, NodePlan] = {}
        self._kubelets: dict[str, Kubelet] = {}
        self._pods: dict[str, str] = {}
        #: Nodes whose Pod a rollout replaces; its deletion asks for no other.
        self._rolling: set[str] = set()
        self._agents: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._rollout: asyncio.Task[None] | None = None

    def add_node(self, node: NodePlan, kubelet: Kubelet) -> None:
        """Want an agent on a node; a Pod that is there already is kept."""
        self._nodes[node.name], self._kubelets[node.name] = node, kubelet
        for pod in self._store.list("pods", NAMESPACE, label_selector="k8s-app=cilium"):
            if pod["spec"]["nodeName"] == node.name:
                self._pods[node.name] = pod["metadata"]["name"]

    def remove_node(self, node: NodePlan) -> None:
        """Delete the agent's Pod of a node that goes."""
        del self._nodes[node.name], self._kubelets[node.name]
        self._agents.pop(node.name, None)
        if pod := self._pods.pop(node.name, None):
            self._store.delete("pods", pod, NAMESPACE)
        self._count()

    def agent_changed(self, node: NodePlan, agent: dict[str, Any]) -> None:
        """Write an agent's state into its Pod and the DaemonSet's counts."""
        self._agents[node.name] = agent
        if node.name not in self._pods:
            self._pods[node.name] = self._create_pod(node)
        try:
            self._store.patch(
                "pods",
                self._pods[node.name],
                {"status": _pod_status(node, agent, self._version())},
                NAMESPACE,
                subresource="status",
            )
        except StatusError as error:
            if error.code != 404:
                raise
        self._count()

    def see(self, event: Event) -> None:
        """React to a change: a Pod deleted, a template changed."""
        meta = event.object["metadata"]
        if event.resource == "pods" and event.type == "DELETED":
            for node in list(self._nodes.values()):
                if node.name in self._rolling:
                    continue
                if self._pods.get(node.name) == meta["name"]:
                    self._start(self._replace(node))
        elif event.resource == _DAEMONSET and event.type == "MODIFIED":
            before = (event.previous or event.object)["spec"]["template"]
            if before != event.object["spec"]["template"]:
                self._start(self._roll())

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _generation(self) -> int:
        daemonset = self._store.get(_DAEMONSET, "cilium", NAMESPACE)
        generation: int = daemonset["metadata"].get("generation", 1)
        return generation

    def _version(self) -> str:
        """The tag of the agents' image."""
        daemonset = self._store.get(_DAEMONSET, "cilium", NAMESPACE)
        image: str = daemonset["spec"]["template"]["spec"]["containers"][0]["image"]
        return image.rpartition(":")[2]

    def _create_pod(self, node: NodePlan) -> str:
        pod = objects.agent_pod(
            node.name,
            node.ip,
            "".join(secrets.choice(_SUFFIX) for _ in range(5)),
            self._version(),
            _time(time.time()),
            ready=False,
            owner=self._store.get(_DAEMONSET, "cilium", NAMESPACE),
        )
        pod["metadata"].setdefault("labels", {})["pod-template-generation"] = str(
            self._generation()
        )
        made = self._store.create(pod)
        name: str = made["metadata"]["name"]
        return name

    async def _replace(self, node: NodePlan) -> None:
        kubelet = self._kubelets[node.name]
        try:
            await kubelet.stop_agent("TERM")
            kubelet.forget_restarts()
            self._pods[node.name] = self._create_pod(node)
            await kubelet.sync_secret()  # a new Pod mounts its volumes anew
            await kubelet.start_agent()
        except ChannelError:
            return  # the Pod shows that its agent is not ready

    async def _roll(self) -> None:
        for node in list(self._nodes.values()):
            pod = self._store.get("pods", self._pods[node.name], NAMESPACE)
            generation = pod["metadata"]["labels"]["pod-template-generation"]
            if generation != str(self._generation()):
                self._rolling.add(node.name)
                self._store.delete("pods", self._pods[node.name], NAMESPACE)
                await self._replace(node)
                self._rolling.discard(node.name)
        self._count()

    def _count(self) -> None:
        generation = self._generation()
        pods = self._store.list("pods", NAMESPACE, label_selector="k8s-app=cilium")
        updated = sum(
            pod["metadata"]["labels"].get("pod-template-generation") == str(generation)
            for pod in pods
        )
        ready = sum(bool(agent["ready"]) for agent in self._agents.values())
        desired = len(self._nodes)
        status = {
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": desired,
            "numberAvailable": ready,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberUnavailable": desired - ready,
            "observedGeneration": generation,
            "updatedNumberScheduled": updated,
        }
        self._store.patch(
            _DAEMONSET,
            "cilium",
            {"status": status},
            NAMESPACE,
            subresource="status",
        )


def _pod_status(node: NodePlan, agent: dict[str, Any], version: str) -> JsonObject:
    """A Pod's status as kubelet writes it for this agent."""
    ready = bool(agent["ready"])
    last = agent.get("last")
    terminated = last and {
        "exitCode": last["code"],
        "reason": "Error" if last["code"] else "Completed",
        "startedAt": _time(last["started_s"]),
        "finishedAt": _time(last["finished_s"]),
    }
    container: JsonObject = {
        "name": "cilium-agent",
        "image": f"quay.io/cilium/cilium:v{version}",
        "ready": ready,
        "started": bool(agent["running"]),
        "restartCount": agent.get("restarts", 0),
        "lastState": {"terminated": terminated} if terminated else {},
    }
    if agent["running"]:
        container["state"] = {"running": {"startedAt": _time(agent["started_s"])}}
    else:
        container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    condition = "True" if ready else "False"
    return {
        "phase": "Running",
        "hostIP": node.ip,
        "podIP": node.ip,
        "podIPs": [{"ip": node.ip}],
        "conditions": [
            {"type": "Ready", "status": condition},
            {"type": "ContainersReady", "status": condition},
        ],
        "containerStatuses": [container],
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
