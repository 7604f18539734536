"""A running cluster, read through its API and its agents' pods."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from runbooks.collect import node_files
from runbooks.collect.agent_exec import AgentExec, Answer, ExecError, Ran
from runbooks.collect.agents import NodeAnswer, ask_node
from runbooks.collect.api import AbsentError, ClusterApi
from runbooks.collect.control_plane import ClusterObjects, with_control_plane
from runbooks.collect.errors import CollectError, NotPermittedError, UsageError
from runbooks.collect.objects import (
    Object,
    agent_facts,
    node_of,
    why_not_running,
)
from runbooks.collect.pod import script
from runbooks.collect.pod.answers import in_objects, read_answer
from runbooks.snapshot import NodeSnapshot, Samples, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from runbooks.collect.agents import Ask, Read
    from runbooks.collect.etcd import EtcdAccess

T = TypeVar("T")

#: How long one node may take; a thousand peers are a few MiB.
NODE_LIMIT_S = 60.0
#: Nodes read at the same time.
SIDE_BY_SIDE = 32


@dataclass(frozen=True, slots=True)
class Recording:
    """Two samples with the files that they were read from.

    Attributes:
        objects: The cluster's objects.
        first: The nodes' answers, everything.
        second: The nodes' answers a little later, states and counters.
    """

    objects: ClusterObjects
    first: Mapping[str, NodeAnswer]
    second: Mapping[str, NodeAnswer]

    def samples(self) -> Samples:
        """What was read, as plain data."""
        return Samples(
            first=snapshot_of(self.first, self.objects),
            second=snapshot_of(self.second, self.objects),
        )


class ClusterReader:
    """Reads the nodes of one cluster, as often as asked."""

    def __init__(
        self,
        api: ClusterApi,
        namespace: str | None = None,
        etcd: EtcdAccess | None = None,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._etcd = etcd

    @classmethod
    def connect(
        cls,
        kubeconfig: Path | None = None,
        context: str | None = None,
        namespace: str | None = None,
        etcd: EtcdAccess | None = None,
    ) -> ClusterReader:
        """Read the kubeconfig; nothing is sent yet.

        Raises:
            UsageError: There is no usable kubeconfig.
        """
        return cls(ClusterApi.connect(kubeconfig, context), namespace, etcd)

    def samples(
        self, interval_s: float = 1.0, after_first: Callable[[], None] | None = None
    ) -> Samples:
        """Read everything, and states and counters once more a little later.

        Args:
            interval_s: Seconds between both samples.
            after_first: Called after the first sample; may wait for others.
        """
        return self.record(interval_s, after_first).samples()

    def record(
        self, interval_s: float = 1.0, after_first: Callable[[], None] | None = None
    ) -> Recording:
        """Read the same, and keep the files that it was read from."""
        objects = self.objects_for_check()
        first = self.read_nodes(objects, full=True)
        if after_first is not None:
            after_first()
        time.sleep(interval_s)
        second = self.read_nodes(objects, full=False)
        return Recording(objects, first, second)

    def states(self, *, policies: bool = False) -> Snapshot:
        """Read the XFRM states, without keys, and counters of all nodes once.

        Args:
            policies: Whether to read the XFRM policies as well.
        """
        objects = self.objects()
        if policies:
            answers = self.read_nodes(objects, full=False, policies=True)
        else:
            answers = self.ask_nodes(objects, _ask_numbers, _read_objects)
        return snapshot_of(answers, objects)

    def run(self, argv: Sequence[str], node: str | None = None) -> dict[str, Ran]:
        """Run a command in the agents' pods side by side.

        Args:
            argv: The command and its arguments.
            node: The one node to run it on; all of them if ``None``.

        Returns:
            What came of it, by node; nodes whose agent can't be entered are
            left out.
        """
        objects = self.objects()
        agent = AgentExec(self._api.settings, objects.namespace)
        pods = _pod_by_node(objects.pods)

        def ran(name: str) -> Ran | None:
            pod = agent_facts(pods[name]).pod or ""
            try:
                return agent.run(pod, list(argv), NODE_LIMIT_S)
            except ExecError:
                return None

        names = [name for name in sorted(pods) if node in {None, name}]
        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            answers = dict(zip(names, pool.map(ran, names), strict=True))
        return {name: answer for name, answer in answers.items() if answer}

    def objects_for_check(self) -> ClusterObjects:
        """Read the cluster's objects, and what its key-value store and Secret say.

        Raises:
            CollectError: There is no cluster, no Cilium, no IPsec, or no right.
        """
        return with_control_plane(self._api, self.objects(), self._etcd)

    def objects(self) -> ClusterObjects:
        """Read the cluster's objects.

        Raises:
            CollectError: There is no cluster, no Cilium, no IPsec, or no right.
        """
        pods = self._api.agents(self._namespace)
        if not pods:
            where = f"in namespace {self._namespace}" if self._namespace else "anywhere"
            raise UsageError(
                f"The cluster runs no Cilium agent {where}: no pod with the label"
                " k8s-app=cilium and a container cilium-agent. Is it the right"
                " context? --namespace says where Cilium runs."
            )
        namespaces = {_namespace_of(pod) for pod in pods}
        if len(namespaces) > 1:
            raise UsageError(
                "Cilium agents run in several namespaces"
                f" ({', '.join(sorted(namespaces))}): choose one with --namespace."
            )
        namespace = namespaces.pop()
        unread: list[str] = []

        def tried(read: Callable[[], T], otherwise: T, what: str) -> T:
            try:
                return read()
            except AbsentError:
                unread.append(f"The cluster has no {what}.")
            except CollectError as error:
                unread.append(f"{what} not read: {error}")
            return otherwise

        config_map = tried(
            lambda: self._api.config_map(namespace), None, "ConfigMap cilium-config"
        )
        _require_ipsec(config_map)
        return ClusterObjects(
            namespace=namespace,
            pods=tuple(pods),
            cilium_nodes=tuple(tried(self._api.cilium_nodes, [], "CiliumNodes")),
            nodes=tuple(tried(self._api.nodes, [], "Nodes")),
            config_map=config_map,
            daemonset=tried(
                lambda: self._api.daemonset(namespace), None, "DaemonSet cilium"
            ),
            unread=tuple(unread),
        )

    def read_nodes(
        self, objects: ClusterObjects, *, full: bool, policies: bool = False
    ) -> dict[str, NodeAnswer]:
        """Read all nodes side by side; returns when the last one is done.

        Raises:
            NotPermittedError: No agent's pod may be entered at all.
        """

        def ask(run: AgentExec, pod: str) -> Answer:
            return run.read(pod, full=full, limit_s=NODE_LIMIT_S, policies=policies)

        return self.ask_nodes(objects, ask, node_files.read_node)

    def ask_nodes(
        self,
        objects: ClusterObjects,
        ask: Ask,
        read: Read,
        names: Collection[str] | None = None,
        *,
        keep_files: bool = True,
    ) -> dict[str, NodeAnswer]:
        """Ask nodes side by side; returns when the last one is done.

        Args:
            objects: The cluster's objects.
            ask: Asks an agent's pod.
            read: Reads a node's name and the files of its answer.
            names: The nodes to ask; all if ``None``.
            keep_files: Whether the answers keep the files that they were read from.

        Raises:
            NotPermittedError: No agent's pod may be entered at all.
        """
        run = AgentExec(self._api.settings, objects.namespace)
        pods = {
            name: pod
            for name, pod in sorted(_pod_by_node(objects.pods).items())
            if names is None or name in names
        }

        def answer(name: str) -> NodeAnswer:
            answered = ask_node(run, name, pods[name], ask, read)
            return answered if keep_files else replace(answered, files={})

        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            found = dict(zip(pods, pool.map(answer, pods), strict=True))
        needs = next((a.needs for a in found.values() if a.needs), "")
        if needs and not any(answer.answered for answer in found.values()):
            raise NotPermittedError(
                f"The kubeconfig's user has no right to {needs} in namespace"
                f" {objects.namespace}: no node can be read."
            )
        for cilium_node in objects.facts().cilium_nodes.values():
            name = cilium_node.name
            if names is None and name not in found:
                why = f"{name}: no Cilium agent runs there."
                found[name] = NodeAnswer(NodeSnapshot(name, unread=(why,)), {})
        return found


def _ask_numbers(run: AgentExec, pod: str) -> Answer:
    return run.ask(pod, script("compact"), ["second"], NODE_LIMIT_S)


def _read_objects(name: str, files: node_files.NodeFiles) -> NodeSnapshot:
    return in_objects(read_answer(name, files))


def snapshot_of(answers: Mapping[str, NodeAnswer], objects: ClusterObjects) -> Snapshot:
    """Put together what was read of the nodes and of the cluster."""
    return Snapshot(
        nodes={name: answer.node for name, answer in sorted(answers.items())},
        cluster=objects.facts(),
    )


def _pod_by_node(pods: tuple[Object, ...]) -> dict[str, Object]:
    """One Pod per node: during an update, the one that runs."""
    chosen: dict[str, Object] = {}
    for pod in pods:
        node = node_of(pod)
        if node is None:
            continue
        if node not in chosen or why_not_running(chosen[node]) is not None:
            chosen[node] = pod
    return chosen


def _namespace_of(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("namespace", "kube-system"))


def _require_ipsec(config_map: Object | None) -> None:
    if config_map is None:
        return
    settings = config_map.get("data") or {}
    if str(settings.get("enable-ipsec", "false")).lower() != "true":
        wireguard = str(settings.get("enable-wireguard", "")).lower() == "true"
        instead = " (it uses WireGuard)" if wireguard else ""
        raise UsageError(
            f"IPsec is not enabled in this cluster{instead}: enable-ipsec is not"
            " true in ConfigMap cilium-config. There is nothing to check."
        )
