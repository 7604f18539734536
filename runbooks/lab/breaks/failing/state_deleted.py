"""One inbound state that somebody deletes by hand, as old advice had it.

The agent's background sync makes it anew, and that ends it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.clock import wait_for_room
from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.plan import LabError
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient
    from runbooks.xfrm.model import XfrmState

#: Share of the time between two syncs for which the state stays away at least.
_MOST = 0.6


def make(situation: Situation) -> None:
    """Delete the state that decrypts what the first peer's pod sends.

    Raises:
        LabError: There is no such state, or it could not be deleted.
    """
    client, node, say = situation.client, situation.node, situation.say
    peer = peers_of(client, node)[0]
    interval_s = client.lab.timings.sync_interval_s
    wait_for_room(client, node, interval_s, _MOST * interval_s)
    state = _inbound(client, node, client.lab.esp_address(peer))
    assert state.mark is not None
    result = client.run(
        node,
        [
            *("ip", "xfrm", "state", "delete"),
            *("src", state.source, "dst", state.destination),
            *("proto", "esp", "spi", hex(state.spi)),
            *("mark", hex(state.mark.value), "mask", hex(state.mark.mask)),
        ],
    )
    if result.status:
        raise LabError(f"{node}: can't delete the state: {result.stderr.strip()}")
    say(f"{node}'s inbound state for what comes from {peer.name} is deleted")


def undo(situation: Situation) -> None:
    """Wait until the agent has made the state again, or have it do so at a start.

    An agent that is slow to start loses its lease, where it has one, and its peers
    their states: that would be another break.

    Raises:
        LabError: The state did not come back.
    """
    client, node = situation.client, situation.node
    if client.lab.mode == "crd":
        client.ask("agent", node=node, action="stop", signal="TERM")
        client.ask("agent", node=node, action="start")
    limit_s = 2 * client.lab.timings.sync_interval_s
    for peer in peers_of(client, node):
        wait_until(
            partial(_complete, client, node, peer.name),
            f"{node} did not make its states for {peer.name} again",
            limit_s,
        )
    situation.say(f"the agent of {node} has made the state again")


def _complete(client: LabClient, node: str, peer: str) -> bool:
    """Whether a node has all of its states for a peer, of one SPI at least."""
    count, plan = client.lab.states_per_peer, client.lab.node(peer)
    addresses = {ip for _, ip in client.lab.addresses(plan)}
    of_peer = [
        s for s in read_states(client, node) if addresses & {s.source, s.destination}
    ]
    return bool(of_peer) and len(of_peer) % count == 0


def _inbound(client: LabClient, node: str, source: str) -> XfrmState:
    """The newest inbound state of a node for what an address sends."""
    states = read_states(client, node)
    inbound = [s for s in states if s.source == source and s.direction is Direction.IN]
    if not inbound:
        raise LabError(f"{node} has no inbound state for what {source} sends")
    return max(inbound, key=lambda state: (state.added_s or 0, state.spi))
