"""A CiliumNode that is deleted, and made again by its node's restarted agent.

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
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.plan import Lab


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
    delete_cilium_node(client.lab, node)
    say(f"CiliumNode {node} is deleted")
    wait_until_forgotten(client, node, say, "its CiliumNode is gone")
    client.ask("agent", node=node, action="stop", signal="KILL")
    client.ask("agent", node=node, action="start")
    say(f"the agent of {node} has restarted")
    wait_until_fresh(client, node, say)


def delete_cilium_node(lab: Lab, node: str) -> None:
    """Delete it as a person would: through the cluster's API.

    Raises:
        LabError: The API refused.
    """
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException

    with config.new_client_from_config(str(lab.kubeconfig)) as connection:
        api = client.CustomObjectsApi(connection)
        try:
            api.delete_cluster_custom_object("cilium.io", "v2", "ciliumnodes", node)
        except ApiException as error:
            raise LabError(f"can't delete CiliumNode {node}: {error.reason}") from error
