"""Packets that overtake others: their numbers arrive out of order.

That is what a replay window is for. A packet comes late by as many packets as
overtake it, and those are never more than wait in netem's queue: fewer than the
window of 1024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.wire import restore, worsen

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

_QUEUE_PACKETS = 1000


def make(situation: Situation) -> None:
    """Delay most of what a node sends, and let the rest overtake it.

    Raises:
        LabError: The node's wire is bad already.
    """
    worsen(situation, _QUEUE_PACKETS, "delay", "10ms", "reorder", "25%")
    situation.say(f"a quarter of what {situation.node} sends overtakes the rest")


undo = restore
