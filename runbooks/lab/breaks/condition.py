"""What a break is, and what it gets to work with."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.plan import MODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient


class Kind(enum.StrEnum):
    """What a break does to the cluster."""

    STALE = "stale"
    FAILING = "failing"
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a break works with.

    Attributes:
        client: The running lab.
        node: Name of the node that it is about.
        say: Told of each step, a line each.
        how: The way to it, one of the break's ``ways``; empty if it has one only.
        amount: How much of it, as the user wrote it; empty for the usual.
    """

    client: LabClient
    node: str
    say: Callable[[str], None]
    how: str = ""
    amount: str = ""


def nothing_to_undo(_situation: Situation) -> None:
    """Leave the lab as it is: what heals the break heals all of it."""


@dataclass(frozen=True, slots=True)
class Break:
    """A condition that a lab can be made to have.

    Attributes:
        kind: What it does to the cluster.
        summary: What it is, in a line.
        sees: What it shows in the kernels' own numbers, in reStructuredText.
        page: The page that is about it, below ``docs/``, without its suffix.
        make: Makes it happen; returns when it stands.
        undo: Takes back what no rotation would: a held key, a bad wire.
        rotates: Whether only another key heals it.
        modes: Modes of a lab in which it happens.
        ways: What ``--how`` takes, the usual way first.
        legacy: Whether it happens with ``--legacy-sa`` only.
        amount: What the usual ``AMOUNT`` is; empty where there is none.
    """

    kind: Kind
    summary: str
    sees: str
    page: str
    make: Callable[[Situation], None]
    undo: Callable[[Situation], None] = nothing_to_undo
    rotates: bool = False
    modes: tuple[str, ...] = MODES
    ways: tuple[str, ...] = ()
    legacy: bool = False
    amount: str = ""
