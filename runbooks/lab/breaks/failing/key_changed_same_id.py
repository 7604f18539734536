"""A key that is replaced under its old ID.

Agents that run refuse it, and keep their states. A node that reboots comes up
with it, and its peers make states for it from the old one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.breaks.objects import change_key
from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient


def make(situation: Situation) -> None:
    """Change the key, and reboot a node.

    Raises:
        LabError: The node did not come back, or its peers did not see that.
    """
    client, node, say = situation.client, situation.node, situation.say
    old = _keys(client, node)
    key_id = change_key(client.lab)
    say(f"the Secret has another key under the old ID {key_id}")
    client.ask("node", node=node, action="reboot")
    say(f"{node} has rebooted, and made its states from that key")
    if client.lab.legacy_sa:
        return  # no boot ID is in their keys: the peers' states stay as they are
    for peer in peers_of(client, node):
        wait_until(
            partial(_without, client, peer.name, old),
            f"{peer.name} did not make other states for the rebooted {node}",
        )
        say(f"{peer.name} has made states for {node} from the old key")


def _keys(client: LabClient, node: str) -> set[str | None]:
    """Hashes of a node's keys."""
    return {state.key_hash for state in read_states(client, node)}


def _without(client: LabClient, peer: str, old: set[str | None]) -> bool:
    """Whether a peer has none of a node's keys from before its reboot."""
    return not _keys(client, peer) & old
