"""The objects of the Kubernetes API that a rotation reads and changes.

Every call has a time limit and turns what went wrong into a sentence; nothing
is repeated here, because only the caller knows whether it may be.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from runbooks.rotation.errors import (
    ConflictError,
    NotFoundError,
    RotationError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_LIMIT_S = 5.0
READ_LIMIT_S = 20.0
AGENT_SELECTOR = "k8s-app=cilium"
AGENT_CONTAINER = "cilium-agent"
DAEMONSET = "cilium"
CONFIG_MAP = "cilium-config"
PROCESS_ANNOTATION = "ipsec-runbooks.io/holder-process"

# The client logs whole responses at this level, the Secret's among them.
logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, and where Cilium lives in it.

    Attributes:
        namespace: Namespace of Cilium.
        secret_name: Secret that holds the key.
        secret_key: Data key of the Secret that holds the key's line.
        kubeconfig: Path of a kubeconfig; the usual places when ``None``.
        context: Context of the kubeconfig; the current one when ``None``.
    """

    namespace: str = "kube-system"
    secret_name: str = "cilium-ipsec-keys"  # noqa: S105 - the name of an object
    secret_key: str = "keys"  # noqa: S105 - the name of a field
    kubeconfig: str | None = None
    context: str | None = None


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
    """

    holder: str
    process: str
    duration_s: int
    acquired: datetime.datetime | None
    renewed: datetime.datetime | None
    transitions: int = 0
    resource_version: str | None = None


class Cluster:
    """A connection to one cluster."""

    def __init__(self, target: Target, api: client.ApiClient) -> None:
        self.target = target
        self.api = api
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._coordination = client.CoordinationV1Api(api)

    @classmethod
    def connect(cls, target: Target) -> Cluster:
        """Read the kubeconfig; nothing is sent yet.

        Raises:
            RotationError: If there is no usable kubeconfig.
        """
        if target.kubeconfig and not Path(target.kubeconfig).expanduser().is_file():
            raise RotationError(f"There is no kubeconfig at {target.kubeconfig}.")
        settings = client.Configuration()
        try:
            config.load_kube_config(
                config_file=target.kubeconfig,
                context=target.context,
                client_configuration=settings,
            )
        except config.ConfigException as error:
            raise RotationError(
                f"The kubeconfig can't be used: {error}. Set KUBECONFIG, or the"
                " variables ipsec_kubeconfig and ipsec_context."
            ) from None
        settings.retries = False
        return cls(target, client.ApiClient(settings))

    def key_secret(self) -> KeySecret:
        """Read the Secret that holds the key."""
        name = self.target.secret_name
        secret = self._call(
            self._core.read_namespaced_secret,
            name,
            self.target.namespace,
            doing=f"read Secret {name}",
            needs="get on secrets",
        )
        encoded = (secret.get("data") or {}).get(self.target.secret_key)
        try:
            content = None if encoded is None else base64.b64decode(encoded)
        except binascii.Error:
            content = b""
        return KeySecret(
            resource_version=secret["metadata"]["resourceVersion"],
            annotations=secret["metadata"].get("annotations") or {},
            content=content,
        )

    def patch_key_secret(
        self,
        resource_version: str,
        annotations: Mapping[str, str | None],
        content: bytes | None = None,
    ) -> None:
        """Change the Secret, on condition that nobody else did.

        Args:
            resource_version: The version that the change was decided on.
            annotations: Annotations to set, or to remove where ``None``.
            content: New content of the key file; ``None`` leaves it.

        Raises:
            ConflictError: If the Secret has another version by now.
        """
        name = self.target.secret_name
        body: dict[str, Any] = {
            "metadata": {
                "resourceVersion": resource_version,
                "annotations": dict(annotations),
            }
        }
        if content is not None:
            encoded = base64.b64encode(content).decode()
            body["data"] = {self.target.secret_key: encoded}
        self._call(
            self._core.patch_namespaced_secret,
            name,
            self.target.namespace,
            body,
            doing=f"patch Secret {name}",
            needs="patch on secrets",
        )

    def agents(self) -> tuple[AgentPod, ...]:
        """List the agents' pods, sorted by node."""
        pods = self._call(
            self._core.list_namespaced_pod,
            self.target.namespace,
            doing=f"list the pods labeled {AGENT_SELECTOR}",
            needs="list on pods",
            label_selector=AGENT_SELECTOR,
        )
        found = [_agent(pod) for pod in pods["items"]]
        return tuple(sorted(found, key=lambda agent: (agent.node, agent.name)))

    def rollout(self) -> Rollout:
        """Read the agents' DaemonSet."""
        daemonset = self._call(
            self._apps.read_namespaced_daemon_set,
            DAEMONSET,
            self.target.namespace,
            doing=f"read DaemonSet {DAEMONSET}",
            needs="get on daemonsets.apps",
        )
        status = daemonset.get("status") or {}
        generation = daemonset["metadata"].get("generation") or 0
        template = daemonset["spec"]["template"]["spec"]
        return Rollout(
            desired=status.get("desiredNumberScheduled") or 0,
            updated=status.get("updatedNumberScheduled") or 0,
            observed_current=(status.get("observedGeneration") or 0) >= generation,
            node_selector=template.get("nodeSelector") or {},
        )

    def nodes(self) -> dict[str, Mapping[str, str]]:
        """List the Nodes: name to labels."""
        nodes = self._call(
            self._core.list_node, doing="list the nodes", needs="list on nodes"
        )
        return {
            node["metadata"]["name"]: node["metadata"].get("labels") or {}
            for node in nodes["items"]
        }

    def cilium_config(self) -> dict[str, str]:
        """Read ConfigMap ``cilium-config``."""
        found = self._call(
            self._core.read_namespaced_config_map,
            CONFIG_MAP,
            self.target.namespace,
            doing=f"read ConfigMap {CONFIG_MAP}",
            needs="get on configmaps",
        )
        return dict(found.get("data") or {})

    def addresses(self) -> dict[str, frozenset[str]]:
        """Addresses of every CiliumNode, by node name."""
        found = self._call(
            self._custom.list_cluster_custom_object,
            "cilium.io",
            "v2",
            "ciliumnodes",
            doing="list the CiliumNodes",
            needs="list on ciliumnodes.cilium.io",
        )
        return {
            item["metadata"]["name"]: frozenset(
                address["ip"] for address in item.get("spec", {}).get("addresses", ())
            )
            for item in found["items"]
        }

    def lease(self, name: str) -> LeaseNow | None:
        """Read a Lease; ``None`` if there is none."""
        try:
            lease = self._call(
                self._coordination.read_namespaced_lease,
                name,
                self.target.namespace,
                doing=f"read Lease {name}",
                needs="get on leases.coordination.k8s.io",
            )
        except NotFoundError:
            return None
        return _lease(lease)

    def write_lease(self, name: str, lease: LeaseNow) -> None:
        """Create a Lease, or replace it where it has a resourceVersion.

        Raises:
            ConflictError: If somebody else was faster.
        """
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "namespace": self.target.namespace,
                "annotations": {PROCESS_ANNOTATION: lease.process},
                "resourceVersion": lease.resource_version,
            },
            "spec": {
                "holderIdentity": lease.holder or None,
                "leaseDurationSeconds": lease.duration_s,
                "acquireTime": _micro_time(lease.acquired),
                "renewTime": _micro_time(lease.renewed),
                "leaseTransitions": lease.transitions,
            },
        }
        if lease.resource_version is None:
            self._call(
                self._coordination.create_namespaced_lease,
                self.target.namespace,
                body,
                doing=f"create Lease {name}",
                needs="create on leases.coordination.k8s.io",
            )
        else:
            self._call(
                self._coordination.replace_namespaced_lease,
                name,
                self.target.namespace,
                body,
                doing=f"update Lease {name}",
                needs="update on leases.coordination.k8s.io",
            )

    def _call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        doing: str,
        needs: str,
        **options: Any,
    ) -> dict[str, Any]:
        limits = (CONNECT_LIMIT_S, READ_LIMIT_S)
        try:
            response = function(
                *arguments,
                _request_timeout=limits,
                # The client's models refuse objects that lack what they expect.
                _preload_content=False,
                **options,
            )
            content = response.data
            if response.status >= 300:
                raise ApiException(http_resp=response)
        except ApiException as error:
            # Never the body: that of a failed patch may quote the object.
            raise self._explain(error, doing, needs) from None
        except urllib3.exceptions.SSLError as error:
            raise RotationError(
                f"Could not {doing}: the API server's certificate was refused"
                f" ({error})."
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransientError(
                f"the API server at {self.api.configuration.host}, which does not"
                f" answer ({type(error).__name__} on the attempt to {doing})"
            ) from None
        answer: dict[str, Any] = json.loads(content)
        return answer

    def _explain(self, error: ApiException, doing: str, needs: str) -> RotationError:
        where = f"in namespace {self.target.namespace}"
        match error.status:
            case 401:
                return RotationError(
                    f"Could not {doing}: the API server does not know these"
                    " credentials (401). Check the kubeconfig's user."
                )
            case 403:
                return RotationError(
                    f"Could not {doing}: the kubeconfig's user lacks the right to"
                    f" {needs} {where} (403). playbooks/files/rbac.yml grants it."
                )
            case 404:
                return NotFoundError(f"Could not {doing}: not found {where} (404).")
            case 409:
                return ConflictError(
                    f"Could not {doing}: changed by someone else (409)."
                )
            case 429 | 500 | 502 | 503 | 504:
                return TransientError(
                    f"the API server, which answered {error.status} on the attempt"
                    f" to {doing}",
                    _retry_after_s(error),
                )
        return RotationError(f"Could not {doing}: {error.status} {error.reason}.")


def _retry_after_s(error: ApiException) -> float | None:
    try:
        return float((error.headers or {}).get("Retry-After", ""))
    except ValueError:
        return None


def _lease(lease: Mapping[str, Any]) -> LeaseNow:
    spec = lease.get("spec") or {}
    annotations = lease["metadata"].get("annotations") or {}
    return LeaseNow(
        holder=spec.get("holderIdentity") or "",
        process=annotations.get(PROCESS_ANNOTATION, ""),
        duration_s=spec.get("leaseDurationSeconds") or 0,
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        resource_version=lease["metadata"]["resourceVersion"],
    )


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None


def _micro_time(time: datetime.datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" if time else None


def _agent(pod: Mapping[str, Any]) -> AgentPod:
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
