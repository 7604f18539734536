"""The entry of a node in the key-value store, with Cilium's Go field names."""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

#: Below it stands ``<cluster>/<node>`` (pkg/node/store/store.go).
NODES_PREFIX = "cilium/state/nodes/v1/"


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
    """

    name: str
    cluster: str
    node_ip: str
    cilium_ip: str
    pod_cidr: str
    spi: int
    boot_id: str

    @property
    def key(self) -> str:
        """The entry's key in the store."""
        return f"{NODES_PREFIX}{self.cluster}/{self.name}"

    def to_json(self) -> str:
        """The entry's value."""
        network = ipaddress.ip_network(self.pod_cidr)
        mask = base64.b64encode(network.netmask.packed).decode()
        entry: dict[str, Any] = {
            "Name": self.name,
            "Cluster": self.cluster,
            "IPAddresses": [
                {"Type": "InternalIP", "IP": self.node_ip},
                {"Type": "CiliumInternalIP", "IP": self.cilium_ip},
            ],
            "IPv4AllocCIDR": {"IP": str(network.network_address), "Mask": mask},
            "IPv4SecondaryAllocCIDRs": None,
            "IPv6AllocCIDR": None,
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
        addresses = {a["Type"]: a["IP"] for a in entry["IPAddresses"]}
        cidr = entry["IPv4AllocCIDR"]
        mask = ipaddress.ip_address(base64.b64decode(cidr["Mask"]))
        return cls(
            name=entry["Name"],
            cluster=entry["Cluster"],
            node_ip=addresses["InternalIP"],
            cilium_ip=addresses["CiliumInternalIP"],
            pod_cidr=str(ipaddress.ip_network(f"{cidr['IP']}/{mask}")),
            spi=entry["EncryptionKey"],
            boot_id=entry["BootID"],
        )
