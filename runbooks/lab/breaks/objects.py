"""The cluster's objects, changed as a person would: through its API."""

from __future__ import annotations

import base64
import contextlib
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from runbooks.lab.plan import NAMESPACE, LabError
from runbooks.lab.reading import wait_until
from runbooks.xfrm.keys import parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.lab.plan import Lab

_SECRET = "cilium-ipsec-keys"  # noqa: S105 (the object's name)
_LABEL = "ipsec-runbooks/relabeled"


def delete_cilium_node(lab: Lab, node: str) -> None:
    """Delete a CiliumNode.

    Raises:
        LabError: The API refused.
    """
    with _api("CustomObjectsApi", lab, f"delete CiliumNode {node}") as api:
        api.delete_cluster_custom_object("cilium.io", "v2", "ciliumnodes", node)


def delete_node(lab: Lab, node: str) -> None:
    """Delete a Node object; the garbage collector takes its CiliumNode.

    Raises:
        LabError: The API refused.
    """
    with _api("CoreV1Api", lab, f"delete Node {node}") as api:
        api.delete_node(node)


def label_node(lab: Lab, node: str) -> None:
    """Give a Node object a label that it does not have yet.

    Raises:
        LabError: The API refused.
    """
    with _api("CoreV1Api", lab, f"label Node {node}") as api:
        labels = {_LABEL: secrets.token_hex(4)}
        api.patch_node(node, {"metadata": {"labels": labels}})


def remove_label(lab: Lab, node: str) -> None:
    """Take the label of :func:`label_node` off again; it may be gone already.

    Raises:
        LabError: The API refused.
    """
    with _api("CoreV1Api", lab, f"remove a label of Node {node}") as api:
        labels = {_LABEL: None}
        api.patch_node(node, {"metadata": {"labels": labels}})


def restart_agents(lab: Lab) -> None:
    """Have every agent's Pod replaced, and wait until all are ready.

    Raises:
        LabError: The API refused, or the rollout did not end in time.
    """
    now = datetime.now(UTC).isoformat()
    annotations = {"kubectl.kubernetes.io/restartedAt": now}
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    with _api("AppsV1Api", lab, "restart DaemonSet cilium") as api:
        api.patch_namespaced_daemon_set("cilium", NAMESPACE, body)
        wait_until(
            partial(_rolled_out, api),
            "the rollout of DaemonSet cilium did not end",
            60.0 + 10 * len(lab.nodes),
        )


def change_key(lab: Lab) -> int:
    """Put another key under the ID of the present one into the Secret.

    Returns:
        The key ID.

    Raises:
        LabError: The API refused.
    """
    with _api("CoreV1Api", lab, f"change Secret {_SECRET}") as api:
        there = api.read_namespaced_secret(_SECRET, NAMESPACE).data["keys"]
        old = parse_key(base64.b64decode(there).decode())
        new = replace(old, key=secrets.token_bytes(len(old.key)))
        body = {"stringData": {"keys": new.line()}}
        api.patch_namespaced_secret(_SECRET, NAMESPACE, body)
    return old.key_id


@contextlib.contextmanager
def _api(group: str, lab: Lab, purpose: str) -> Iterator[Any]:
    """One of the official client's API groups, for the lab's cluster."""
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException

    with config.new_client_from_config(str(lab.kubeconfig)) as connection:
        try:
            yield getattr(client, group)(connection)
        except ApiException as error:
            # Its text has the answer's body: that of a Secret is the key.
            raise LabError(f"can't {purpose}: {error.reason}") from None


def _rolled_out(api: Any) -> bool:
    daemonset = api.read_namespaced_daemon_set("cilium", NAMESPACE)
    status, generation = daemonset.status, daemonset.metadata.generation
    wanted = status.desired_number_scheduled
    return bool(
        status.observed_generation >= generation
        and status.updated_number_scheduled == wanted
        and status.number_ready == wanted
    )
