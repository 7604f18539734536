"""Outbound states that have used up their 2^32 numbers.

Only states without extended sequence numbers have an end. The numbers are set, since
using them up takes months; the last ones are used up by packets.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.plan import LabError
from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient

#: Numbers that are left when the break stands.
USUAL_LEFT = "0"
_LAST = (1 << 32) - 1
#: Numbers that packets use up before that.
_SPENT = 64


def make(situation: Situation) -> None:
    """Bring the outbound states of a node to their end, or close to it.

    Raises:
        LabError: The amount is no number, or the states have no end.
    """
    client, node, say = situation.client, situation.node, situation.say
    left = _count(situation.amount or USUAL_LEFT)
    module = ["-m", "runbooks.lab.guest.use_up", str(left + _SPENT)]
    result = client.run(node, [sys.executable, *module])
    if result.status:
        raise LabError(f"{node}: {result.stderr.strip()}")
    say(f"{result.stdout.strip()} outbound states of {node} are close to 2^32 packets")
    wait_until(
        lambda: _spend(client, node, left), f"{node} did not send its last packets"
    )
    say(f"{node} has sent, and has {left} numbers left towards each peer")


def _spend(client: LabClient, node: str, left: int) -> bool:
    """Have a node use numbers up; true when no more than some are left."""
    lab, spent = client.lab, True
    states = {s.destination: s for s in read_states(client, node)}
    for peer in peers_of(client, node):
        ends = (peer.cilium_ip, peer.cilium_ip6)
        for end, pod in zip(ends, lab.pod_ips(peer), strict=False):
            count = _LAST - left - states[end].oseq
            if count > 0:
                spent = False
                client.ask("traffic", action="burst", node=node, peer=pod, count=count)
    return spent


def _count(amount: str) -> int:
    if not amount.isdecimal() or int(amount) + _SPENT > _LAST:
        raise LabError(f"{amount!r} is no number of packets below 2^32")
    return int(amount)
