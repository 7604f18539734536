"""Which breaks stand in a lab, so that ``lab heal`` knows what to take back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.lab.plan import Lab


@dataclass(frozen=True, slots=True)
class Standing:
    """A break that was made.

    Attributes:
        name: Its name.
        node: The node that it is about.
        how: The way to it.
        amount: How much of it.
    """

    name: str
    node: str
    how: str = ""
    amount: str = ""


def standing(lab: Lab) -> list[Standing]:
    """The breaks that were made since the lab was last healed, first to last."""
    try:
        kept = json.loads(_path(lab).read_text())
    except FileNotFoundError:
        return []
    return [Standing(**entry) for entry in kept]


def note(lab: Lab, made: Standing) -> None:
    """Remember a break, before it is made: one that fails halfway counts."""
    _write(lab, [*standing(lab), made])


def clear(lab: Lab) -> None:
    """Forget all of them."""
    _path(lab).unlink(missing_ok=True)


def _write(lab: Lab, entries: list[Standing]) -> None:
    fresh = _path(lab).with_suffix(".new")
    fresh.write_text(json.dumps([asdict(entry) for entry in entries]))
    fresh.rename(_path(lab))


def _path(lab: Lab) -> Path:
    return lab.directory / "breaks.json"
