"""An agent that is down for longer than its lease lives.

Its entry in the key-value store goes with the lease, its peers delete their
states for it, and make fresh ones when it is back; its own were never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from runbooks.lab.client import LabClient
from runbooks.lab.plan import LabError
from runbooks.xfrm.model import Direction, XfrmState
from runbooks.xfrm.text import parse_states

#: Numbers that the fresh side has to send before the pair heals by itself: at
#: the lab's 20 packets a second, an hour and more.
GAP_PACKETS = 100_000
_LIMIT_S = 60.0


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
        _wait(
            lambda peer=peer: (
                _sequence(client, peer.cilium_ip, node) > GAP_PACKETS // 2
            ),
            f"{node} did not receive what {peer.name} sent",
        )
    idle = peers[-1]
    # One pair stays without traffic: stale as well, and no counter tells.
    client.ask("traffic", action="idle", node=idle.name, peers=[node])
    say(f"the agent of {node} goes down")
    client.ask("agent", node=node, action="stop", signal="KILL")
    for peer in peers:
        _wait(
            lambda peer=peer: not _states(client, peer.name, failing.cilium_ip),
            f"{peer.name} did not delete its states for {node}",
        )
        say(f"{peer.name} has deleted its states for {node}: the lease has expired")
    client.ask("agent", node=node, action="start")
    say(f"the agent of {node} is back")
    for peer in peers:
        _wait(
            lambda peer=peer: len(_states(client, peer.name, failing.cilium_ip)) == 2,
            f"{peer.name} did not make fresh states for {node}",
        )
    say(f"{', '.join(p.name for p in peers)} have made fresh states for {node}")


def _states(client: LabClient, node: str, address: str) -> list[XfrmState]:
    """A node's states from or to an address."""
    result = client.run(node, ["ip", "-s", "xfrm", "state"])
    if result.status:
        raise LabError(f"{node}: ip xfrm state failed: {result.stderr.strip()}")
    states = parse_states(result.stdout)
    return [s for s in states if address in (s.source, s.destination)]


def _sequence(client: LabClient, source: str, node: str) -> int:
    """The highest number that a node has received from an address."""
    inbound = [
        s
        for s in _states(client, node, source)
        if s.direction is Direction.IN and s.source == source
    ]
    return max((s.seq for s in inbound), default=0)


def _wait(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(complaint)
        time.sleep(0.2)
