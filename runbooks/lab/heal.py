"""Takes breaks back, and rotates the key where nothing else heals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks import BREAKS, Situation, ledger
from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient


def heal(client: LabClient, say: Callable[[str], None] = lambda _line: None) -> int:
    """Undo what was broken, bring back what has ended, and rotate if need be.

    Where no break stands, the key is rotated: who heals a lab that nobody broke
    has seen something that the lab does not know of.

    Args:
        client: The lab.
        say: Told of each step, a line each.

    Returns:
        The SPI that every node is on.

    Raises:
        LabError: A node did not get there in time.
    """
    broken = ledger.standing(client.lab)
    client.ask("restore")
    for made in reversed(broken):
        BREAKS[made.name].undo(Situation(client, made.node, say, made.how, made.amount))
    spi: int | None = None
    if not broken or any(BREAKS[made.name].rotates for made in broken):
        spi = client.ask("rotate")
    healed = _wait_until_one_spi(client, spi)
    ledger.clear(client.lab)
    return healed


def _wait_until_one_spi(client: LabClient, spi: int | None) -> int:
    """Wait until every node has all of its states under one SPI."""
    client.reload()
    full = client.lab.states_per_peer * (len(client.lab.nodes) - 1)
    for node in client.lab.nodes:

        def settled(name: str = node.name) -> bool:
            nonlocal spi
            spis = [state.spi for state in read_states(client, name)]
            if spi is None and len(set(spis)) == 1:
                spi = spis[0]
            return spis == [spi] * full

        shown = "one SPI" if spi is None else f"SPI {spi}"
        wait_until(settled, f"{node.name} is not on {shown} alone")
    assert spi is not None
    return spi
