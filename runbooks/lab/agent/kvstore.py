"""The agent's side of etcd: its lease, its own entry, the others' entries."""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING, Any

from runbooks.lab.agent.json_http import FAULTS, JsonServer
from runbooks.lab.agent.log import log
from runbooks.lab.agent.nodes import NODES_PREFIX, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.lab.agent.store import Hooks

MODULE = "etcd"
_RETRY_S = 1.0


class Kvstore:
    """One agent's connection to etcd.

    Args:
        host: Where etcd listens.
        port: Its port.
        lease_ttl_s: Time to live of the agent's lease.
        hooks: What the agent is told.
    """

    def __init__(self, host: str, port: int, lease_ttl_s: int, hooks: Hooks) -> None:
        self._endpoint = f"http://{host}:{port}"
        self._etcd = JsonServer(self._endpoint)
        self._ttl_s = lease_ttl_s
        self._hooks = hooks
        self._lease_id = 0
        self._turn = threading.Lock()

    @property
    def source(self) -> str:
        """What ``cilium-dbg node list`` calls it."""
        return "kvstore"

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What its methods raise when it can't be reached."""
        return FAULTS

    def status(self) -> dict[str, str]:
        """The part ``kvstore`` of ``cilium-dbg status``."""
        connected = f"etcd: 1/1 connected, has-quorum=true: {self._endpoint}"
        return {"state": "Ok", "msg": connected}

    def join(self) -> None:
        """Take a lease and keep it."""
        self._acquire_lease()
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def follow(self, revision: int) -> None:
        """Begin to tell of changes after a revision; returns at once."""
        watch = threading.Thread(target=self._watch, args=(revision + 1,), daemon=True)
        watch.start()

    def _acquire_lease(self) -> None:
        """Take a new lease; waits for etcd as long as it takes."""
        while True:
            try:
                granted = self._ask("lease/grant", {"TTL": self._ttl_s})
            except FAULTS as error:
                log("Unable to reach etcd", level="warn", module=MODULE, error=error)
                time.sleep(_RETRY_S)
                continue
            self._lease_id = int(granted["ID"])
            log(
                "New lease successfully acquired",
                module=MODULE,
                endpoints=f"[{self._endpoint}]",
                leaseID=self._lease_id,
                ttl=f"{self._ttl_s}s",
            )
            return

    def announce(self) -> None:
        """Write the node's own entry under the agent's lease."""
        node = self._hooks.own()
        with self._turn:
            entry = {"key": _base64(node.key), "value": _base64(node.to_json())}
            self._ask("kv/put", entry | {"lease": str(self._lease_id)})

    def rewrite(self) -> None:
        """Write the node's own entry again if it is not there."""
        if not self.get(self._hooks.own().key, prefix=False):
            self.announce()

    def nodes(self) -> tuple[dict[str, Node], int]:
        """Every node's entry, and the store's revision."""
        answer = self._ask("kv/range", _prefix_range(NODES_PREFIX))
        entries = [Node.from_json(_text(kv["value"])) for kv in answer.get("kvs", [])]
        revision = int(answer["header"]["revision"])
        return {n.name: n for n in entries}, revision

    def get(self, key: str, *, prefix: bool) -> list[tuple[str, str]]:
        """Keys and values below a key, or of it alone."""
        request = _prefix_range(key) if prefix else {"key": _base64(key)}
        found = self._ask("kv/range", request).get("kvs", [])
        return [(_text(kv["key"]), _text(kv["value"])) for kv in found]

    def _ask(self, call: str, request: dict[str, Any]) -> Any:
        """Make a call of etcd's JSON gateway."""
        return self._etcd.ask("POST", f"/v3/{call}", request).accepted()

    def _keep_alive(self) -> None:
        """Renew the lease for ever; take a new one when it has expired."""
        pause_s = self._ttl_s / 3
        while True:
            time.sleep(pause_s)
            try:
                renewed = self._ask("lease/keepalive", {"ID": str(self._lease_id)})
            except FAULTS as error:
                log("Unable to renew lease", level="warn", module=MODULE, error=error)
                pause_s = _RETRY_S
                continue
            pause_s = self._ttl_s / 3
            # Of a lease that is gone, no time is left, and none is told.
            if int(renewed["result"].get("TTL", 0)) <= 0:
                log("Lease expired", level="warn", module=MODULE)
                # cilium-agent's entry comes back with its next rewrite.
                self._acquire_lease()

    def _watch(self, revision: int) -> None:
        """Follow the nodes' entries for ever, from a revision on."""
        while True:
            try:
                for event in self._events(revision):
                    entry = event["kv"]
                    revision = max(revision, int(entry["mod_revision"]) + 1)
                    if event.get("type") == "DELETE":
                        self._hooks.on_gone(_text(entry["key"]).rsplit("/", 1)[1])
                    else:
                        self._hooks.on_node(Node.from_json(_text(entry["value"])))
            except FAULTS as error:
                log("Watch interrupted", level="warn", module=MODULE, error=error)
            time.sleep(_RETRY_S)

    def _events(self, revision: int) -> Iterator[dict[str, Any]]:
        request = _prefix_range(NODES_PREFIX) | {"start_revision": str(revision)}
        for answer in self._etcd.lines(
            "POST", "/v3/watch", {"create_request": request}
        ):
            yield from answer.get("result", {}).get("events", [])


def _prefix_range(prefix: str) -> dict[str, str]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {"key": _base64(prefix), "range_end": _base64(end)}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
