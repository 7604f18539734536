"""A rotation in which one node keeps the old SPI for longer than the others.

A restarted agent counts the time of an old SPI anew.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.agent_restart import restart_agent
from runbooks.lab.breaks.harmless.rotation import rotate_key
from runbooks.lab.breaks.pairs import spis
from runbooks.lab.plan import LabError
from runbooks.lab.reading import wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient

#: How much of the old SPI's time has passed when the agent restarts. Later, and the
#: old SPI might be gone before.
_LATE = 0.75


def make(situation: Situation) -> None:
    """Rotate the key, restart a node's agent, and wait for the others to be done.

    Raises:
        LabError: A step did not come about in time.
    """
    client, node, say = situation.client, situation.node, situation.say
    late_s = time.monotonic() + client.lab.timings.rotation_duration_s * _LATE
    old, new = rotate_key(situation)
    time.sleep(max(0.0, late_s - time.monotonic()))
    restart_agent(situation)
    say(f"the agent of {node} has restarted, and counts the time of SPI {old} anew")
    wait_until(
        partial(_others_are_done, client, node, new),
        f"the nodes other than {node} have not deleted their states of SPI {old}",
    )
    if old not in spis(client)[node]:
        raise LabError(f"{node} had deleted its states of SPI {old} already")
    say(f"{node} alone still holds SPI {old}")


def _others_are_done(client: LabClient, node: str, new: int) -> bool:
    held = spis(client)
    return all(held[other] == {new} for other in held if other != node)
