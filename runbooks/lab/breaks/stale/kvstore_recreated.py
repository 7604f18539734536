"""A key-value store that is removed and made anew under running agents.

They keep their states and see no deletion. An agent that restarts before the
others have written their entries again finds those nodes missing, deletes its
states for them, and makes fresh ones when the entries are back. So every agent
has fresh states for those that restart later, and they keep theirs for it: the
last one is cut off from all.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.clock import until_next_s
from runbooks.lab.breaks.numbers import (
    has_states,
    peers_of,
    raise_numbers_from,
    wait_until_fresh,
)
from runbooks.lab.plan import LabError
from runbooks.lab.reading import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient

#: What the store takes to be made anew, and an agent to restart, in seconds; on a
#: slow machine, so many times that.
_STORE_S, _RESTART_S = 4.0, 5.0
_SLOWER = (1.0, 1.5, 2.0)


def make(situation: Situation) -> None:
    """Make states go stale: of all pairs with a node, and of others in order.

    Raises:
        LabError: A step did not come about in time.
    """
    client, node, say = situation.client, situation.node, situation.say
    peers = [peer.name for peer in peers_of(client, node)]
    for i, later in enumerate((*peers, node)):
        raise_numbers_from(client, (*peers, node)[:i], later, say)
    for times in _SLOWER:
        steps, spared = _recreate(client, (*peers, node), times)
        if not spared:
            break
    else:
        pairs = ", ".join(f"{kept} to {name}" for name, kept in spared)
        raise LabError(f"entries were back too early, from {pairs}: heal, try again")
    for step in steps:
        say(step)
    for i, name in enumerate((*peers, node)[1:], start=1):
        wait_until_fresh(client, name, say, peers[:i])


def _recreate(
    client: LabClient, order: Sequence[str], times: float
) -> tuple[list[str], list[tuple[str, str]]]:
    """Make the store anew and restart the agents, one after another.

    Args:
        client: The lab.
        order: The nodes as their agents restart.
        times: How much slower than usual the machine may be.

    Returns:
        What was done; and pairs of a node and one that it should have dropped, and
        did not, since that one's entry was back already.
    """
    *others, last = order
    _wait_for_quiet(client, order[1:], times)
    client.ask("etcd", action="recreate")
    steps = ["etcd is removed and made anew, and no node has an entry in it"]
    spared = []
    for i, name in enumerate(others, start=1):
        _restart_agent(client, name)
        gone = [other for other in order[i:] if _dropped(client, name, other)]
        spared += [(name, other) for other in order[i:] if other not in gone]
        steps.append(f"{name}'s agent has restarted, and dropped {', '.join(gone)}")
    # Whatever came of it, every agent has to: one that ran on would watch for
    # revisions that the new store reaches much later.
    _restart_agent(client, last)
    steps.append(f"{last}'s agent has restarted: all others are there, states stay")
    return steps, spared


def _restart_agent(client: LabClient, node: str) -> None:
    client.ask("agent", node=node, action="stop", signal="TERM")
    client.ask("agent", node=node, action="start")


def _dropped(client: LabClient, holder: str, gone: str) -> bool:
    """Whether a restarted agent has deleted its states for a node."""
    try:
        wait_until(partial(has_states, client, holder, gone, 0), "", limit_s=3)
    except LabError:
        return False
    return True


def _wait_for_quiet(client: LabClient, later: Sequence[str], times: float) -> None:
    """Wait for a moment after which entries stay away while they have to.

    Agents write their entries again from time to time. One that does so before
    the others have restarted spares its node.

    Args:
        client: The lab.
        later: All nodes but the first, in the order of their restarts.
        times: How much slower than usual the machine may be.
    """
    interval_s = client.lab.timings.rewrite_interval_s
    deadline = time.monotonic() + 2 * interval_s
    while time.monotonic() < deadline:
        due_s = [until_next_s(client, name, interval_s) for name in later]
        busy = [
            left_s
            for i, left_s in enumerate(due_s, start=1)
            if left_s < times * (_STORE_S + i * _RESTART_S)
        ]
        if not busy:
            return
        time.sleep(min(busy) + 1)
