"""Nodes that agents know of, for archives without the cluster's objects.

A lone cilium-bugtool archive has no CiliumNodes, but the agent's own list of nodes:
with it, a finding names a node and not an address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbooks.collect.node_files import node_list
from runbooks.snapshot import CiliumNodeFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runbooks.collect.node_files import NodeFiles
    from runbooks.snapshot import NodeSnapshot


@dataclass
class _Addresses:
    internal: set[str] = field(default_factory=set)
    cilium_internal: set[str] = field(default_factory=set)


def listed_nodes(
    files: Iterable[NodeFiles], read: Iterable[NodeSnapshot]
) -> Mapping[str, CiliumNodeFacts]:
    """Find the nodes that states lead to in the agents' lists.

    An agent may remember a node that is gone; without a state nobody misses it.

    Args:
        files: Files of each node.
        read: The nodes that were read.

    Returns:
        Nodes by name.
    """
    used = {
        address
        for node in read
        for state in node.states or ()
        if state.direction is not None
        for address in (state.source, state.destination)
    }
    found: dict[str, _Addresses] = {}
    for entry in (entry for one in files for entry in node_list(one)):
        name = str(entry.get("name", "")).rpartition("/")[2]
        addresses = found.setdefault(name, _Addresses())
        for address, is_ciliums in _addresses(entry):
            kind = addresses.cilium_internal if is_ciliums else addresses.internal
            kind.add(address)
    return {
        name: CiliumNodeFacts(
            name,
            internal_ips=tuple(sorted(addresses.internal)),
            cilium_internal_ips=tuple(sorted(addresses.cilium_internal)),
        )
        for name, addresses in found.items()
        if name and used & (addresses.internal | addresses.cilium_internal)
    }


def _addresses(entry: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Addresses, and whether each is out of the node's own range of pods.

    The list does not tell their types (Cilium's pkg/node/types/node.go).
    """
    primary = entry.get("primary-address")
    families = list(primary.values()) if isinstance(primary, dict) else []
    families = [family for family in families if isinstance(family, dict)]
    ranges = [_network(family.get("alloc-range")) for family in families]
    secondary = entry.get("secondary-addresses")
    others = secondary if isinstance(secondary, list) else []
    for element in (*families, *others):
        address = _address(element.get("ip")) if isinstance(element, dict) else None
        if address is not None:
            yield str(address), any(r is not None and address in r for r in ranges)


def _address(text: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None


def _network(text: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return None
