"""The entry of a node in the key-value store, with Cilium's Go field names."""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Below it stands ``<cluster>/<node>`` (pkg/node/store/store.go).
NODES_PREFIX = "cilium/state/nodes/v1/"


@dataclass(frozen=True, slots=True)
class Family:
    """A node's addresses of one IP family.

    Attributes:
        node_ip: Its InternalIP.
        cilium_ip: Its CiliumInternalIP.
        pod_cidr: Prefix of its pods.
    """

    node_ip: str
    cilium_ip: str
    pod_cidr: str

    @property
    def version(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.node_ip).version


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its agent announces it.

    Attributes:
        name: Name of the node.
        cluster: Name of its cluster.
        node_ip: Its InternalIP.
        cilium_ip: Its CiliumInternalIP.
        pod_cidr: IPv4 prefix of its pods.
        spi: Announced key ID; 0 for none.
        boot_id: Its kernel's boot ID.
        ipv6: Its addresses of IPv6, where the cluster has both families.
    """

    name: str
    cluster: str
    node_ip: str
    cilium_ip: str
    pod_cidr: str
    spi: int
    boot_id: str
    ipv6: Family | None = None

    @property
    def families(self) -> tuple[Family, ...]:
        """Its addresses of IPv4, then those of IPv6, if any."""
        ipv4 = Family(self.node_ip, self.cilium_ip, self.pod_cidr)
        return (ipv4,) if self.ipv6 is None else (ipv4, self.ipv6)

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Types and addresses, as an agent announces them."""
        families = self.families
        return [
            *(("InternalIP", family.node_ip) for family in families),
            *(("CiliumInternalIP", family.cilium_ip) for family in families),
        ]

    @property
    def key(self) -> str:
        """The entry's key in the store."""
        return f"{NODES_PREFIX}{self.cluster}/{self.name}"

    def to_json(self) -> str:
        """The entry's value."""
        entry: dict[str, Any] = {
            "Name": self.name,
            "Cluster": self.cluster,
            "IPAddresses": [{"Type": kind, "IP": ip} for kind, ip in self.addresses],
            "IPv4AllocCIDR": _to_go(self.pod_cidr),
            "IPv4SecondaryAllocCIDRs": None,
            "IPv6AllocCIDR": _to_go(self.ipv6.pod_cidr) if self.ipv6 else None,
            "IPv6SecondaryAllocCIDRs": None,
            "IPv4HealthIP": "",
            "IPv6HealthIP": "",
            "IPv4IngressIP": "",
            "IPv6IngressIP": "",
            "ClusterID": 0,
            "Source": "local",
            "EncryptionKey": self.spi,
            "Labels": {},
            "Annotations": {},
            "NodeIdentity": 1,
            "WireguardPubKey": "",
            "BootID": self.boot_id,
        }
        return json.dumps(entry, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Node:
        """Read an entry's value.

        Raises:
            ValueError: It is not a node's entry.
            KeyError: A field is missing.
        """
        entry = json.loads(text)
        cidrs = (entry["IPv4AllocCIDR"], entry["IPv6AllocCIDR"])
        families = by_version(
            ((a["Type"], a["IP"]) for a in entry["IPAddresses"]),
            (_from_go(cidr) for cidr in cidrs if cidr),
        )
        return cls(
            name=entry["Name"],
            cluster=entry["Cluster"],
            node_ip=families[4].node_ip,
            cilium_ip=families[4].cilium_ip,
            pod_cidr=families[4].pod_cidr,
            spi=entry["EncryptionKey"],
            boot_id=entry["BootID"],
            ipv6=families.get(6),
        )


def by_version(
    addresses: Iterable[tuple[str, str]], pod_cidrs: Iterable[str]
) -> Mapping[int, Family]:
    """Sort what a node announces into IP families.

    Args:
        addresses: Types and addresses; the first of a type and family counts.
        pod_cidrs: Prefixes of its pods.

    Returns:
        By 4 or 6, the families of which everything is there.
    """
    found: dict[tuple[str, int], str] = {}
    for kind, ip in addresses:
        found.setdefault((kind, ipaddress.ip_address(ip).version), ip)
    for cidr in pod_cidrs:
        found.setdefault(("podCIDR", ipaddress.ip_network(cidr).version), cidr)
    wanted = ("InternalIP", "CiliumInternalIP", "podCIDR")
    return {
        version: Family(*(found[kind, version] for kind in wanted))
        for version in (4, 6)
        if all((kind, version) in found for kind in wanted)
    }


def _to_go(cidr: str) -> dict[str, str]:
    """A prefix as Go's ``net.IPNet`` becomes JSON."""
    network = ipaddress.ip_network(cidr)
    mask = base64.b64encode(network.netmask.packed).decode()
    return {"IP": str(network.network_address), "Mask": mask}


def _from_go(cidr: dict[str, str]) -> str:
    mask = int.from_bytes(base64.b64decode(cidr["Mask"]))
    return f"{cidr['IP']}/{mask.bit_count()}"
