"""The agent's side of the Kubernetes API: its CiliumNode, and the others'."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.lab.agent.json_http import FAULTS, HttpError, JsonServer
from runbooks.lab.agent.log import log
from runbooks.lab.agent.nodes import Node, by_version
from runbooks.lab.agent.store import StoreMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runbooks.lab.agent.store import Hooks

MODULE = "agent.controlplane.node-discovery"
_API_VERSION = "cilium.io/v2"
_CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
_NODES = "/api/v1/nodes"
_MERGE_PATCH = "application/merge-patch+json"
_RETRY_S = 1.0
_GONE = 410
_NOT_FOUND = 404


class _HistoryLostError(Exception):
    """A watch asked for changes that the API no longer knows."""


class CiliumNodes:
    """One agent's connection to the Kubernetes API.

    Args:
        node: Name of the agent's node.
        url: Where the API listens.
        token_file: The service account's bearer token.
        ca_file: Certificate of the API's authority.
        hooks: What the agent is told.
    """

    def __init__(
        self, node: str, url: str, token_file: str, ca_file: str, hooks: Hooks
    ) -> None:
        self._node = node
        token = Path(token_file).read_text().strip()
        self._api = JsonServer(url, token=token, ca_file=ca_file)
        self._hooks = hooks
        self._turn = threading.Lock()
        self._known: set[str] = set()

    @property
    def source(self) -> str:
        """What ``cilium-dbg node list`` calls it."""
        return "custom-resource"

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What an API raises that can't be reached, or that refuses."""
        return FAULTS

    def status(self) -> dict[str, str]:
        """There is no key-value store."""
        return {"state": "Disabled"}

    def join(self) -> None:
        """Wait until the API answers."""
        while True:
            try:
                self._list(_NODES, name=self._node)
            except self.faults as error:
                log("Unable to reach the API", level="warn", module=MODULE, error=error)
                time.sleep(_RETRY_S)
            else:
                return

    def nodes(self) -> tuple[dict[str, Node], int]:
        """Every CiliumNode, and the API's resourceVersion."""
        items, version = self._list(_CILIUM_NODES)
        found = {n.name: n for n in map(self._read, items) if n is not None}
        self._known = set(found)
        return found, version

    def announce(self) -> None:
        """Make the node's CiliumNode, or bring it up to date."""
        own = self._hooks.own()
        with self._turn:
            path = f"{_CILIUM_NODES}/{self._node}"
            answer = self._api.ask("GET", path)
            if answer.status == _NOT_FOUND:
                self._create(own)
                return
            there, wanted = answer.accepted()["spec"], cilium_node_spec(own)
            if any(there.get(field) != value for field, value in wanted.items()):
                change = {"spec": wanted}
                patched = self._api.ask("PATCH", path, change, media_type=_MERGE_PATCH)
                patched.accepted()

    def rewrite(self) -> None:
        """Leave it: an agent that runs does not make a deleted object again."""

    def get(self, key: str, *, prefix: bool) -> list[tuple[str, str]]:
        """Refuse: there is no key-value store.

        Raises:
            StoreMissingError: Always, in the words of ``cilium-dbg``.
        """
        del key, prefix
        raise StoreMissingError(
            'Unable to setup kvstore: unknown key-value store type "". '
            "See cilium.link/err-kvstore for details"
        )

    def follow(self, revision: int) -> None:
        """Begin to tell of CiliumNodes and of the own Node object."""
        for target, version in (
            (self._watch_cilium_nodes, revision),
            (self._watch_own_node, None),
        ):
            threading.Thread(target=target, args=(version,), daemon=True).start()

    def _create(self, own: Node) -> None:
        node = self._api.ask("GET", f"{_NODES}/{self._node}").accepted()
        self._api.ask("POST", _CILIUM_NODES, cilium_node(own, node)).accepted()
        log("Successfully created CiliumNode resource", module=MODULE)

    def _watch_cilium_nodes(self, version: int | None) -> None:
        known = self._known

        def appeared(obj: dict[str, Any]) -> None:
            if (node := self._read(obj)) is not None:
                known.add(node.name)
                self._hooks.on_node(node)

        def went(name: str) -> None:
            known.discard(name)
            self._hooks.on_gone(name)

        def listed() -> int:
            items, listed_version = self._list(_CILIUM_NODES)
            for name in known - {item["metadata"]["name"] for item in items}:
                went(name)
            for item in items:
                appeared(item)
            return listed_version

        def changed(kind: str, obj: dict[str, Any]) -> None:
            if kind == "DELETED":
                went(obj["metadata"]["name"])
            else:
                appeared(obj)

        self._watch(_CILIUM_NODES, version, changed, listed)

    def _watch_own_node(self, version: int | None) -> None:
        seen = ""

        def listed() -> int:
            # What happened while nobody watched is told as well.
            items, listed_version = self._list(_NODES, name=self._node)
            for item in items:
                if seen:
                    changed("MODIFIED", item)
                else:
                    remember(item)
            return listed_version

        def remember(obj: dict[str, Any]) -> bool:
            nonlocal seen
            before, seen = seen, str(obj["metadata"]["resourceVersion"])
            return before != seen

        def changed(kind: str, obj: dict[str, Any]) -> None:
            if remember(obj) and kind != "DELETED":
                self._hooks.on_own_node()

        self._watch(_NODES, version, changed, listed, name=self._node)

    def _watch(
        self,
        path: str,
        version: int | None,
        changed: Callable[[str, dict[str, Any]], None],
        listed: Callable[[], int],
        name: str = "",
    ) -> None:
        """Follow a resource for ever; lists anew what a watch may have missed."""
        while True:
            try:
                if version is None:
                    version = listed()
                for event in self._events(path, version, name):
                    version = int(event["object"]["metadata"]["resourceVersion"])
                    changed(event["type"], event["object"])
            except _HistoryLostError:
                version = None
            except self.faults as error:
                log("Watch interrupted", level="warn", module=MODULE, error=error)
                time.sleep(_RETRY_S)

    def _events(self, path: str, version: int, name: str) -> Iterator[dict[str, Any]]:
        query = _query(name) | {"watch": "true", "resourceVersion": str(version)}
        try:
            for event in self._api.lines("GET", path, query=query):
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise HttpError(status.get("code", 0), status.get("message", ""))
                yield event
        except HttpError as error:
            if error.status == _GONE:
                raise _HistoryLostError from error
            raise

    def _list(self, path: str, *, name: str = "") -> tuple[list[dict[str, Any]], int]:
        with self._turn:
            content = self._api.ask("GET", path, query=_query(name)).accepted()
        return content["items"], int(content["metadata"]["resourceVersion"])

    def _read(self, obj: dict[str, Any]) -> Node | None:
        """A CiliumNode as a node; ``None`` while it lacks what a peer needs."""
        spec = obj.get("spec", {})
        families = by_version(
            ((a["type"], a["ip"]) for a in spec.get("addresses") or ()),
            spec.get("ipam", {}).get("podCIDRs") or (),
        )
        if 4 not in families:
            return None
        return Node(
            name=obj["metadata"]["name"],
            cluster=self._hooks.own().cluster,
            node_ip=families[4].node_ip,
            cilium_ip=families[4].cilium_ip,
            pod_cidr=families[4].pod_cidr,
            spi=spec.get("encryption", {}).get("key", 0),
            boot_id=spec.get("bootid", ""),
            ipv6=families.get(6),
        )


def cilium_node_spec(own: Node) -> dict[str, Any]:
    """What a CiliumNode says of its node."""
    return {
        "addresses": [{"type": kind, "ip": ip} for kind, ip in own.addresses],
        "bootid": own.boot_id,
        "encryption": {"key": own.spi},
        "health": {},
        "ingress": {},
        "ipam": {"podCIDRs": [f.pod_cidr for f in own.families], "pools": {}},
    }


def cilium_node(own: Node, owner: dict[str, Any]) -> dict[str, Any]:
    """A node's CiliumNode, which goes when its Node object does.

    Args:
        own: The node.
        owner: Its Node object.
    """
    meta = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "Node"}
    reference |= {field: meta[field] for field in ("name", "uid")}
    return {
        "apiVersion": _API_VERSION,
        "kind": "CiliumNode",
        "metadata": {
            "name": own.name,
            "labels": dict(meta.get("labels") or {}),
            "ownerReferences": [reference],
        },
        "spec": cilium_node_spec(own),
    }


def _query(name: str) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name={name}"} if name else {}
