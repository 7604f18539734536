"""A CiliumNode that is deleted, and made again by its node's agent.

Peers delete their states at once and make fresh ones when the object is back;
the node's own states outlive both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import (
    GAP_PACKETS,
    raise_numbers,
    wait_until_forgotten,
    wait_until_fresh,
)
from runbooks.lab.breaks.objects import (
    delete_cilium_node,
    delete_node,
    label_node,
    remove_label,
    restart_agents,
)

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

__all__ = ["WAYS", "delete_cilium_node", "make", "undo"]

#: What makes the object again, the usual one first.
WAYS = ("restart", "label-node", "delete-node", "restart-all")


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
    if situation.how == "delete-node":
        delete_node(client.lab, node)
        say(f"Node {node} is deleted, and its CiliumNode with it")
    else:
        delete_cilium_node(client.lab, node)
        say(f"CiliumNode {node} is deleted")
    wait_until_forgotten(client, node, say, "its CiliumNode is gone")
    match situation.how:
        case "label-node":
            label_node(client.lab, node)
            say(f"Node {node} has another label, and its agent makes the CiliumNode")
        case "delete-node":
            client.ask("node", node=node, action="register")
            say(f"the kubelet of {node} has registered its Node again")
        case "restart-all":
            say("every agent is restarted, one after another")
            restart_agents(client.lab)
        case _:
            client.ask("agent", node=node, action="stop", signal="KILL")
            client.ask("agent", node=node, action="start")
            say(f"the agent of {node} has restarted")
    wait_until_fresh(client, node, say)


def undo(situation: Situation) -> None:
    """Take the label off, or bring a Node back that was not registered again.

    Raises:
        LabError: The API refused.
    """
    client, node = situation.client, situation.node
    if situation.how == "label-node":
        remove_label(client.lab, node)
    elif situation.how == "delete-node":
        client.ask("node", node=node, action="register")
