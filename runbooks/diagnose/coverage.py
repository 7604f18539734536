"""What was read of a cluster, and what a diagnosis therefore can't know."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import NodeReading
from runbooks.diagnose.sums import summed_up

if TYPE_CHECKING:
    from runbooks.diagnose.view import View
    from runbooks.snapshot import NodeSnapshot


def node_readings(view: View) -> tuple[NodeReading, ...]:
    """Every node that should have been read, and whether it was."""
    names = {*view.nodes, *view.samples.first.cluster.cilium_nodes}
    read = view.read | summed_up(view)
    return tuple(
        NodeReading(name, read=name in read)
        for name in (*sorted(names), *sorted(unnamed_peers(view)))
    )


def unread_sentences(view: View) -> tuple[str, ...]:
    """What could not be read, a sentence each."""
    first, second = view.samples.first, view.samples.second
    sentences: list[str] = list(first.cluster.unread)
    answered = view.read | summed_up(view)
    for name in sorted({*first.nodes, *first.cluster.cilium_nodes}):
        node = first.nodes.get(name)
        if node is not None:
            sentences.extend(node.unread)
        if name not in answered and (node is None or not node.unread):
            sentences.append(f"{name}: its XFRM states were not read.")
    if second is not None:
        for node in second.nodes.values():
            if node.name in answered:
                sentences.extend(f"{text} (second sample)" for text in node.unread)
    for name, where in sorted(unnamed_peers(view).items()):
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        sentences.append(
            f"{name}: {', '.join(sorted(where)[:3])}{more} encrypt for this address,"
            " but no node that was read has it."
        )
    if view.read and not _encrypts(view):
        sentences.append(
            "No node has an XFRM state of Cilium: is IPsec enabled"
            " (enable-ipsec in cilium-config)?"
        )
    return tuple(dict.fromkeys(sentences))


def everything_needed(view: View) -> bool:
    """Whether the states of every node were read, and there are any."""
    return (
        bool(view.read or summed_up(view))
        and all(reading.read for reading in node_readings(view))
        and _encrypts(view)
    )


def unnamed_peers(view: View) -> dict[str, set[str]]:
    """Peers that only show in states: an address of each, and who knows it.

    With CiliumNodes at hand such addresses are other clusters' or left-overs;
    without them they are nodes of which nothing was read.
    """
    if view.samples.first.cluster.cilium_nodes:
        return {}
    groups: dict[tuple[str, int], set[str]] = defaultdict(set)
    for stray in view.strays:
        groups[stray.node, stray.node_id].add(stray.address)
    peers: dict[str, set[str]] = defaultdict(set)
    for (node, _), addresses in groups.items():
        peers[min(addresses, key=_address_order)].add(node)
    return dict(peers)


@cache
def _address_order(address: str) -> tuple[int, int]:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return (0, 0)
    return (ip.version, int(ip))


def _encrypts(view: View) -> bool:
    """Whether the cluster is known to use IPsec; a lone node has no states."""
    return view.samples.first.cluster.config.get("enable-ipsec") == "true" or any(
        _has_states(view.nodes[node]) for node in view.read
    )


def _has_states(node: NodeSnapshot) -> bool:
    if node.compact is not None:
        return len(node.compact) > 0
    return any(state.direction is not None for state in node.states or ())
