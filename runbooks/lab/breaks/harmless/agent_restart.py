"""An agent that is killed and started again: the kernel's states stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Kill a node's agent and start it again.

    Raises:
        LabError: It did not become ready.
    """
    restart_agent(situation)
    situation.say(f"the agent of {situation.node} has restarted")


def restart_agent(situation: Situation) -> None:
    """Kill a node's agent and wait until the next one is ready.

    Raises:
        LabError: It did not become ready.
    """
    client, node = situation.client, situation.node
    client.ask("agent", node=node, action="stop", signal="KILL")
    client.ask("agent", node=node, action="start")
