"""The cluster's objects, and what moves them: kubelets and controllers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

import yaml

from runbooks.lab.access import admit_agent
from runbooks.lab.channel import ChannelError
from runbooks.lab.daemonset import DaemonSetController
from runbooks.lab.kubeapi import objects
from runbooks.lab.kubeapi.credentials import Credentials
from runbooks.lab.kubeapi.server import serve
from runbooks.lab.kubeapi.status import (
    JsonObject,
    StatusError,
    bad_request,
    internal_error,
)
from runbooks.lab.kubeapi.store import Store
from runbooks.lab.plan import (
    API_PORT,
    GATEWAY,
    KEY_FILE,
    NAMESPACE,
    Lab,
    NodePlan,
)
from runbooks.xfrm.keys import IpsecKey, next_key, parse_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runbooks.lab.kubeapi.execution import ExecIO
    from runbooks.lab.kubeapi.streams import LogRequest
    from runbooks.lab.kubeapi.watch import Event
    from runbooks.lab.kubelet import Kubelet

_KEY_WATCHER = "enable-ipsec-key-watcher"
_ROTATION_DURATION = "ipsec-key-rotation-duration"
#: Size of an AES key of 16 bytes with its salt of 4 (RFC 4106).
_KEY_BYTES = 20
_FIRST_KEY_ID = 3
CONFLICT = 409


class Cluster:
    """What the Kubernetes API of one lab serves.

    Args:
        lab: The lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.store = Store()
        self._credentials = Credentials(("127.0.0.1", "localhost", GATEWAY))
        self._kubelets: dict[str, Kubelet] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._controller = DaemonSetController(self.store)
        self._syncs: set[asyncio.Task[None]] = set()

    def saved(self) -> JsonObject:
        """Everything that another supervisor needs to go on; for memory only."""
        version, stored = self.store.saved()
        return {
            "version": version,
            "objects": stored,
            "credentials": self._credentials.saved(),
            "kubelets": {n: kubelet.saved() for n, kubelet in self._kubelets.items()},
        }

    def resume(self, saved: JsonObject) -> None:
        """Go on where a supervisor was killed."""
        self.store.resume(saved["version"], saved["objects"])
        self._credentials.resume(saved["credentials"])

    async def serve(self, listener: socket.socket) -> int:
        """Serve the objects.

        In CRD mode the API is served on the nodes' own network as well.

        Returns:
            The port on 127.0.0.1.
        """
        loop = asyncio.get_running_loop()

        def hear(event: Event) -> None:
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        self.store.subscribe(hear)
        server = await serve(
            self.store,
            listener,
            self._credentials,
            self._exec,
            log_handler=self._log,
        )
        if self._lab.mode == "crd":
            await server.listen(socket.create_server((GATEWAY, API_PORT)))
        port: int = listener.getsockname()[1]
        return port

    def write_kubeconfig(self, port: int) -> None:
        """Write the administrator's credentials for the API on 127.0.0.1."""
        config = self._credentials.admin_kubeconfig(f"https://127.0.0.1:{port}")
        self._lab.kubeconfig.touch(mode=0o600)
        self._lab.kubeconfig.write_text(yaml.safe_dump(config))

    def adopt_node(self, node: NodePlan, kubelet: Kubelet) -> None:
        """Tell which kubelet serves a node that has its objects already."""
        self._kubelets[node.name] = kubelet
        self._controller.add_node(node, kubelet)

    def add_node(self, node: NodePlan, kubelet: Kubelet) -> None:
        """Tell which kubelet serves a node, and give the node its client pod."""
        self.adopt_node(node, kubelet)
        if self._lab.mode == "crd":
            admit_agent(self._lab, node, self.store, self._credentials)
        self.store.create(_client_pod(node, self._lab.pod_ips(node)))

    def remove_node(self, node: NodePlan) -> None:
        """Delete a node and its pods; its CiliumNode goes with it."""
        del self._kubelets[node.name]
        self._controller.remove_node(node)
        self.store.delete("pods", f"client-{node.name}", "default")
        with contextlib.suppress(StatusError):
            self.store.delete("nodes", node.name)

    async def run(self) -> None:
        """React to changes of objects for ever."""
        while True:
            event = await self._events.get()
            name = event.object["metadata"]["name"]
            if event.resource == "secrets" and name == "cilium-ipsec-keys":
                for kubelet in self._kubelets.values():
                    self.follow_secret(kubelet)
            else:
                self._controller.see(event)

    def agent_flags(self) -> list[str]:
        """Flags for an agent that starts now, from ConfigMap ``cilium-config``."""
        config = self.store.get("configmaps", "cilium-config", NAMESPACE)["data"]
        known = (_KEY_WATCHER, _ROTATION_DURATION)
        return [f"--{name}={config[name]}" for name in known if name in config]

    def rotate_key(self) -> int:
        """Put the next key into the Secret, as cilium-cli would.

        Returns:
            The new key ID.
        """
        secret = self.store.get("secrets", objects.IPSEC_SECRET, NAMESPACE)
        line = base64.b64decode(secret["data"]["keys"]).decode()
        key = next_key(parse_key(line))
        secret["data"] = objects.ipsec_secret(key.line())["data"]
        self.store.update(secret)
        return key.key_id

    def agent_changed(self, node: NodePlan, agent: dict[str, Any]) -> None:
        """Write what a node tells of its agent into Pod and DaemonSet.

        And into its CiliumNode, unless agents do that themselves.
        """
        self._controller.agent_changed(node, agent)
        announced = agent.get("announced")
        if announced and self._lab.mode == "kvstore":
            spec: JsonObject = {
                "encryption": {"key": announced["spi"]},
                "bootid": announced["boot_id"],
                "addresses": [
                    {"type": kind, "ip": ip} for kind, ip in announced["addresses"]
                ],
            }
            try:
                current = self.store.get("ciliumnodes.cilium.io", node.name)
                wanted = current["spec"] | spec
                if current["spec"] != wanted:
                    self.store.patch("ciliumnodes.cilium.io", node.name, {"spec": spec})
            except StatusError as error:
                if error.code != 404:
                    raise
                self._add_cilium_node(node, announced)

    def _add_cilium_node(self, node: NodePlan, announced: dict[str, Any]) -> None:
        self.store.create(
            objects.cilium_node(
                self.store.get("nodes", node.name),
                [(kind, ip) for kind, ip in announced["addresses"]],
                node.pod_cidr,
                announced["spi"],
                announced["boot_id"],
                *self._lab.pod_cidrs(node)[1:],
            )
        )

    def seed(self) -> None:
        """Make the objects of a new cluster."""
        create, lab = self.store.create, self._lab
        for namespace in ("default", NAMESPACE):
            create(objects.namespace(namespace))
        create(objects.cilium_node_definition())
        key = IpsecKey(
            key_id=_FIRST_KEY_ID,
            per_tunnel=not lab.legacy_sa,
            algorithm="rfc4106(gcm(aes))",
            key=secrets.token_bytes(_KEY_BYTES),
            icv_bits=128,
        )
        create(objects.ipsec_secret(key.line()))
        create(objects.config_map(_cilium_config(lab)))
        if lab.mode == "crd":
            for obj in objects.agent_account():
                create(obj)
        create(objects.daemon_set(lab.cilium_version, len(lab.nodes), ready=0))

    def register(self, node: NodePlan, boot_id: str, kernel: str) -> None:
        """Make a node's Node object, or tell of its reboot, as its kubelet does."""
        fresh = objects.node(
            *(node.name, node.ip, node.pod_cidr, boot_id, kernel),
            since=now(),
            ipv6=(node.ip6, node.pod_cidr6) if self._lab.ipv6 else None,
        )
        try:
            self.store.create(fresh)
        except StatusError as error:
            if error.code != CONFLICT:
                raise
            status = {"status": fresh["status"]}
            self.store.patch("nodes", node.name, status, subresource="status")

    def follow_secret(self, kubelet: Kubelet) -> None:
        """Have a node's key file follow the Secret, as late as it is to be."""
        task = asyncio.ensure_future(self._sync_later(kubelet))
        self._syncs.add(task)
        task.add_done_callback(self._syncs.discard)

    async def _sync_later(self, kubelet: Kubelet) -> None:
        turn, delay_s = kubelet.secret_turn, kubelet.secret_delay_s
        if delay_s is None:
            return
        # Kubelets look at their own times; no two nodes get a key together.
        spread_s = self._lab.timings.secret_sync_s
        await asyncio.sleep(delay_s + spread_s * (0.5 + secrets.randbelow(100) / 200))
        if kubelet.secret_turn != turn:
            return  # another delay counts by now
        try:
            await kubelet.sync_secret()
        except ChannelError:
            return  # the node is down; it mounts the Secret when it is back

    async def _exec(
        self,
        pod: JsonObject,
        container: str,
        argv: list[str],
        io: ExecIO,
        stdin: bool,
        tty: bool,
    ) -> int:
        kubelet = self._kubelets[pod["spec"]["nodeName"]]
        in_agent = container == "cilium-agent"
        if in_agent and not kubelet.agent["running"]:
            raise internal_error(
                f'unable to upgrade connection: container not found ("{container}")'
            )
        try:
            return await kubelet.execute(
                argv, io, pod=not in_agent, stdin=stdin, tty=tty
            )
        except ChannelError as error:
            raise internal_error(str(error)) from error

    async def _log(
        self, pod: JsonObject, container: str, wanted: LogRequest
    ) -> AsyncIterator[bytes]:
        kubelet = self._kubelets[pod["spec"]["nodeName"]]
        try:
            text = await kubelet.log(previous=wanted.previous)
        except ChannelError as error:
            raise bad_request(f"no log of {container}: {error}") from error
        lines = text.splitlines(keepends=True)
        if wanted.tail_lines is not None:
            lines = lines[max(0, len(lines) - wanted.tail_lines) :]
        yield "".join(lines).encode()


def now() -> str:
    """The time as objects carry it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _cilium_config(lab: Lab) -> dict[str, str]:
    """Cilium's settings, as far as they say what kind of cluster this is."""
    config = {
        "cluster-name": "default",
        "enable-ipsec": "true",
        "enable-ipv4": "true",
        "enable-ipv6": "true" if lab.ipv6 else "false",
        _KEY_WATCHER: "true",
        "identity-allocation-mode": lab.mode,
        "ipsec-key-file": KEY_FILE,
        _ROTATION_DURATION: f"{lab.timings.rotation_duration_s:g}s",
        "routing-mode": lab.datapath,
    }
    if lab.mode == "kvstore":
        config |= {
            "kvstore": "etcd",
            "kvstore-lease-ttl": f"{lab.timings.lease_ttl_s:g}s",
            "kvstore-opt": json.dumps({"etcd.config": "/var/lib/etcd-config"}),
        }
    if lab.datapath == "tunnel":
        config["tunnel-protocol"] = "vxlan"
    return config


def _client_pod(node: NodePlan, ips: list[str]) -> JsonObject:
    """The pod whose traffic is encrypted, one on each node."""
    began = now()
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"client-{node.name}",
            "namespace": "default",
            "labels": {"app": "client"},
        },
        "spec": {
            "nodeName": node.name,
            "containers": [{"name": "client", "image": "lab/client"}],
        },
        "status": {
            "phase": "Running",
            "podIP": ips[0],
            "podIPs": [{"ip": ip} for ip in ips],
            "hostIP": node.ip,
            "startTime": began,
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "client",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": began}},
                }
            ],
        },
    }
