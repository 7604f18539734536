"""A rotation that one node has no part in: its key file never changes.

It is what a key given by hand, or a Secret that is not mounted, comes to. Once
the others have reclaimed the old key, nothing passes between them and the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.failing.reclaimed import release_key, rotate_without

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Rotate without a node.

    Raises:
        LabError: The others did not get to the end of the rotation in time.
    """
    situation.say(f"the key file of {situation.node} no longer follows the Secret")
    rotate_without(situation, None)


def undo(situation: Situation) -> None:
    """Let the node have the key: it needs no other one.

    Raises:
        LabError: The node does not answer.
    """
    release_key(situation)
