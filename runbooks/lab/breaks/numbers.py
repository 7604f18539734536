"""Sequence numbers of a node's states: raised, waited for, and forgotten.

Every way into stale states ends alike: peers drop their states for a node and
make fresh ones, and the node keeps its own with the numbers that it has seen.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction, XfrmState

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import NodePlan

#: Numbers that the fresh side has to send before the pair heals by itself: at
#: the lab's 20 packets a second, an hour and more.
GAP_PACKETS = 100_000


def peers_of(client: LabClient, node: str) -> list[NodePlan]:
    """The other nodes.

    Raises:
        LabError: There is no node of that name.
    """
    failing = client.lab.node(node)
    return [peer for peer in client.lab.nodes if peer != failing]


def raise_numbers(
    client: LabClient, node: str, say: Callable[[str], None], packets: int = GAP_PACKETS
) -> None:
    """Have every peer send so much that fresh states fall far behind.

    The last peer is then kept from sending: its pair will be stale as well, and
    no counter tells.

    Args:
        client: The lab.
        node: The node that is sent to.
        say: Told of each step.
        packets: How many each peer sends.

    Raises:
        LabError: The packets did not arrive in time.
    """
    failing, peers = client.lab.node(node), peers_of(client, node)
    for peer in peers:
        say(f"{peer.name} sends {packets} packets to {node}")
        client.ask(
            "traffic",
            action="burst",
            node=peer.name,
            peer=failing.pod_ip,
            count=packets,
        )
    for peer in peers:
        wait_until(
            partial(_received, client, client.lab.esp_address(peer), node, packets),
            f"{node} did not receive what {peer.name} sent",
        )
    client.ask("traffic", action="idle", node=peers[-1].name, peers=[node])


def wait_until_forgotten(
    client: LabClient, node: str, say: Callable[[str], None], why: str
) -> None:
    """Wait until every peer has deleted its states for a node.

    Raises:
        LabError: A peer did not in time.
    """
    for peer in peers_of(client, node):
        wait_until(
            partial(_has_states, client, peer.name, node, 0),
            f"{peer.name} did not delete its states for {node}",
        )
        say(f"{peer.name} has deleted its states for {node}: {why}")


def wait_until_fresh(client: LabClient, node: str, say: Callable[[str], None]) -> None:
    """Wait until every peer has made states for a node again.

    Raises:
        LabError: A peer did not in time.
    """
    peers = peers_of(client, node)
    for peer in peers:
        wait_until(
            partial(_has_states, client, peer.name, node, client.lab.states_per_peer),
            f"{peer.name} did not make fresh states for {node}",
        )
    say(f"{', '.join(p.name for p in peers)} have made fresh states for {node}")


def _has_states(client: LabClient, holder: str, node: str, count: int) -> bool:
    """Whether a node has that many states for another one."""
    addresses = {ip for _, ip in client.lab.addresses(client.lab.node(node))}
    return len(_states(client, holder, addresses)) == count


def _received(client: LabClient, source: str, node: str, packets: int) -> bool:
    """Whether a node has received most of what an address sent."""
    states = _states(client, node, {source})
    inbound = [s.seq for s in states if s.direction is Direction.IN]
    return max(inbound, default=0) > packets // 2


def _states(client: LabClient, node: str, addresses: set[str]) -> list[XfrmState]:
    """A node's states from or to any of the addresses."""
    states = read_states(client, node)
    return [s for s in states if addresses & {s.source, s.destination}]
