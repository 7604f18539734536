"""The cluster's objects, from the API's JSON or a sysdump's YAML alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from runbooks.collect.stored_nodes import store_facts
from runbooks.snapshot import (
    AgentFacts,
    CiliumNodeFacts,
    ClusterFacts,
    SecretFacts,
)

#: One object, as plain JSON or YAML.
Object = Mapping[str, Any]

AGENT_LABEL = ("k8s-app", "cilium")
AGENT_CONTAINER = "cilium-agent"


def cluster_facts(
    *,
    config_map: Object | None = None,
    cilium_nodes: Iterable[Object] = (),
    nodes: Iterable[Object] = (),
    daemonset: Object | None = None,
    store: Object | None = None,
    secret: SecretFacts | None = None,
    unread: Iterable[str] = (),
) -> ClusterFacts:
    """Sum up what the objects of a cluster say.

    Args:
        config_map: ConfigMap ``cilium-config``.
        cilium_nodes: All CiliumNodes.
        nodes: All Nodes.
        daemonset: The agents' DaemonSet.
        store: The nodes' keys as :mod:`runbooks.collect.stored_nodes` has them.
        secret: What may be known of the Secret.
        unread: What could not be read, a sentence each.
    """
    node_created = {
        _name(node): _seconds(_metadata(node).get("creationTimestamp"))
        for node in nodes
    }
    facts = (_cilium_node(node, node_created.get(_name(node))) for node in cilium_nodes)
    status = _part(daemonset or {}, "status")
    return ClusterFacts(
        config={
            str(key): str(value)
            for key, value in _part(config_map or {}, "data").items()
        },
        cilium_nodes={node.name: node for node in facts},
        store=store_facts(store) if store else None,
        secret=secret,
        daemonset_desired=status.get("desiredNumberScheduled"),
        daemonset_updated=status.get("updatedNumberScheduled"),
        unread=tuple(unread),
    )


def agent_facts(pod: Object) -> AgentFacts:
    """Sum up what an agent's Pod says."""
    status = _part(pod, "status")
    container: Mapping[str, Any] = next(
        (
            entry
            for entry in _parts(status, "containerStatuses")
            if entry.get("name") == AGENT_CONTAINER
        ),
        {},
    )
    state = _part(container, "state")
    running = _part(state, "running")
    previous = _part(_part(container, "lastState"), "terminated")
    ended = _part(state, "terminated") or previous
    return AgentFacts(
        pod=_name(pod),
        ready=bool(container.get("ready", False)),
        version=_image_version(pod),
        started_s=_seconds(running.get("startedAt")),
        previous_finished_s=_seconds(previous.get("finishedAt")),
        restarts=container.get("restartCount"),
        down_since_s=None if "running" in state else _seconds(ended.get("finishedAt")),
    )


def is_agent(pod: Object) -> bool:
    """Whether a Pod is an agent's."""
    label, value = AGENT_LABEL
    return _part(_metadata(pod), "labels").get(label) == value and any(
        container.get("name") == AGENT_CONTAINER
        for container in _parts(_part(pod, "spec"), "containers")
    )


def node_of(pod: Object) -> str | None:
    """Name of the node that a Pod runs on."""
    name = _part(pod, "spec").get("nodeName")
    return str(name) if name else None


def why_not_running(pod: Object) -> str | None:
    """Why an agent's container can't be entered, in a few words."""
    status = _part(pod, "status")
    if _metadata(pod).get("deletionTimestamp"):
        return "its pod is being deleted"
    for entry in _parts(status, "containerStatuses"):
        if entry.get("name") != AGENT_CONTAINER:
            continue
        state = _part(entry, "state")
        if "running" in state:
            return None
        for kind in ("waiting", "terminated"):
            if kind in state:
                reason = _part(state, kind).get("reason") or "?"
                return f"its container is {kind} ({reason})"
    phase = status.get("phase")
    return None if phase == "Running" else f"its pod is {phase or 'not running'}"


def _cilium_node(node: Object, node_created_s: float | None) -> CiliumNodeFacts:
    spec = _part(node, "spec")
    addresses = tuple(_parts(spec, "addresses"))
    return CiliumNodeFacts(
        name=_name(node),
        uid=_metadata(node).get("uid"),
        created_s=_seconds(_metadata(node).get("creationTimestamp")),
        node_created_s=node_created_s,
        encryption_key=_part(spec, "encryption").get("key"),
        boot_id=spec.get("bootid"),
        internal_ips=_ips(addresses, "InternalIP"),
        cilium_internal_ips=_ips(addresses, "CiliumInternalIP"),
    )


def _ips(addresses: Iterable[Object], kind: str) -> tuple[str, ...]:
    return tuple(str(a.get("ip")) for a in addresses if a.get("type") == kind)


def _image_version(pod: Object) -> str | None:
    """The tag of the agent's image, where it is a version."""
    for container in _parts(_part(pod, "spec"), "containers"):
        if container.get("name") == AGENT_CONTAINER:
            image = str(container.get("image", "")).partition("@")[0]
            tag = image.rpartition("/")[2].partition(":")[2].removeprefix("v")
            return tag if tag[:1].isdigit() else None
    return None


def _metadata(thing: Object) -> Mapping[str, Any]:
    return _part(thing, "metadata")


def _part(thing: Object, key: str) -> Mapping[str, Any]:
    """A part of an object that is an object; empty where it isn't."""
    part = thing.get(key)
    return part if isinstance(part, Mapping) else {}


def _parts(thing: Object, key: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a part that is a list of objects."""
    parts = thing.get(key)
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping):
            yield part


def _name(thing: Object) -> str:
    return str(_metadata(thing).get("name", ""))


def _seconds(stamp: object) -> float | None:
    """A timestamp in seconds; YAML readers may have made a datetime of it."""
    if isinstance(stamp, str):
        try:
            stamp = datetime.fromisoformat(stamp)
        except ValueError:
            return None
    if isinstance(stamp, datetime):
        return stamp.replace(tzinfo=stamp.tzinfo or UTC).timestamp()
    return None
