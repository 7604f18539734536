"""Packets that get lost on the way: the receiver's number stays a little behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.wire import ROOMY_PACKETS, restore, worsen
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

USUAL = "5%"


def make(situation: Situation) -> None:
    """Lose a share of all that a node sends to the others.

    Raises:
        LabError: The amount is no share, or the node's wire is bad already.
    """
    percent = _percent(situation.amount or USUAL)
    worsen(situation, ROOMY_PACKETS, "loss", f"{percent:g}%")
    situation.say(f"{situation.node} loses {percent:g}% of what it sends")


def _percent(amount: str) -> float:
    """Read a share such as ``5%`` or ``0.5``.

    Raises:
        LabError: It is none.
    """
    try:
        percent = float(amount.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 < percent < 100:
        raise LabError(f"a loss is more than 0% and less than 100%, not {amount!r}")
    return percent


undo = restore
