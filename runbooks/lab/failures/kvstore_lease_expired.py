"""An agent that is down for longer than its lease lives.

Its entry in the key-value store goes with the lease, its peers delete their
states for it, and make fresh ones when it is back; its own were never touched.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction, XfrmState

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient

#: Numbers that the fresh side has to send before the pair heals by itself: at
#: the lab's 20 packets a second, an hour and more.
GAP_PACKETS = 100_000


def make(client: LabClient, node: str, say: Callable[[str], None]) -> None:
    """Make the states between a node and its peers go stale.

    Args:
        client: The lab.
        node: The node whose agent goes down.
        say: Told of each step.

    Raises:
        LabError: A step did not come about in time.
    """
    lab = client.lab
    failing = lab.node(node)
    peers = [peer for peer in lab.nodes if peer.name != node]
    for peer in peers:
        say(f"{peer.name} sends {GAP_PACKETS} packets to {node}")
        client.ask(
            "traffic",
            action="burst",
            node=peer.name,
            peer=failing.pod_ip,
            count=GAP_PACKETS,
        )
    for peer in peers:
        wait_until(
            partial(_received, client, peer.cilium_ip, node),
            f"{node} did not receive what {peer.name} sent",
        )
    # One pair stays without traffic: stale as well, and no counter tells.
    client.ask("traffic", action="idle", node=peers[-1].name, peers=[node])
    say(f"the agent of {node} goes down")
    client.ask("agent", node=node, action="stop", signal="KILL")
    back_s = time.monotonic() + lab.timings.lease_ttl_s + 1
    for peer in peers:
        wait_until(
            partial(_has_states, client, peer.name, failing.cilium_ip, 0),
            f"{peer.name} did not delete its states for {node}",
        )
        say(f"{peer.name} has deleted its states for {node}: the lease has expired")
    # The lease was last renewed before the end: it runs out a little early. An
    # agent that is away for less than its time would leave that in doubt.
    time.sleep(max(0.0, back_s - time.monotonic()))
    client.ask("agent", node=node, action="start")
    say(f"the agent of {node} is back")
    for peer in peers:
        wait_until(
            partial(_has_states, client, peer.name, failing.cilium_ip, 2),
            f"{peer.name} did not make fresh states for {node}",
        )
    say(f"{', '.join(p.name for p in peers)} have made fresh states for {node}")


def _has_states(client: LabClient, node: str, address: str, count: int) -> bool:
    """Whether a node has that many states from or to an address."""
    return len(_states(client, node, address)) == count


def _received(client: LabClient, source: str, node: str) -> bool:
    """Whether a node has received most of what an address sent."""
    states = _states(client, node, source)
    inbound = [s.seq for s in states if s.direction is Direction.IN]
    return max(inbound, default=0) > GAP_PACKETS // 2


def _states(client: LabClient, node: str, address: str) -> list[XfrmState]:
    """A node's states from or to an address."""
    states = read_states(client, node)
    return [s for s in states if address in (s.source, s.destination)]
