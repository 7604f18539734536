"""A healthy rotation under way: every node holds states of two SPIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.pairs import spis
from runbooks.lab.reading import wait_until

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Rotate the key, and wait until every node holds the new SPI beside the old.

    Raises:
        LabError: A node did not get there in time.
    """
    rotate_key(situation)
    duration_s = situation.client.lab.timings.rotation_duration_s
    situation.say(f"the old one stays for {duration_s:g} s")


def rotate_key(situation: Situation) -> tuple[int, int]:
    """Rotate the key, and wait until every node holds both SPIs.

    Returns:
        The old SPI and the new one.

    Raises:
        LabError: A node did not get there in time.
    """
    client = situation.client
    old = max(set.intersection(*spis(client).values()))
    new: int = client.ask("rotate")

    def both() -> bool:
        return all({old, new} <= held for held in spis(client).values())

    wait_until(both, f"not every node holds SPI {old} and SPI {new}")
    situation.say(f"every node holds SPI {old} and SPI {new}")
    return old, new
