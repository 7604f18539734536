"""What an agent is told when it starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.agent.nodes import Family

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Configuration of one agent, times in seconds.

    Attributes:
        node: Name of the node.
        cluster: Name of the cluster.
        node_ip: The node's own address.
        cilium_ip: Address of ``cilium_host``.
        pod_cidr: IPv4 prefix of its pods.
        native_device: Device that carries packets between nodes.
        pod_device: Host end of the pod's veth pair.
        mode: Where nodes learn of each other: ``kvstore`` or ``crd``.
        datapath: How packets travel between nodes: ``native`` or ``tunnel``.
        legacy_sa: Whether the agent is of a version that takes a key without
            ``+`` for all pairs, and knows no encrypted overlay.
        api_url: Where the Kubernetes API listens.
        api_token_file: The bearer token for it.
        api_ca_file: The certificate of its authority.
        etcd_host: Where etcd listens.
        etcd_port: Port of etcd.
        key_file: The IPsec key file.
        version: Version that the agent gives as its own.
        lease_ttl_s: ``kvstore-lease-ttl``.
        deletion_delay_s: How long a peer's deletion waits for it to come back.
        rotation_duration_s: ``ipsec-key-rotation-duration``.
        reclaim_interval_s: How often old SPIs are looked for.
        sync_interval_s: How often every peer's states are made sure of.
        rewrite_interval_s: How often the node's own entry is made sure of.
        node_ip6: As ``node_ip`` for IPv6; empty without it, as those that follow.
        cilium_ip6: As ``cilium_ip`` for IPv6.
        pod_cidr6: As ``pod_cidr`` for IPv6.
    """

    node: str
    cluster: str
    node_ip: str
    cilium_ip: str
    pod_cidr: str
    native_device: str
    pod_device: str
    mode: str
    datapath: str
    legacy_sa: bool
    api_url: str
    api_token_file: str
    api_ca_file: str
    etcd_host: str
    etcd_port: int
    key_file: str
    version: str
    lease_ttl_s: int
    deletion_delay_s: float
    rotation_duration_s: float
    reclaim_interval_s: float
    sync_interval_s: float
    rewrite_interval_s: float
    node_ip6: str = ""
    cilium_ip6: str = ""
    pod_cidr6: str = ""

    @property
    def overlay(self) -> bool:
        """Whether what is encrypted are the tunnel's own packets."""
        return self.datapath == "tunnel" and not self.legacy_sa

    @property
    def ipv6(self) -> Family | None:
        """The node's addresses of IPv6, if it has any."""
        if not self.node_ip6:
            return None
        return Family(self.node_ip6, self.cilium_ip6, self.pod_cidr6)

    @classmethod
    def read(cls, path: Path) -> AgentConfig:
        """Read the configuration that the lab wrote."""
        return cls(**json.loads(path.read_text()))
