"""Sequence numbers of a node's states: raised, waited for, and forgotten.

Every way into stale states ends alike: peers drop their states for a node and
make fresh ones, and the node keeps its own with the numbers that it has seen.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction, XfrmState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import Lab, NodePlan

#: Numbers that the fresh side has to send before the pair heals by itself: at
#: the lab's 20 packets a second, an hour and more.
GAP_PACKETS = 100_000
_BURSTS = 8
_BURST_LIMIT_S = 15.0


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
    peers = [peer.name for peer in peers_of(client, node)]
    raise_numbers_from(client, peers, node, say, packets)
    client.ask("traffic", action="idle", node=peers[-1], peers=[node])
    say(f"{peers[-1]} sends {node} no more, so that pair counts no error")


def raise_numbers_from(
    client: LabClient,
    sources: Sequence[str],
    node: str,
    say: Callable[[str], None],
    packets: int = GAP_PACKETS,
) -> None:
    """Have some nodes send so much that fresh states fall far behind.

    Raises:
        LabError: The packets did not arrive in time.
    """
    lab = client.lab
    for source in sources:
        say(f"{source} sends {packets} packets to {node}")
        plan = lab.node(source)
        ends = _carriers([lab.esp_address(plan), plan.cilium_ip6], lab)
        targets = _carriers(lab.pod_ips(lab.node(node)), lab)
        for end, target in zip(ends, targets, strict=True):
            _burst(client, source, target, packets)
            received = partial(_received, client, end, node, packets)
            for _ in range(_BURSTS):
                try:
                    wait_until(received, "", _BURST_LIMIT_S)
                    break
                except LabError:
                    # A burst is quicker than some machines: what they dropped
                    # is sent again.
                    _burst(client, source, target, packets)
            else:
                raise LabError(f"{node} did not receive what {source} sent")


def _burst(client: LabClient, source: str, target: str, packets: int) -> None:
    client.ask("traffic", action="burst", node=source, peer=target, count=packets)


def _carriers(addresses: list[str], lab: Lab) -> list[str]:
    """Of a family each, those for which other states carry the packets."""
    return addresses if lab.ipv6 and not lab.overlay else addresses[:1]


def wait_until_forgotten(
    client: LabClient, node: str, say: Callable[[str], None], why: str
) -> None:
    """Wait until every peer has deleted its states for a node.

    Raises:
        LabError: A peer did not in time.
    """
    for peer in peers_of(client, node):
        wait_until(
            partial(has_states, client, peer.name, node, 0),
            f"{peer.name} did not delete its states for {node}",
        )
        say(f"{peer.name} has deleted its states for {node}: {why}")


def wait_until_fresh(
    client: LabClient,
    node: str,
    say: Callable[[str], None],
    holders: Sequence[str] = (),
) -> None:
    """Wait until peers have made states for a node again.

    Args:
        client: The lab.
        node: The node.
        say: Told when they have.
        holders: The peers that had dropped theirs; all of them if none is named.

    Raises:
        LabError: A peer did not in time.
    """
    names = list(holders) or [peer.name for peer in peers_of(client, node)]
    for name in names:
        wait_until(
            partial(has_states, client, name, node, client.lab.states_per_peer),
            f"{name} did not make fresh states for {node}",
        )
    have = "has" if len(names) == 1 else "have"
    say(f"{', '.join(names)} {have} made fresh states for {node}")


def has_states(client: LabClient, holder: str, node: str, count: int) -> bool:
    """Whether a node has that many states for another one."""
    addresses = {ip for _, ip in client.lab.addresses(client.lab.node(node))}
    return len(_states(client, holder, addresses)) == count


def _received(client: LabClient, source: str, node: str, packets: int) -> bool:
    """Whether a node has received most of what an address sent."""
    states = _states(client, node, {source})
    # Without a replay window a state keeps no number of what it receives.
    inbound = [max(s.seq, s.packets) for s in states if s.direction is Direction.IN]
    return max(inbound, default=0) > packets // 2


def _states(client: LabClient, node: str, addresses: set[str]) -> list[XfrmState]:
    """A node's states from or to any of the addresses."""
    states = read_states(client, node)
    return [s for s in states if addresses & {s.source, s.destination}]
