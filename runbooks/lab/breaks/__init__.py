"""Conditions that a lab can be made to have: stale, failing, or only looking like it.

Each is made the way it happens in production. Nothing here writes a state of
Cilium's, but for the two breaks whose very matter that is: a state deleted by hand,
and numbers that would take months to use up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks import ledger
from runbooks.lab.breaks.condition import Break, Kind, Situation
from runbooks.lab.breaks.failing import FAILING
from runbooks.lab.breaks.harmless import HARMLESS
from runbooks.lab.breaks.stale import STALE
from runbooks.lab.plan import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BREAKS", "Break", "Kind", "Situation", "break_for", "make"]

#: By the name that ``lab break`` takes.
BREAKS: Mapping[str, Break] = {**STALE, **FAILING, **HARMLESS}


def break_for(lab: Lab, name: str, *, how: str = "", amount: str = "") -> Break:
    """Find a break that can be made in a lab.

    Args:
        lab: The lab.
        name: The break's name.
        how: The way to it, as the user chose it.
        amount: How much of it, likewise.

    Raises:
        KeyError: There is no such break.
        LabError: Not in this lab, not this way, or not with an amount.
    """
    found = BREAKS[name]
    if lab.mode not in found.modes:
        (mode,) = found.modes
        raise LabError(
            f"{name} happens in {mode} mode only, and lab {lab.name!r} is in "
            f"{lab.mode} mode; start another one: "
            f"ipsec-runbooks lab up --name {mode} --mode {mode}"
        )
    if found.legacy and not lab.legacy_sa:
        raise LabError(
            f"{name} happens with states without extended sequence numbers only; "
            "start another lab: ipsec-runbooks lab up --name legacy --legacy-sa"
        )
    if how and how not in found.ways:
        ways = f"--how is {' or '.join(found.ways)}" if found.ways else "it has one way"
        raise LabError(f"{name} can't be made by {how!r}: {ways}")
    if amount and not found.amount:
        raise LabError(f"{name} takes no amount, and {amount!r} was given")
    return found


def make(name: str, situation: Situation) -> None:
    """Make a break, and remember that it stands.

    Raises:
        KeyError: There is no such break.
        LabError: It can't be made in this lab, or a step did not come about.
    """
    lab, how, amount = situation.client.lab, situation.how, situation.amount
    found = break_for(lab, name, how=how, amount=amount)
    lab.node(situation.node)
    ledger.note(lab, ledger.Standing(name, situation.node, how, amount))
    found.make(situation)
