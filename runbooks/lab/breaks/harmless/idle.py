"""No traffic at all: no state's number moves, and nothing is wrong with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.pairs import wait_until_still

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Keep every node from sending, and wait until all has arrived.

    Raises:
        LabError: The numbers went on moving.
    """
    situation.client.ask("traffic", action="idle")
    wait_until_still(situation.client)
    situation.say("no state's number moves")


def undo(situation: Situation) -> None:
    """Let the traffic that runs go on.

    Raises:
        LabError: A node does not answer.
    """
    situation.client.ask("traffic", action="resume")
