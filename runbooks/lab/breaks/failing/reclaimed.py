"""A rotation that goes on without one node, up to its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.breaks.numbers import peers_of
from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation
    from runbooks.lab.client import LabClient

_LIMIT_S = 60.0


def rotate_without(situation: Situation, delay_s: float | None) -> None:
    """Rotate the key, which one node gets too late, until the others are done.

    Args:
        situation: What node it is about.
        delay_s: How late it gets the key; ``None``: never.

    Raises:
        LabError: The others did not get to the end of the rotation in time.
    """
    client, node, say = situation.client, situation.node, situation.say
    client.ask("secret", node=node, delay_s=delay_s)
    spi = client.ask("rotate")
    say(f"the key is rotated to SPI {spi}")
    limit_s = client.lab.timings.rotation_duration_s + _LIMIT_S
    for peer in peers_of(client, node):
        wait_until(
            partial(_is_on, client, peer.name, spi),
            f"{peer.name} did not reclaim its old key",
            limit_s,
        )
        say(f"{peer.name} is on SPI {spi} alone")


def release_key(situation: Situation) -> None:
    """Bring the key to the node at once, and as fast as usual from now on.

    Raises:
        LabError: The node does not answer.
    """
    situation.client.ask("secret", node=situation.node, delay_s=0)
    situation.say(f"the key file of {situation.node} follows the Secret again")


def _is_on(client: LabClient, node: str, spi: int) -> bool:
    """Whether a node's states are of one SPI alone."""
    return {state.spi for state in read_states(client, node)} == {spi}
