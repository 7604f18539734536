"""A node that leaves the cluster for good: its peers delete their states for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.running_traffic import start_anew
from runbooks.lab.breaks.numbers import wait_until_forgotten
from runbooks.lab.breaks.pairs import wait_until_joined

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Remove a node, and wait until its peers have forgotten it.

    Raises:
        LabError: Too few nodes would be left, or a peer did not forget it.
    """
    client, node, say = situation.client, situation.node, situation.say
    client.ask("node", node=node, action="remove")
    say(f"{node} is gone")
    wait_until_forgotten(client, node, say, "it was removed")
    client.reload()
    start_anew(client, say)


def undo(situation: Situation) -> None:
    """Have a new node join under the name.

    Raises:
        LabError: It did not start.
    """
    client, node, say = situation.client, situation.node, situation.say
    client.reload()
    if node not in {there.name for there in client.lab.nodes}:
        client.ask("node", node=node, action="add")
        client.reload()
        say(f"{node} has joined again")
    wait_until_joined(client, node, say)
    start_anew(client, say)
