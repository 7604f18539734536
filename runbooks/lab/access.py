"""The agents' service account: its objects, and the tokens that nodes show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi import objects
from runbooks.lab.kubeapi.credentials import Credentials, service_account
from runbooks.lab.plan import NAMESPACE, Lab

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.lab.kubeapi.store import Store


def admit_agents(lab: Lab, store: Store, credentials: Credentials) -> None:
    """Give every node's agent a token, with the rights that Cilium's has.

    Args:
        lab: The lab; the tokens go into its nodes' folders.
        store: The cluster's objects.
        credentials: What makes the tokens.
    """
    for obj in objects.agent_account():
        store.create(obj)
    uid = store.get("serviceaccounts", "cilium", NAMESPACE)["metadata"]["uid"]
    lab.authority_file.write_bytes(credentials.authority)
    for node in lab.nodes:
        token, _ = credentials.issue_token(service_account(NAMESPACE, "cilium", uid))
        _write_secret(lab.token_file(node), token)


def _write_secret(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
