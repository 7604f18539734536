"""Another node that joins: states that are younger than all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.running_traffic import start_anew
from runbooks.lab.breaks.numbers import wait_until_forgotten
from runbooks.lab.breaks.pairs import wait_until_joined

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Add a node behind the last one.

    Raises:
        LabError: The lab is full, or the node did not start.
    """
    client, say = situation.client, situation.say
    added: str = client.ask("node", action="add")
    client.reload()
    say(f"{added} has joined")
    wait_until_joined(client, added, say)
    start_anew(client, say)


def undo(situation: Situation) -> None:
    """Remove the last node.

    Raises:
        LabError: Its peers did not forget it.
    """
    client, say = situation.client, situation.say
    client.reload()
    added = client.lab.nodes[-1].name
    client.ask("node", node=added, action="remove")
    wait_until_forgotten(client, added, say, "it was removed")
    client.reload()
    start_anew(client, say)
