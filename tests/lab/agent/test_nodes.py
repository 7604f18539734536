"""What a node says of itself is what its peers read."""

from __future__ import annotations

import json

from runbooks.lab.agent.crd import cilium_node_spec
from runbooks.lab.agent.nodes import Family, Node, by_version

IPV4 = Family("10.9.0.11", "10.20.1.5", "10.20.1.0/24")
IPV6 = Family("fd00:10:9::b", "fd00:10:20:1::49", "fd00:10:20:1::/64")


def node(ipv6=None):
    return Node(
        *("node1", "default", "10.9.0.11", "10.20.1.5", "10.20.1.0/24"),
        spi=3,
        boot_id="e8a78a10-91a6-4154-ab81-407749a76796",
        ipv6=ipv6,
    )


def test_an_entry_of_both_families_reads_back():
    assert Node.from_json(node(IPV6).to_json()) == node(IPV6)


def test_an_entry_of_ipv4_reads_back_without_ipv6():
    assert Node.from_json(node().to_json()) == node()
    assert json.loads(node().to_json())["IPv6AllocCIDR"] is None


def test_an_entry_names_the_addresses_and_prefix_of_ipv6_as_go_does():
    entry = json.loads(node(IPV6).to_json())
    assert entry["IPAddresses"] == [
        {"Type": "InternalIP", "IP": "10.9.0.11"},
        {"Type": "InternalIP", "IP": "fd00:10:9::b"},
        {"Type": "CiliumInternalIP", "IP": "10.20.1.5"},
        {"Type": "CiliumInternalIP", "IP": "fd00:10:20:1::49"},
    ]
    assert entry["IPv6AllocCIDR"] == {
        "IP": "fd00:10:20:1::",
        "Mask": "//////////8AAAAAAAAAAA==",
    }
    assert entry["IPv4AllocCIDR"] == {"IP": "10.20.1.0", "Mask": "////AA=="}


def test_a_cilium_node_names_both_families():
    spec = cilium_node_spec(node(IPV6))
    assert spec["ipam"]["podCIDRs"] == ["10.20.1.0/24", "fd00:10:20:1::/64"]
    announced = [(a["type"], a["ip"]) for a in spec["addresses"]]
    assert by_version(announced, spec["ipam"]["podCIDRs"]) == {4: IPV4, 6: IPV6}


def test_a_family_that_lacks_an_address_is_not_there():
    addresses = [a for a in node(IPV6).addresses if a[1] != IPV6.cilium_ip]
    assert by_version(addresses, [IPV4.pod_cidr, IPV6.pod_cidr]) == {4: IPV4}
