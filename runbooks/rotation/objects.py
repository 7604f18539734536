"""What a rotation knows of the objects of the Kubernetes API."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT_CONTAINER = "cilium-agent"
PROCESS_ANNOTATION = "ipsec-runbooks.io/holder-process"


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, and where Cilium lives in it.

    Attributes:
        namespace: Namespace of Cilium.
        secret_name: Secret that holds the key.
        secret_key: Data key of the Secret that holds the key's line.
        kubeconfig: Path of a kubeconfig; the usual places when ``None``.
        context: Context of the kubeconfig; the current one when ``None``.
        key_files: Whether the nodes get the key as a file, without a Secret.
    """

    namespace: str = "kube-system"
    secret_name: str = "cilium-ipsec-keys"  # noqa: S105 - the name of an object
    secret_key: str = "keys"  # noqa: S105 - the name of a field
    kubeconfig: str | None = None
    context: str | None = None
    key_files: bool = False


@dataclass(frozen=True, slots=True)
class KeySecret:
    """The Secret as it was read; the key itself stays out of ``repr``."""

    resource_version: str
    annotations: Mapping[str, str]
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AgentPod:
    """One agent's pod.

    Attributes:
        name: Name of the pod.
        node: Name of its node.
        ready: Whether it is ready and not about to be deleted.
        state: Why it isn't ready, in a few words.
        image: Image of its ``cilium-agent`` container.
    """

    name: str
    node: str
    ready: bool
    state: str
    image: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the DaemonSet says about its pods."""

    desired: int
    updated: int
    observed_current: bool
    node_selector: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LeaseNow:
    """A Lease, as it was read or shall be written.

    Attributes:
        holder: Who holds it; empty for nobody.
        process: The holder's process, see :mod:`runbooks.rotation.lock`.
        duration_s: How long it lasts without renewal, in seconds.
        acquired: Since when it is held.
        renewed: When its holder last showed life.
        transitions: How often it changed hands.
        resource_version: The version read; ``None`` for one not written yet.
        annotations: Its annotations but the process.
    """

    holder: str
    process: str
    duration_s: int
    acquired: datetime.datetime | None
    renewed: datetime.datetime | None
    transitions: int = 0
    resource_version: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def lease_of(lease: Mapping[str, Any]) -> LeaseNow:
    """Read a Lease from the API's JSON."""
    spec = lease.get("spec") or {}
    annotations = dict(lease["metadata"].get("annotations") or {})
    return LeaseNow(
        holder=spec.get("holderIdentity") or "",
        process=annotations.pop(PROCESS_ANNOTATION, ""),
        duration_s=spec.get("leaseDurationSeconds") or 0,
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        resource_version=lease["metadata"]["resourceVersion"],
        annotations=annotations,
    )


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None


def micro_time(time: datetime.datetime | None) -> str | None:
    """Write a time as Leases carry it."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" if time else None


def agent_of(pod: Mapping[str, Any]) -> AgentPod:
    """Read an agent's pod from the API's JSON."""
    meta, spec = pod["metadata"], pod["spec"]
    status = pod.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    deleting = "deletionTimestamp" in meta
    waiting = [
        container["state"]["waiting"].get("reason")
        for container in status.get("containerStatuses") or ()
        if "waiting" in (container.get("state") or {})
    ]
    reason = next(filter(None, waiting), None) or status.get("phase") or "unknown"
    images = [c["image"] for c in spec["containers"] if c["name"] == AGENT_CONTAINER]
    return AgentPod(
        name=meta["name"],
        node=spec.get("nodeName") or "",
        ready=conditions.get("Ready") == "True" and not deleting,
        state="being deleted" if deleting else reason,
        image=next(iter(images), ""),
    )
