"""A CiliumNode that is deleted and made again while no agent looks.

The object is a new one, with another uid; nobody has dropped a state for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.stale.ciliumnode_recreated import delete_cilium_node

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Stop all agents, delete a node's CiliumNode, and start them again.

    Raises:
        LabError: A step did not come about in time.
    """
    client, node, say = situation.client, situation.node, situation.say
    others = [other.name for other in client.lab.nodes if other.name != node]
    for name in (node, *others):
        client.ask("agent", node=name, action="stop", signal="KILL")
    say("no agent runs")
    delete_cilium_node(client.lab, node)
    say(f"CiliumNode {node} is deleted")
    # An agent that finds the object missing at its start would drop its states.
    for name in (node, *others):
        client.ask("agent", node=name, action="start")
        if name == node:
            say(f"the agent of {node} is back, and has made its CiliumNode again")
    say(f"the agents of {', '.join(others)} are back")
