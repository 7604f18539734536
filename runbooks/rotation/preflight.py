"""Reasons not to rotate, each naming the node or object and what to do.

Pure: facts in, sentences out. Stale pairs are no reason, since a rotation is
their cure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.rotation.coverage import Addresses, spis_in_use
from runbooks.rotation.known_bugs import bugs_to_refuse, bugs_to_tell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runbooks.rotation.objects import AgentPod, Rollout
    from runbooks.rotation.record import RotationRecord
    from runbooks.xfrm.model import XfrmState

WATCHER_OPTION = "enable-ipsec-key-watcher"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the decision to rotate rests on.

    Attributes:
        agents: The agents' pods.
        rollout: What their DaemonSet says.
        nodes: Nodes to their labels.
        config: ConfigMap ``cilium-config``.
        addresses: Addresses of every CiliumNode.
        states: XFRM states of every node that was read.
        versions: Agent version of every node.
        unread: Nodes that could not be read, with a sentence each.
        key_id: Key ID of the Secret.
        unfinished: A rotation of this project that isn't over.
        stores: What the agents say of their key-value store where it isn't well,
            by node.
        key_problems: What is wrong with the nodes' key files, a sentence each.
        key_bits: Length of the key that the next one will be like, in bits.
        holds: Begins the sentence that tells which key ID there is.
        restart_agents: Whether the agents may be restarted.
        accepted_bugs: Names of known bugs that the operator accepts.
    """

    agents: Sequence[AgentPod]
    rollout: Rollout
    nodes: Mapping[str, Mapping[str, str]]
    config: Mapping[str, str]
    addresses: Addresses
    states: Mapping[str, Sequence[XfrmState]]
    versions: Mapping[str, str]
    key_id: int
    unread: Mapping[str, str] = field(default_factory=dict)
    unfinished: RotationRecord | None = None
    stores: Mapping[str, str] = field(default_factory=dict)
    key_problems: Sequence[str] = ()
    key_bits: int | None = None
    holds: str = "The Secret holds"
    restart_agents: bool = False
    accepted_bugs: Collection[str] = ()


def reasons_to_refuse(facts: Facts) -> tuple[str, ...]:
    """Every reason not to start, or not to go on; empty means go ahead."""
    reasons = [
        *_configuration(facts.config, restart_agents=facts.restart_agents),
        *_agents(facts),
        *_stores(facts.stores),
        *_versions(facts),
        *(f"{node} could not be read: {why}" for node, why in facts.unread.items()),
        *facts.key_problems,
        *_key_length(facts),
    ]
    if not reasons:
        reasons += _spis(facts)
    return tuple(reasons)


def known_bugs(facts: Facts) -> Iterator[str]:
    """What to know of the agents' version that doesn't stop the rotation."""
    for version in sorted(set(facts.versions.values())):
        yield from bugs_to_tell(version, len(facts.nodes), facts.accepted_bugs)


def watches_key_file(config: Mapping[str, str]) -> bool:
    """Whether agents take up a changed key without a restart."""
    return config.get(WATCHER_OPTION, "true") == "true"


def _configuration(config: Mapping[str, str], *, restart_agents: bool) -> list[str]:
    if config.get("enable-ipsec", "false") != "true":
        return [
            "IPsec is off: ConfigMap cilium-config does not have enable-ipsec set"
            " to true. There is no key to rotate."
        ]
    if not watches_key_file(config) and not restart_agents:
        return [
            "The agents do not watch the key file: ConfigMap cilium-config has"
            f" {WATCHER_OPTION} set to false, so they need a restart to take up the"
            " new key. Set rotation_restart_agents: true, and the rotation restarts"
            " them node by node (this needs the rights of files/rbac-restart.yml);"
            " or set the option to true and restart the agents before a rotation."
        ]
    return []


def _agents(facts: Facts) -> list[str]:
    reasons = [
        f"The agent on {agent.node or 'no node yet'} is not ready: pod {agent.name} is"
        f" {agent.state}. Wait until it is ready, or repair it."
        for agent in facts.agents
        if not agent.ready
    ]
    if not facts.agents:
        return ["There is no agent: no pod is labeled k8s-app=cilium."]
    served = {agent.node for agent in facts.agents}
    wanted = {
        name
        for name, labels in facts.nodes.items()
        if all(labels.get(k) == v for k, v in facts.rollout.node_selector.items())
    }
    reasons += [
        f"No agent runs on {node}. Every node needs one to take up the new key."
        for node in sorted(wanted - served)
    ]
    short = facts.rollout.desired - len(facts.agents)
    if short > 0 and not wanted - served:
        reasons.append(
            f"DaemonSet cilium wants {facts.rollout.desired} agents, and"
            f" {len(facts.agents)} are there."
        )
    outdated = facts.rollout.desired - facts.rollout.updated
    if outdated > 0 or not facts.rollout.observed_current:
        reasons.append(
            "An upgrade is under way: DaemonSet cilium has not rolled out on"
            f" {max(outdated, 0) or 'some'} of {facts.rollout.desired} nodes."
            " Rotate when it has, or has been rolled back."
        )
    return reasons


def _key_length(facts: Facts) -> Iterator[str]:
    """Agents refuse a key of another length than the one that they have."""
    by_bits: dict[int, list[str]] = {}
    for node, states in sorted(facts.states.items()):
        for bits in {s.key_bits for s in states if s.direction and s.key_bits}:
            by_bits.setdefault(bits, []).append(node)
    for bits, nodes in by_bits.items():
        if facts.key_bits is None or bits == facts.key_bits:
            continue
        listed = ", ".join(nodes[:4]) + (", ..." if len(nodes) > 4 else "")
        yield (
            f"The length of the key is about to change. {facts.holds} a key of"
            f" {facts.key_bits} bits, and the nodes use {bits} bits ({listed}). Agents"
            " refuse a key of another length, and the next one would have it. Put a"
            f" key of {bits} bits there by hand, under an ID that no node uses, and"
            " wait until the nodes have taken it up."
        )


def _stores(stores: Mapping[str, str]) -> list[str]:
    return [
        f"The agent on {node} is cut off from its key-value store ({why}): its lease"
        " is about to expire, and its peers are about to forget the node. Repair"
        " the connection first."
        for node, why in sorted(stores.items())
    ]


def _versions(facts: Facts) -> list[str]:
    by_version: dict[str, list[str]] = {}
    for node, version in sorted(facts.versions.items()):
        by_version.setdefault(version, []).append(node)
    if len(by_version) < 2:
        return [
            reason
            for version in by_version
            for reason in bugs_to_refuse(version, len(facts.nodes), facts.accepted_bugs)
        ]
    listed = "; ".join(f"{v} on {', '.join(ns)}" for v, ns in by_version.items())
    return [
        f"The agents' versions differ: {listed}. Cilium's documentation rules out a"
        " rotation during an upgrade; bring all agents to one version first."
    ]


def _spis(facts: Facts) -> list[str]:
    used = {node: spis_in_use(states) for node, states in facts.states.items()}
    all_spis = frozenset().union(*used.values())
    if facts.unfinished is not None:
        return _strange_spis(all_spis, facts.unfinished)
    if len(all_spis) > 1:
        many = [node for node, spis in sorted(used.items()) if len(spis) > 1]
        listed = ", ".join(
            f"{node}: {'+'.join(map(str, sorted(spis)))}"
            for node, spis in sorted(used.items())
        )
        what = (
            "A rotation that this playbook did not start is under way"
            if many
            else "The nodes use different SPIs"
        )
        return [
            f"{what} ({listed}). Wait until every node is down to one SPI, which"
            " takes the rotation duration; if it stays so, look at the agents' logs"
            " for errors about the key."
        ]
    if not all_spis and len(facts.nodes) > 1:
        return ["No node has an XFRM state of Cilium: IPsec does not work at all here."]
    if all_spis and all_spis != {facts.key_id}:
        return [
            f"{facts.holds} key ID {facts.key_id}, but every node uses SPI"
            f" {next(iter(all_spis))}. Either the key was changed less than two"
            " minutes ago, or the agents refuse it: look at their logs."
        ]
    return []


def _strange_spis(spis: frozenset[int], record: RotationRecord) -> list[str]:
    strange = spis - {record.from_key_id, record.to_key_id}
    if not strange:
        return []
    return [
        f"Rotation {record.rotation_id} leads from key ID {record.from_key_id} to"
        f" {record.to_key_id}, but there are states under SPI"
        f" {', '.join(map(str, sorted(strange)))}. Wait until they are gone."
    ]
