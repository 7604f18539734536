"""The objects of a cluster with Cilium, as a real one would show them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from uuid import NAMESPACE_DNS, uuid5

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbooks.lab.kubeapi.status import JsonObject

SYSTEM = "kube-system"
AGENT_LABELS = {
    "k8s-app": "cilium",
    "app.kubernetes.io/name": "cilium-agent",
    "app.kubernetes.io/part-of": "cilium",
}
IPSEC_SECRET = "cilium-ipsec-keys"  # noqa: S105 (the name of an object)
IMAGE = "quay.io/cilium/cilium"


def namespace(name: str) -> JsonObject:
    """Make a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _condition(kind: str, status: str, reason: str, since: str) -> JsonObject:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "lastHeartbeatTime": since,
        "lastTransitionTime": since,
    }


def node(
    name: str,
    internal_ip: str,
    pod_cidr: str,
    boot_id: str,
    kernel: str,
    *,
    since: str,
    os_image: str = "Debian GNU/Linux 12 (bookworm)",
    ipv6: tuple[str, str] | None = None,
) -> JsonObject:
    """Make a Node that is ready.

    Args:
        name: Its name.
        internal_ip: Address that kubelets and agents use.
        pod_cidr: Addresses of its pods.
        boot_id: ``/proc/sys/kernel/random/boot_id``.
        kernel: ``uname -r``.
        since: When it became ready, RFC 3339.
        os_image: What it runs.
        ipv6: Its address and the prefix of its pods, in a cluster of both families.
    """
    more_ips, more_cidrs = ([ipv6[0]], [ipv6[1]]) if ipv6 else ([], [])
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr, *more_cidrs]},
        "status": {
            "addresses": [
                *(
                    {"type": "InternalIP", "address": ip}
                    for ip in (internal_ip, *more_ips)
                ),
                {"type": "Hostname", "address": name},
            ],
            "conditions": [
                _condition("NetworkUnavailable", "False", "CiliumIsUp", since),
                _condition("Ready", "True", "KubeletReady", since),
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": boot_id,
                "containerRuntimeVersion": "containerd://1.7.27",
                "kernelVersion": kernel,
                "kubeProxyVersion": "",
                "machineID": uuid5(NAMESPACE_DNS, name).hex,
                "kubeletVersion": "v1.32.0",
                "operatingSystem": "linux",
                "osImage": os_image,
                "systemUUID": str(uuid5(NAMESPACE_DNS, name)),
            },
        },
    }


def _agent_spec(image: str) -> JsonObject:
    return {
        "hostNetwork": True,
        "serviceAccountName": "cilium",
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [
            {
                "name": "cilium-agent",
                "image": image,
                "command": ["cilium-agent"],
                "args": ["--config-dir=/tmp/cilium/config-map"],
                "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},
                "volumeMounts": [
                    {"name": "cilium-ipsec-secrets", "mountPath": "/etc/ipsec"}
                ],
            }
        ],
        "volumes": [
            {
                "name": "cilium-ipsec-secrets",
                "secret": {"secretName": IPSEC_SECRET, "optional": True},
            }
        ],
    }


def agent_pod(
    node_name: str,
    node_ip: str,
    suffix: str,
    version: str,
    started_at: str,
    *,
    restarts: int = 0,
    ready: bool = True,
    last_finished: str | None = None,
    owner: JsonObject | None = None,
) -> JsonObject:
    """Make the Pod of a node's agent.

    Args:
        node_name: The node.
        node_ip: Its address: the agent uses the host's network.
        suffix: What makes the name unique, ``x7k2p``.
        version: Tag of the image, ``v1.18.0-dev``.
        started_at: Start of the container, RFC 3339.
        restarts: How often it was restarted.
        ready: Whether it is ready.
        last_finished: End of the container before, RFC 3339.
        owner: The DaemonSet object as it is stored.
    """
    image = f"{IMAGE}:{version}"
    last: JsonObject = {}
    if last_finished is not None:
        ended = {"exitCode": 0, "reason": "Completed", "finishedAt": last_finished}
        last = {"terminated": ended}
    meta: JsonObject = {
        "name": f"cilium-{suffix}",
        "generateName": "cilium-",
        "namespace": SYSTEM,
        "labels": AGENT_LABELS | {"pod-template-generation": "1"},
    }
    if owner is not None:
        meta["ownerReferences"] = [owner_reference(owner, controller=True)]
    is_ready = "True" if ready else "False"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": _agent_spec(image) | {"nodeName": node_name},
        "status": {
            "phase": "Running",
            "hostIP": node_ip,
            "podIP": node_ip,
            "podIPs": [{"ip": node_ip}],
            "startTime": started_at,
            "conditions": [
                {"type": kind, "status": status, "lastTransitionTime": started_at}
                for kind, status in (
                    ("PodScheduled", "True"),
                    ("Initialized", "True"),
                    ("ContainersReady", is_ready),
                    ("Ready", is_ready),
                )
            ],
            "containerStatuses": [
                {
                    "name": "cilium-agent",
                    "image": image,
                    "imageID": "",
                    "ready": ready,
                    "started": True,
                    "restartCount": restarts,
                    "state": {"running": {"startedAt": started_at}},
                    "lastState": last,
                }
            ],
        },
    }


def owner_reference(owner: JsonObject, *, controller: bool = False) -> JsonObject:
    """Refer to an owner, with which the object is collected.

    Args:
        owner: The owner as it is stored.
        controller: Whether it manages the object.
    """
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return reference | ({"controller": True} if controller else {})


def daemon_set(
    version: str, desired: int, *, ready: int | None = None, updated: int | None = None
) -> JsonObject:
    """Make the DaemonSet of the agents.

    Args:
        version: Tag of the image.
        desired: Number of agents that should run.
        ready: Number that is ready; all by default.
        updated: Number on the newest template; all by default.
    """
    ready = desired if ready is None else ready
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": SYSTEM, "labels": AGENT_LABELS},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "cilium"}},
            "template": {
                "metadata": {"labels": AGENT_LABELS},
                "spec": _agent_spec(f"{IMAGE}:{version}"),
            },
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0},
            },
        },
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": desired,
            "currentNumberScheduled": desired,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": desired if updated is None else updated,
        },
    }


def config_map(settings: Mapping[str, str]) -> JsonObject:
    """Make the ConfigMap ``cilium-config``."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cilium-config", "namespace": SYSTEM},
        "data": dict(settings),
    }


def ipsec_secret(line: str) -> JsonObject:
    """Make the Secret ``cilium-ipsec-keys``.

    Args:
        line: What the agents read, ``3+ rfc4106(gcm(aes)) <hex key> 128``.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": IPSEC_SECRET, "namespace": SYSTEM},
        "type": "Opaque",
        "data": {"keys": base64.b64encode(line.encode()).decode()},
    }


def agent_account() -> tuple[JsonObject, ...]:
    """Make the agents' ServiceAccount, and the rights that IPsec needs of it."""
    rbac = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": "cilium", "namespace": SYSTEM}
    read = ["get", "list", "watch"]
    return (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "cilium", "namespace": SYSTEM},
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "cilium"},
            "rules": [
                {"apiGroups": [""], "resources": ["nodes"], "verbs": read},
                {
                    "apiGroups": ["cilium.io"],
                    "resources": ["ciliumnodes"],
                    "verbs": [*read, "create", "update", "patch"],
                },
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "cilium"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cilium"},
            "subjects": [account],
        },
    )


def cilium_node_definition() -> JsonObject:
    """Make the CustomResourceDefinition of CiliumNode."""
    address = '.spec.addresses[?(@.type=="{}")].ip'
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "ciliumnodes.cilium.io"},
        "spec": {
            "group": "cilium.io",
            "names": {
                "kind": "CiliumNode",
                "listKind": "CiliumNodeList",
                "plural": "ciliumnodes",
                "singular": "ciliumnode",
                "shortNames": ["cn", "ciliumn"],
                "categories": ["cilium"],
            },
            "scope": "Cluster",
            "versions": [
                {
                    "name": "v2",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {
                            "name": title,
                            "type": "string",
                            "jsonPath": address.format(kind),
                        }
                        for title, kind in (
                            ("CiliumInternalIP", "CiliumInternalIP"),
                            ("InternalIP", "InternalIP"),
                        )
                    ]
                    + [
                        {
                            "name": "Age",
                            "type": "date",
                            "jsonPath": ".metadata.creationTimestamp",
                        }
                    ],
                }
            ],
        },
    }


def cilium_node(
    owner: JsonObject,
    ips: Sequence[tuple[str, str]],
    pod_cidr: str,
    encryption_key: int,
    boot_id: str,
    *more_pod_cidrs: str,
) -> JsonObject:
    """Make the CiliumNode that an agent announces.

    Args:
        owner: The Node object as it is stored.
        ips: Types and addresses, ``("CiliumInternalIP", "10.0.1.10")``.
        pod_cidr: Addresses of its pods.
        encryption_key: The key ID it encrypts with.
        boot_id: As in the Node.
        *more_pod_cidrs: Those of the other family, if there is one.
    """
    name = owner["metadata"]["name"]
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {
            "name": name,
            "labels": dict(owner["metadata"].get("labels") or {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "addresses": [{"type": kind, "ip": ip} for kind, ip in ips],
            "bootid": boot_id,
            "encryption": {"key": encryption_key},
            "health": {},
            "ingress": {},
            "ipam": {"podCIDRs": [pod_cidr, *more_pod_cidrs], "pools": {}},
        },
    }
