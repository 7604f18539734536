"""What survives an agent's restart: node IDs and the peers it knew.

cilium-agent keeps the first in a pinned BPF map and the second in
``state/nodes.json``; a reboot of the node forgets both.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from runbooks.lab.agent.nodes import Node

STATE_DIR = Path("/run/cilium/state")


class Memory:
    """Node IDs by peer name, and the peers as they were last seen.

    Args:
        directory: Where it is kept.
    """

    def __init__(self, directory: Path = STATE_DIR) -> None:
        self._path = directory / "nodes.json"
        self.node_ids: dict[str, int] = {}
        self.peers: dict[str, Node] = {}
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self.node_ids = kept["node_ids"]
            self.peers = {n: Node.from_json(v) for n, v in kept["peers"].items()}

    def remember(self, peer: Node) -> int:
        """Keep a peer, and give its node ID, a new one for a new peer."""
        self.peers[peer.name] = peer
        if peer.name not in self.node_ids:
            taken = set(self.node_ids.values())
            while (node_id := secrets.randbelow(0xFFFF) + 1) in taken:
                continue
            self.node_ids[peer.name] = node_id
        self._save()
        return self.node_ids[peer.name]

    def forget(self, name: str) -> None:
        """Drop a peer and its node ID."""
        self.peers.pop(name, None)
        self.node_ids.pop(name, None)
        self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = {
            "node_ids": self.node_ids,
            "peers": {name: peer.to_json() for name, peer in self.peers.items()},
        }
        fresh = self._path.with_suffix(".tmp")
        fresh.write_text(json.dumps(kept))
        fresh.rename(self._path)
