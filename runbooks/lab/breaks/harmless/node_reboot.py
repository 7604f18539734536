"""A node that reboots: another boot ID, and so other keys for each of its pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.harmless.running_traffic import start_anew
from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.breaks.pairs import Shared, shared_states, wait_until_joined

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Pull a node's plug, boot it, and wait until its pairs have new states.

    Raises:
        LabError: It did not come back.
    """
    client, node, say = situation.client, situation.node, situation.say
    peers = peers_of(client, node)
    before: set[Shared] = set()
    if not client.lab.legacy_sa:  # one key for all does not change with a boot ID
        before = before.union(*(shared_states(client, node, p.name) for p in peers))
    client.ask("node", node=node, action="reboot")
    say(f"{node} has rebooted")
    wait_until_joined(client, node, say, before)
    start_anew(client, say)
