"""Restarting the agents, for clusters whose agents do not watch the key file.

A new pod mounts the Secret as it is now, so its agent starts with the new key.
One node after the other: where an agent does not come back, the rest keep
running under the old key, which everybody still has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbooks.rotation.coverage import spis_in_use
from runbooks.rotation.errors import NotFoundError, WaitLimitError
from runbooks.rotation.patch import require_key
from runbooks.rotation.spread import unread_nodes
from runbooks.rotation.waiting import Look, Pace, persist, wait_until

if TYPE_CHECKING:
    from runbooks.rotation.objects import AgentPod
    from runbooks.rotation.session import Session


def restart_agents(
    session: Session, key_id: int, limit_s: float, interval_s: float
) -> dict[str, Any]:
    """Restart the agents that have not loaded a key ID, node by node.

    Args:
        session: The run.
        key_id: The new key ID.
        limit_s: How long each agent may take, in seconds.
        interval_s: Time between two looks, in seconds.

    Returns:
        The nodes whose agents were restarted; at a limit, what was missing.

    Raises:
        RotationError: If the Secret no longer holds that key.
    """
    restarted: list[str] = []
    for node in nodes_without(session, key_id):
        session.between()
        require_key(session.cluster, key_id)
        agents = persist(session.cluster.agents, session.brief, what="the agents")
        before = [agent for agent in agents if agent.node == node]
        session.tell(f"restarting the agent of {node}")
        for agent in before:
            _delete(session, agent)
        try:
            _wait_for(session, node, before, key_id, Pace(limit_s, interval_s))
        except WaitLimitError as error:
            return {
                "failed": True,
                "changed": True,
                "restarted": restarted,
                "pending": list(error.pending),
                "msg": f"{error} The other agents were left alone, and traffic goes on"
                f" under the old key. Look at the log of the agent on {node}, and run"
                " the playbook again: it goes on from here with the same key.",
            }
        restarted.append(node)
    return {
        "failed": False,
        "changed": bool(restarted),
        "restarted": restarted,
        "pending": [],
    }


def nodes_without(session: Session, key_id: int) -> list[str]:
    """Nodes whose kernel has no state under a key ID, or was not read."""
    snapshot = persist(session.reader.states, session.brief, what="the nodes")
    return [
        node.name
        for node in snapshot.nodes.values()
        if key_id not in spis_in_use(node.states or ())
    ]


def _delete(session: Session, agent: AgentPod) -> None:
    def gone() -> None:
        try:
            session.cluster.delete_agent(agent.name)
        except NotFoundError:
            return  # an answer was lost, or somebody else did it

    persist(gone, session.brief, what=f"pod {agent.name} to be deleted")


def _wait_for(
    session: Session, node: str, before: list[AgentPod], key_id: int, pace: Pace
) -> None:
    old = {agent.name for agent in before}

    def look() -> Look[None]:
        agents = [a for a in session.cluster.agents() if a.node == node]
        new = [agent for agent in agents if agent.name not in old]
        if not new or any(agent.name in old for agent in agents):
            return Look(None, (f"{node} (a new pod)",))
        if not all(agent.ready for agent in new):
            return Look(None, (f"{node} (pod {new[0].name} is {new[0].state})",))
        snapshot = session.reader.states()
        if node in unread_nodes(snapshot) or node not in snapshot.nodes:
            return Look(None, (f"{node} (which could not be read)",))
        if key_id not in spis_in_use(snapshot.nodes[node].states or ()):
            return Look(None, (f"{node} (no state under SPI {key_id})",))
        return Look(None)

    wait_until(
        look,
        pace,
        what=f"the agent of {node} to be back with SPI {key_id}",
        tell=session.tell,
        between=session.between,
    )
