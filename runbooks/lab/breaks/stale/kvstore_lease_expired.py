"""An agent that is down for longer than its lease lives.

Its entry in the key-value store goes with the lease, its peers delete their
states for it, and make fresh ones when it is back; its own were never touched.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import (
    GAP_PACKETS,
    raise_numbers,
    wait_until_forgotten,
    wait_until_fresh,
)

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation, gap_packets: int = GAP_PACKETS) -> None:
    """Make the states between a node and its peers go stale.

    Args:
        situation: The lab and the node.
        gap_packets: How far fresh states are to fall behind.

    Raises:
        LabError: A step did not come about in time.
    """
    client, node, say = situation.client, situation.node, situation.say
    raise_numbers(client, node, say, gap_packets)
    say(f"the agent of {node} goes down")
    client.ask("agent", node=node, action="stop", signal="KILL")
    back_s = time.monotonic() + client.lab.timings.lease_ttl_s + 1
    wait_until_forgotten(client, node, say, "the lease has expired")
    # The lease was last renewed before the end: it runs out a little early. An
    # agent that is away for less than its time would leave that in doubt.
    time.sleep(max(0.0, back_s - time.monotonic()))
    client.ask("agent", node=node, action="start")
    say(f"the agent of {node} is back")
    wait_until_fresh(client, node, say)
