"""The objects of the Kubernetes API that a rotation reads and changes.

Every call has a time limit and turns what went wrong into a sentence; nothing
is repeated here, because only the caller knows whether it may be.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
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
from runbooks.rotation.memory import guard_memory
from runbooks.rotation.objects import (
    PROCESS_ANNOTATION,
    AgentPod,
    KeySecret,
    LeaseNow,
    Rollout,
    Target,
    agent_of,
    lease_of,
    micro_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_LIMIT_S = 5.0
READ_LIMIT_S = 20.0
AGENT_SELECTOR = "k8s-app=cilium"
DAEMONSET = "cilium"
CONFIG_MAP = "cilium-config"

# The client logs whole responses at this level, the Secret's among them.
logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)


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
        except Exception as error:  # noqa: BLE001 - YAML, files, base64, plug-ins
            why = " ".join(str(error).split()) or type(error).__name__
            raise RotationError(
                f"The kubeconfig can't be used: {why.rstrip('.')}. Set KUBECONFIG, or"
                " the variables ipsec_kubeconfig and ipsec_context."
            ) from None
        settings.retries = False
        return cls(target, client.ApiClient(settings))

    def key_secret(self) -> KeySecret:
        """Read the Secret that holds the key."""
        guard_memory()
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
        found = [agent_of(pod) for pod in pods["items"]]
        return tuple(sorted(found, key=lambda agent: (agent.node, agent.name)))

    def delete_agent(self, name: str) -> None:
        """Delete an agent's pod; its DaemonSet makes another."""
        self._call(
            self._core.delete_namespaced_pod,
            name,
            self.target.namespace,
            doing=f"delete pod {name}",
            needs="delete on pods",
            rights="rbac-restart.yml",
        )

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
        return lease_of(lease)

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
                "annotations": {
                    **lease.annotations,
                    PROCESS_ANNOTATION: lease.process,
                },
                "resourceVersion": lease.resource_version,
            },
            "spec": {
                "holderIdentity": lease.holder or None,
                "leaseDurationSeconds": lease.duration_s,
                "acquireTime": micro_time(lease.acquired),
                "renewTime": micro_time(lease.renewed),
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
        rights: str = "rbac.yml",
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
            raise self._explain(error, doing, needs, rights) from None
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
        answer = _object(content)
        if answer is None:
            # Without a word of it: a login page may quote the request.
            raise TransientError(
                f"the API server at {self.api.configuration.host}, which gave an"
                " answer that is none of Kubernetes (a proxy's or login page?) on the"
                f" attempt to {doing}"
            )
        return answer

    def _explain(
        self, error: ApiException, doing: str, needs: str, rights: str
    ) -> RotationError:
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
                    f" {needs} {where} (403). playbooks/files/{rights} grants it."
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


def _object(content: bytes) -> dict[str, Any] | None:
    """An object or a list of them; ``None`` for what Kubernetes wouldn't answer."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "metadata" in answer else None


def _retry_after_s(error: ApiException) -> float | None:
    try:
        return float((error.headers or {}).get("Retry-After", ""))
    except ValueError:
        return None
