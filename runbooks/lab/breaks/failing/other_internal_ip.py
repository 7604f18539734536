"""An agent that comes back with another CiliumInternalIP.

The kernel tells states apart by all but the source: the new outbound states, from
the new address, find the old ones in their place ("file exists", at every sync).
Those send from an address that the node no longer has, which it can't.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.plan import LabError
from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import NodePlan

_DEVICE = "cilium_host"
#: Distance between a node's planned address and the other one.
_AWAY = 100


def make(situation: Situation) -> None:
    """Give ``cilium_host`` another address, and restart the agent.

    Raises:
        LabError: A step did not come about in time.
    """
    client, say = situation.client, situation.say
    if client.lab.overlay:
        raise LabError(
            "with the encrypted overlay, pods' packets travel between node IPs and "
            "another CiliumInternalIP stops none; start another lab: "
            "ipsec-runbooks lab up --name native --datapath native"
        )
    plan = client.lab.node(situation.node)
    other = _other_ip(plan)
    _restart_with(client, plan, other, gone=plan.cilium_ip)
    say(f"{plan.name}'s agent has restarted, and found {other} on {_DEVICE}")
    for peer in peers_of(client, plan.name):
        wait_until(
            partial(_sends_to, client, peer.name, other),
            f"{peer.name} did not learn of {plan.name}'s other address",
        )
        say(f"{peer.name} sends to {other}, and knows {plan.cilium_ip} still")


def undo(situation: Situation) -> None:
    """Give the planned address back, and restart the agent.

    Raises:
        LabError: A step did not come about in time.
    """
    client = situation.client
    plan = client.lab.node(situation.node)
    _restart_with(client, plan, plan.cilium_ip, gone=_other_ip(plan))
    situation.say(f"{plan.name}'s agent is back at {plan.cilium_ip}")


def _restart_with(client: LabClient, plan: NodePlan, address: str, gone: str) -> None:
    script = (
        f"ip addr replace {address}/32 dev {_DEVICE} && "
        f"{{ ip addr del {gone}/32 dev {_DEVICE} 2>/dev/null || true; }}"
    )
    result = client.run(plan.name, ["sh", "-c", script])
    if result.status:
        raise LabError(f"{plan.name}: {_DEVICE} keeps its address: {result.stderr}")
    client.ask("agent", node=plan.name, action="stop", signal="TERM")
    client.ask("agent", node=plan.name, action="start")


def _other_ip(plan: NodePlan) -> str:
    """Another address of the node's pods, which no pod has."""
    return str(ipaddress.ip_address(plan.cilium_ip) + _AWAY)


def _sends_to(client: LabClient, node: str, address: str) -> bool:
    return any(s.destination == address for s in read_states(client, node))
