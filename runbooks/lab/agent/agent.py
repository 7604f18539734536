"""The agent itself: one thread that owns the kernel's IPsec, fed by the others."""

from __future__ import annotations

import json
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

# The module itself: in a node's kernel, there is no time for the rest of pyroute2.
from pyroute2.iproute.linux import IPRoute

from runbooks.lab.agent.cilium_host import cilium_internal_ip
from runbooks.lab.agent.datapath import Datapath, sending_spi
from runbooks.lab.agent.ipsec import MODULE as IPSEC_MODULE
from runbooks.lab.agent.ipsec import Ipsec
from runbooks.lab.agent.log import log
from runbooks.lab.agent.memory import Memory
from runbooks.lab.agent.nodes import Node
from runbooks.lab.agent.shapes import Legacy, Peer, Present
from runbooks.lab.agent.store import Hooks, open_store
from runbooks.xfrm.keys import IpsecKey, KeyFormatError, parse_key
from runbooks.xfrm.netlink import XfrmSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.agent.config import AgentConfig

_NODE_MANAGER = "agent.controlplane.node-manager"
_KEY_FILE_POLL_S = 0.2


class Agent:
    """Keeps one node's XFRM states and policies.

    Args:
        config: What the lab configured.
        boot_id: The kernel's boot ID.
    """

    def __init__(
        self, config: AgentConfig, boot_id: str, *, watches_key: bool = True
    ) -> None:
        self.config = config
        self._watches_key = watches_key
        self.boot_id = boot_id
        self.memory = Memory()
        # Before the key: what changes after this look is seen by the next.
        self._key_stamp = _stamp(Path(config.key_file))
        self.key = self._load_key()
        # Old keys and when their time is up; a restarted agent counts anew.
        self._old_keys: dict[int, float] = {}
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._deletions: dict[str, threading.Timer] = {}
        ipr = IPRoute()
        self._cilium_ip = cilium_internal_ip(ipr) or config.cilium_ip
        self._datapath = Datapath(config, ipr)
        shape = Legacy() if config.legacy_sa else Present(overlay=config.overlay)
        self._ipsec = Ipsec(self.own(), XfrmSocket(), shape)
        hooks = Hooks(
            own=self.own,
            on_node=lambda node: self._work.put(lambda: self._node_appeared(node)),
            on_gone=lambda name: self._work.put(lambda: self._node_went(name)),
            on_own_node=lambda: self._work.put(self._announce),
        )
        self.store = open_store(config, hooks)

    def own(self) -> Node:
        """This node, as it announces itself now."""
        return Node(
            name=self.config.node,
            cluster=self.config.cluster,
            node_ip=self.config.node_ip,
            cilium_ip=self._cilium_ip,
            pod_cidr=self.config.pod_cidr,
            spi=self.key.key_id,
            boot_id=self.boot_id,
            ipv6=self.config.ipv6,
        )

    def run(self, ready: Callable[[], None]) -> None:
        """Run for ever.

        Args:
            ready: Called once the node has joined the others.
        """
        log("Local boot ID", module="agent.controlplane", bootID=self.boot_id)
        self._datapath.ensure_base()
        self._ipsec.ensure_base_policies()
        # Seen on real agents: old SPIs found at the start get their full time.
        for spi in self._ipsec.old_spis(self.key.key_id):
            self._old_keys[spi] = time.monotonic() + self.config.rotation_duration_s
        self.store.join()
        nodes, revision = self.store.nodes()
        others = {n: v for n, v in nodes.items() if n != self.config.node}
        if stale := sorted(set(self.memory.peers) - set(others)):
            names = " ".join(f"{self.config.cluster}/{name}" for name in stale)
            log(f"Deleting stale nodes [{names}]", module=_NODE_MANAGER)
            for name in stale:
                self._delete_node(name)
        for node in others.values():
            self._node_appeared(node)
        # Peers may use this node's states as soon as they read of it.
        self._announce()
        self.store.follow(revision)
        if self._watches_key:
            self._in_background(self._follow_key_file)
        self._every(self.config.reclaim_interval_s, self._reclaim)
        self._every(self.config.sync_interval_s, self._sync)
        self._every(self.config.rewrite_interval_s, self._rewrite)
        ready()
        while True:
            self._work.get()()

    def _load_key(self) -> IpsecKey:
        log(
            "Loading IPsec keyfile",
            module=IPSEC_MODULE,
            **{"file-path": self.config.key_file, "subsys": "ipsec"},
        )
        return parse_key(Path(self.config.key_file).read_text())

    def _peer(self, node: Node) -> Peer:
        return Peer(node, self.memory.remember(node))

    def _node_appeared(self, node: Node) -> None:
        if node.name == self.config.node:
            return
        if timer := self._deletions.pop(node.name, None):
            timer.cancel()
            log(
                "Received delete event for key which re-appeared "
                "within delay time window",
                level="warn",
                module="agent.kvstore",
                name="store-cilium/state/nodes/v1",
                key=f"{node.cluster}/{node.name}",
                timeWindow=f"{self.config.deletion_delay_s:g}s",
            )
        known = self.memory.peers.get(node.name)
        if known != node:
            log(
                "Node updated",
                module=_NODE_MANAGER,
                clusterName=node.cluster,
                nodeName=node.name,
                spi=node.spi,
            )
        rebooted = known is not None and known.boot_id != node.boot_id
        self._ensure(self._peer(node), rebooted=rebooted)
        if known is None:
            self._tell()

    def _ensure(self, peer: Peer, *, rebooted: bool = False) -> None:
        self._ipsec.ensure_peer(peer, self.key, rebooted=rebooted)
        spi = sending_spi(self.key.key_id, peer.node.spi)
        self._datapath.ensure_peer(peer, spi)

    def _node_went(self, name: str) -> None:
        if name == self.config.node or name in self._deletions:
            return
        if not self.config.deletion_delay_s:
            self._delete_node(name)
            return
        timer = threading.Timer(
            self.config.deletion_delay_s,
            lambda: self._work.put(lambda: self._deletion_due(name)),
        )
        timer.daemon = True
        self._deletions[name] = timer
        timer.start()

    def _deletion_due(self, name: str) -> None:
        if self._deletions.pop(name, None):
            self._delete_node(name)

    def _delete_node(self, name: str) -> None:
        node = self.memory.peers.get(name)
        log(
            "Node deleted",
            module=_NODE_MANAGER,
            clusterName=self.config.cluster,
            nodeName=name,
        )
        if node is not None:
            peer = self._peer(node)
            self._datapath.forget(peer)
            self._ipsec.forget_node_id(peer.node_id)
        # Last, so that an agent that dies halfway begins here again.
        self.memory.forget(name)
        self._tell()

    def _follow_key_file(self) -> None:
        path = Path(self.config.key_file)
        while True:
            time.sleep(_KEY_FILE_POLL_S)
            now = _stamp(path)
            # Between two volumes there is none; the next look finds the new one.
            if now is not None and now != self._key_stamp:
                self._key_stamp = now
                self._work.put(self._take_new_key)

    def _take_new_key(self) -> None:
        try:
            key = self._load_key()
            if key.key_id == self.key.key_id and key != self.key:
                raise KeyFormatError(
                    "changing IPSec keys requires incrementing the key id"
                )
            if _key_bytes(key) != _key_bytes(self.key):
                raise KeyFormatError("the length of the key may not change")
        except (OSError, KeyFormatError) as error:
            log(
                "Failed to load IPsec keyfile",
                level="error",
                module=IPSEC_MODULE,
                error=error,
            )
            return
        if key == self.key:
            return
        until = time.monotonic() + self.config.rotation_duration_s
        self._old_keys[self.key.key_id] = until
        self._old_keys.pop(key.key_id, None)
        self.key = key
        # States first, then the announcement: a peer that reads of the new SPI
        # sends with it at once (the order of agents since March 2026).
        for node in list(self.memory.peers.values()):
            peer = self._peer(node)
            self._ipsec.ensure_peer(peer, key, rebooted=False)
        log(
            "Node updated",
            module=_NODE_MANAGER,
            clusterName=self.config.cluster,
            nodeName=self.config.node,
            spi=key.key_id,
        )
        self._announce()
        self._sync()

    def _tell(self) -> None:
        """What the lab's side of the node writes into the CiliumNode object."""
        said = {
            "spi": self.key.key_id,
            "boot_id": self.boot_id,
            "addresses": self.own().addresses,
            "peers": sorted(self.memory.peers),
        }
        print(json.dumps(said), flush=True)

    def _reclaim(self) -> None:
        now = time.monotonic()
        keep = {spi for spi, until in self._old_keys.items() if until > now}
        if self._ipsec.old_spis(self.key.key_id) - keep:
            self._ipsec.reclaim(self.key.key_id, keep)
            self._old_keys = {s: u for s, u in self._old_keys.items() if s in keep}

    def _sync(self) -> None:
        for node in list(self.memory.peers.values()):
            self._ensure(self._peer(node))

    def _rewrite(self) -> None:
        try:
            self.store.rewrite()
        except self.store.faults:
            return  # the next rewrite looks again

    def _announce(self) -> None:
        self._tell()
        try:
            self.store.announce()
        except self.store.faults as error:
            log("Unable to announce", level="warn", module=_NODE_MANAGER, error=error)
            again = threading.Timer(1.0, lambda: self._work.put(self._announce))
            again.daemon = True
            again.start()

    def _in_background(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, daemon=True).start()

    def _every(self, interval_s: float, job: Callable[[], None]) -> None:
        def tick() -> None:
            due_s = time.monotonic()
            while True:
                due_s += interval_s
                time.sleep(max(0.0, due_s - time.monotonic()))
                self._work.put(job)

        self._in_background(tick)


def _key_bytes(key: IpsecKey) -> tuple[int, int]:
    return len(key.key), len(key.encryption_key)


def _stamp(path: Path) -> tuple[Path, int, int] | None:
    """What changes with a file's content: a volume's link, or the file itself."""
    try:
        target = path.resolve(strict=True)
        status = target.stat()
    except OSError:
        return None
    return target, status.st_ino, status.st_mtime_ns
