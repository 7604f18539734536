"""The agent's side of etcd: its lease, its own entry, the others' entries."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import requests
from etcd3gw import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception
from etcd3gw.lease import Lease

from runbooks.lab.agent.log import log
from runbooks.lab.agent.nodes import NODES_PREFIX, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.lab.agent.store import Hooks

MODULE = "etcd"
#: What a store that can't be reached raises.
FAULTS = (Etcd3Exception, requests.RequestException, OSError)
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
        self._client = Etcd3Client(host=host, port=port, api_path="/v3/", timeout=5)
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
                lease = self._client.lease(ttl=self._ttl_s)
            except FAULTS as error:
                log("Unable to reach etcd", level="warn", module=MODULE, error=error)
                time.sleep(_RETRY_S)
                continue
            self._lease_id = lease.id
            log(
                "New lease successfully acquired",
                module=MODULE,
                endpoints=f"[{self._endpoint}]",
                leaseID=lease.id,
                ttl=f"{self._ttl_s}s",
            )
            return

    def announce(self) -> None:
        """Write the node's own entry under the agent's lease."""
        node = self._hooks.own()
        with self._turn:
            lease = Lease(self._lease_id, client=self._client)
            self._client.put(node.key, node.to_json(), lease=lease)

    def rewrite(self) -> None:
        """Write the node's own entry again if it is not there."""
        if not self._client.get(self._hooks.own().key):
            self.announce()

    def nodes(self) -> tuple[dict[str, Node], int]:
        """Every node's entry, and the store's revision."""
        answer = self._client.post(
            self._client.get_url("/kv/range"), json=_prefix_range(NODES_PREFIX)
        )
        entries = [
            Node.from_json(base64.b64decode(kv["value"]))
            for kv in answer.get("kvs", [])
        ]
        revision = int(answer["header"]["revision"])
        return {n.name: n for n in entries}, revision

    def get(self, key: str, *, prefix: bool) -> list[tuple[str, str]]:
        """Keys and values below a key, or of it alone."""
        if prefix:
            found = self._client.get_prefix(key)
        else:
            found = self._client.get(key, metadata=True)
        return [(meta["key"].decode(), value.decode()) for value, meta in found]

    def _keep_alive(self) -> None:
        """Renew the lease for ever; take a new one when it has expired."""
        while True:
            time.sleep(self._ttl_s / 3)
            try:
                left_s = Lease(self._lease_id, client=self._client).refresh()
            except FAULTS as error:
                log("Unable to renew lease", level="warn", module=MODULE, error=error)
                continue
            if left_s <= 0:
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
                        key = base64.b64decode(entry["key"]).decode()
                        self._hooks.on_gone(key.rsplit("/", 1)[1])
                    else:
                        value = base64.b64decode(entry["value"])
                        self._hooks.on_node(Node.from_json(value))
            except FAULTS as error:
                log("Watch interrupted", level="warn", module=MODULE, error=error)
            time.sleep(_RETRY_S)

    def _events(self, revision: int) -> Iterator[dict[str, Any]]:
        # etcd3gw's own watcher ends without a word when its connection does.
        request = _prefix_range(NODES_PREFIX) | {"start_revision": str(revision)}
        with self._client.session.post(
            self._client.get_url("/watch"),
            json={"create_request": request},
            stream=True,
        ) as response:
            for line in response.iter_lines():
                if line:
                    yield from json.loads(line).get("result", {}).get("events", [])


def _prefix_range(prefix: str) -> dict[str, str]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {
        "key": base64.b64encode(prefix.encode()).decode(),
        "range_end": base64.b64encode(end.encode()).decode(),
    }
