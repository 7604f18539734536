"""The agents' service account: the tokens that nodes show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.credentials import Credentials, service_account
from runbooks.lab.plan import NAMESPACE, Lab, NodePlan

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.lab.kubeapi.store import Store


def admit_agent(
    lab: Lab, node: NodePlan, store: Store, credentials: Credentials
) -> None:
    """Give a node's agent a token, with the rights that Cilium's has.

    Args:
        lab: The lab; the token goes into the node's folder.
        node: The node.
        store: The cluster's objects, the agents' service account among them.
        credentials: What makes the token.
    """
    uid = store.get("serviceaccounts", "cilium", NAMESPACE)["metadata"]["uid"]
    lab.authority_file.write_bytes(credentials.authority)
    lab.node_directory(node).mkdir(parents=True, exist_ok=True)
    token, _ = credentials.issue_token(service_account(NAMESPACE, "cilium", uid))
    _write_secret(lab.token_file(node), token)


def _write_secret(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
