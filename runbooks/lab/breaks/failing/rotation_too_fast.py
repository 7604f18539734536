"""A rotation that reclaims the old key before one node has the new one.

That node's kubelet is slower than ``ipsec-key-rotation-duration`` allows for. It
ends by itself when the key arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.failing.reclaimed import release_key, rotate_without
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

#: Seconds until the node has the key.
USUAL_DELAY_S = "600"


def make(situation: Situation) -> None:
    """Rotate, and let a node have the key long after the others.

    Raises:
        LabError: The amount is no number of seconds beyond the rotation's, or
            the others did not get to the end of the rotation in time.
    """
    delay_s = _seconds(situation.amount or USUAL_DELAY_S)
    duration_s = situation.client.lab.timings.rotation_duration_s
    if delay_s <= duration_s:
        raise LabError(
            f"a key that arrives within the {duration_s:g} s of "
            "ipsec-key-rotation-duration breaks nothing: give more seconds"
        )
    situation.say(f"{situation.node} gets its key {delay_s:g} s late")
    rotate_without(situation, delay_s)


def undo(situation: Situation) -> None:
    """Let the node have the key: it needs no other one.

    Raises:
        LabError: The node does not answer.
    """
    release_key(situation)


def _seconds(amount: str) -> float:
    try:
        return float(amount.removesuffix("s"))
    except ValueError:
        raise LabError(f"{amount!r} is no number of seconds") from None
