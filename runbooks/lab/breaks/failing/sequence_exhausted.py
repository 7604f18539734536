"""Outbound states that have used up their 2^32 numbers.

Only states without extended sequence numbers have an end. The numbers are set, since
using them up takes months; the last ones are used up by packets.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

#: Numbers that are left when the break stands.
USUAL_LEFT = "0"
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
    for peer in peers_of(client, node):
        client.ask("traffic", action="burst", node=node, peer=peer.pod_ip, count=_SPENT)
    say(f"{node} sends, and has {left} numbers left towards each peer")


def _count(amount: str) -> int:
    if not amount.isdecimal() or int(amount) + _SPENT >= 1 << 32:
        raise LabError(f"{amount!r} is no number of packets below 2^32")
    return int(amount)
