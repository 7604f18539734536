"""The bare cure: another key in the Secret, then wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from runbooks.lab.client import LabClient


def heal(client: LabClient) -> int:
    """Rotate the key and wait until nothing of the old one is left.

    Args:
        client: The lab.

    Returns:
        The new SPI.

    Raises:
        LabError: A node did not get there in time.
    """
    spi: int = client.ask("rotate")
    full = client.lab.states_per_peer * (len(client.lab.nodes) - 1)
    for node in client.lab.nodes:

        def healed(name: str = node.name) -> bool:
            spis = [state.spi for state in read_states(client, name)]
            return spis == [spi] * full

        wait_until(healed, f"{node.name} is not on SPI {spi} alone")
    return spi
