"""What the cluster's objects and its key-value store say, beside the nodes' kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from runbooks.collect.agent_exec import AgentExec, ExecError
from runbooks.collect.api import AbsentError, ClusterApi
from runbooks.collect.errors import CollectError, NotPermittedError
from runbooks.collect.objects import (
    Object,
    agent_facts,
    cluster_facts,
    why_not_running,
)
from runbooks.collect.stored_nodes import from_agent

if TYPE_CHECKING:
    from runbooks.collect.etcd import EtcdAccess
    from runbooks.snapshot import ClusterFacts, SecretFacts

#: An agent that has lost its store waits for it longer than anybody wants to.
STORE_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """The objects that were read, as the API gave them.

    Attributes:
        namespace: Namespace of Cilium.
        pods: The agents' Pods.
        cilium_nodes: All CiliumNodes.
        nodes: All Nodes.
        config_map: ConfigMap ``cilium-config``.
        daemonset: The agents' DaemonSet.
        store: The nodes' keys in the key-value store, if it was read.
        secret: What may be known of the Secret, if it was read.
        unread: What could not be read, a sentence each.
    """

    namespace: str
    pods: tuple[Object, ...]
    cilium_nodes: tuple[Object, ...] = ()
    nodes: tuple[Object, ...] = ()
    config_map: Object | None = None
    daemonset: Object | None = None
    store: Object | None = None
    secret: SecretFacts | None = None
    unread: tuple[str, ...] = ()

    def facts(self) -> ClusterFacts:
        """Sum the objects up."""
        return cluster_facts(
            config_map=self.config_map,
            cilium_nodes=self.cilium_nodes,
            nodes=self.nodes,
            daemonset=self.daemonset,
            store=self.store,
            secret=self.secret,
            unread=self.unread,
        )


def with_control_plane(
    api: ClusterApi, objects: ClusterObjects, etcd: EtcdAccess | None = None
) -> ClusterObjects:
    """Add what the key-value store and the Secret say.

    Neither is needed to find a broken pair; what can't be read of the store is said,
    since a cause may hang on it. The Secret is read where the right is there: nobody
    has to be given it for a check.

    Args:
        api: The cluster's API.
        objects: Its objects.
        etcd: The store itself; an agent is asked for it if ``None``.
    """
    unread = list(objects.unread)
    store = None
    if etcd is not None or _keeps_nodes_in_store(objects):
        try:
            store = _store(api, objects, etcd)
        except (CollectError, ExecError) as error:
            words = str(error).rstrip(".")
            unread.append(f"The key-value store was not read: {words}.")
    secret = None
    try:
        secret = api.secret(objects.namespace)
    except (NotPermittedError, AbsentError):
        pass
    except CollectError as error:
        unread.append(str(error))
    return replace(objects, store=store, secret=secret, unread=tuple(unread))


def _keeps_nodes_in_store(objects: ClusterObjects) -> bool:
    settings = (objects.config_map or {}).get("data") or {}
    return settings.get("identity-allocation-mode") == "kvstore"


def _store(
    api: ClusterApi, objects: ClusterObjects, etcd: EtcdAccess | None
) -> Object | None:
    if etcd is not None:
        from runbooks.collect.etcd import read_store

        return read_store(etcd)
    running = [pod for pod in objects.pods if why_not_running(pod) is None]
    ready = [pod for pod in running if agent_facts(pod).ready] or running
    if not ready:
        return None  # every node is unread, which says enough
    pod = agent_facts(ready[0]).pod or ""
    agent = AgentExec(api.settings, objects.namespace)
    script = resources.files(__package__).joinpath("read_store.sh").read_text()
    ran = agent.run(pod, ["bash", "-c", script], STORE_LIMIT_S)
    if ran.status:
        said = (ran.complaint or ran.out).strip().splitlines()
        raise ExecError(f"{pod}: {said[-1][:200] if said else 'it says nothing'}")
    return from_agent(ran.out)
