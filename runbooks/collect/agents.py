"""One node, read through its agent's pod."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from runbooks.collect.agent_exec import AgentExec, Answer, ExecError, ExecRefusedError
from runbooks.collect.node_files import NodeFiles
from runbooks.collect.objects import Object, agent_facts, why_not_running
from runbooks.snapshot import AgentFacts, NodeSnapshot

#: Asks an agent's pod, given by its name.
Ask = Callable[[AgentExec, str], Answer]
#: Reads what a node, given by its name, has answered.
Read = Callable[[str, NodeFiles], NodeSnapshot]


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What an agent's pod answered.

    Attributes:
        node: The node's part of a snapshot.
        files: The files that it was read from.
        needs: The right that was missing to enter the pod, if one was.
        answered: Whether the pod gave an answer, however poor.
    """

    node: NodeSnapshot
    files: NodeFiles
    needs: str = ""
    answered: bool = False


def ask_node(
    run: AgentExec, name: str, pod: Object, ask: Ask, read: Read
) -> NodeAnswer:
    """Ask one node; what goes wrong is a sentence in its answer.

    Args:
        run: Enters pods.
        name: Name of the node.
        pod: Its agent's Pod.
        ask: Asks the pod.
        read: Reads the answer.
    """
    facts = agent_facts(pod)
    obstacle = why_not_running(pod)
    if obstacle is not None:
        return _unread(name, facts, f"{name}: not read, {obstacle}.")
    began_s = time.time()
    try:
        answer = ask(run, facts.pod or "")
    except ExecRefusedError as error:
        return _unread(name, facts, f"{name}: not read, {error}.", error.needs)
    except ExecError as error:
        return _unread(name, facts, f"{name}: not read, {error}.")
    node = read(name, answer.files)
    return NodeAnswer(
        replace(
            node,
            agent=replace(
                facts,
                version=node.agent.version or facts.version,
                keys_in_use=node.agent.keys_in_use,
                store_trouble=node.agent.store_trouble,
            ),
            read_s=began_s,
            unread=_reasons(name, node, answer),
        ),
        answer.files,
        answered=True,
    )


def _unread(name: str, facts: AgentFacts, why: str, needs: str = "") -> NodeAnswer:
    return NodeAnswer(NodeSnapshot(name, agent=facts, unread=(why,)), {}, needs)


def _reasons(name: str, node: NodeSnapshot, answer: Answer) -> tuple[str, ...]:
    failed = tuple(
        f"{name}: {kind} failed: {words}." for kind, words in answer.failures.items()
    )
    if not failed:
        return node.unread
    return tuple(s for s in node.unread if "is missing" not in s) + failed
