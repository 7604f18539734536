"""The nodes' keys in the key-value store, as a document and as facts.

The document has the shape of etcd's own answer to a range request, with keys and
values in clear, and with what was asked of etcd about each key beside it::

    {"header": {"cluster_id": ..., "revision": 126},
     "kvs": [{"key": "cilium/state/nodes/v1/default/node1", "create_revision": 12,
              "mod_revision": 57, "lease": ..., "lease_ttl_s": 900,
              "lease_left_s": 871, "created_s": 1800000000.0,
              "value": {"EncryptionKey": 7}}]}

Read through an agent it has keys and values only: no revisions, no leases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbooks.snapshot import StoredNodeFacts, StoreFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODES_PREFIX = "cilium/state/nodes/v1/"

_AGENTS_LINE = re.compile(
    rf"^(?P<key>{re.escape(NODES_PREFIX)}\S+) => (?P<value>.*)$", re.MULTILINE
)
_ENCRYPTION_KEY = re.compile(r'"EncryptionKey":\s*(\d{1,3})\b')


def store_facts(document: Mapping[str, Any]) -> StoreFacts:
    """Sum up what a document says; what it doesn't say is ``None``."""
    header = document.get("header")
    header = header if isinstance(header, dict) else {}
    nodes = (_node(kv) for kv in _key_values(document))
    return StoreFacts(
        nodes={node.name: node for node in nodes if node is not None},
        cluster_id=str(header["cluster_id"]) if "cluster_id" in header else None,
        revision=_whole(header.get("revision")),
    )


def from_agent(text: str) -> dict[str, Any]:
    """Read ``cilium-dbg kvstore get --recursive cilium/state/nodes``.

    Args:
        text: What it printed: a line ``KEY => VALUE`` for each node.

    Returns:
        The document.
    """
    kvs = []
    for match in _AGENTS_LINE.finditer(text):
        key_id = _ENCRYPTION_KEY.search(match["value"])
        value = {"EncryptionKey": int(key_id[1])} if key_id else {}
        kvs.append({"key": match["key"], "value": value})
    return {"kvs": kvs}


def _key_values(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    kvs = document.get("kvs")
    for kv in kvs if isinstance(kvs, list) else ():
        if isinstance(kv, dict):
            yield kv


def _node(kv: Mapping[str, Any]) -> StoredNodeFacts | None:
    name = str(kv.get("key", "")).rpartition("/")[2]
    if not name:
        return None
    value = kv.get("value")
    return StoredNodeFacts(
        name=name,
        create_revision=_whole(kv.get("create_revision")),
        mod_revision=_whole(kv.get("mod_revision")),
        lease=_whole(kv.get("lease")),
        lease_ttl_s=_number(kv.get("lease_ttl_s")),
        lease_left_s=_number(kv.get("lease_left_s")),
        created_s=_number(kv.get("created_s")),
        encryption_key=_whole(value.get("EncryptionKey"))
        if isinstance(value, dict)
        else None,
    )


def _whole(value: object) -> int | None:
    """A number that etcd's JSON writes as text."""
    try:
        return int(str(value)) if value is not None else None
    except ValueError:
        return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
