"""States that were stale, and belong together again: the gap is used up.

A fresh side's packets are taken again once their number passes what the other side
has seen. What remains are ages that differ, and errors that were counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.breaks.stale import ciliumnode_recreated, kvstore_lease_expired
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

#: More than the replay window, so that both kinds of error are counted.
GAP_PACKETS = 3000
_BY_MODE = {"kvstore": kvstore_lease_expired, "crd": ciliumnode_recreated}


def make(situation: Situation) -> None:
    """Make a node's pairs stale by a small gap, and send until it is used up.

    Raises:
        LabError: A step did not come about in time.
    """
    _BY_MODE[situation.client.lab.mode].make(situation, GAP_PACKETS)
    undo(situation)


def undo(situation: Situation) -> None:
    """Use up the gaps that there are.

    Raises:
        LabError: A pair is still stale after that.
    """
    client, node, say = situation.client, situation.node, situation.say
    for peer in peers_of(client, node):
        if not (gap := _gap(situation, peer.name)):
            continue
        say(f"{peer.name} sends {gap} packets that {node} drops")

        def passed(peer: str = peer.name) -> bool:
            left = _gap(situation, peer)
            if left:
                _send(situation, peer, left + 1)
            return not left

        wait_until(passed, f"{node} still drops what {peer.name} sends")
        say(f"{node} takes what {peer.name} sends")
    client.ask("traffic", action="resume")


def _send(situation: Situation, peer: str, count: int) -> None:
    client = situation.client
    for target in client.lab.pod_ips(client.lab.node(situation.node)):
        client.ask("traffic", action="burst", node=peer, peer=target, count=count)


def _gap(situation: Situation, peer: str) -> int:
    """How far a peer's numbers are behind what the node has seen of it; 0 if not.

    The receiver is read first: what is on its way would look like a gap otherwise.
    """
    client, node = situation.client, situation.node
    seen = {
        (s.source, s.destination, s.spi): s.seq
        for s in read_states(client, node)
        if s.direction is Direction.IN
    }
    gaps = (
        seen.get((s.source, s.destination, s.spi), 0) - s.oseq
        for s in read_states(client, peer)
        if s.direction is Direction.OUT
    )
    return max([0, *gaps])
