"""Packets in the air on every pair while states are read.

Two nodes are never read at the same moment: at a high rate, numbers of the one that
is read later run ahead by thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

USUAL = "100000"


def make(situation: Situation) -> None:
    """Have every pair send packets, thousands a second; returns while it does.

    Raises:
        LabError: The amount is no number of packets.
    """
    amount = situation.amount or USUAL
    if not amount.isdecimal() or not int(amount):
        raise LabError(f"a burst is a number of packets, not {amount!r}")
    situation.client.ask("traffic", action="flood", count=int(amount))
    situation.say(f"every pair sends {int(amount)} packets")


def undo(situation: Situation) -> None:
    """Send no more of them.

    Raises:
        LabError: A node does not answer.
    """
    situation.client.ask("traffic", action="flood", count=0)
