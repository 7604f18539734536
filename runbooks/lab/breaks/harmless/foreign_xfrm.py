"""States and policies that are not Cilium's, beside Cilium's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation


def make(situation: Situation) -> None:
    """Add them on a node.

    Raises:
        LabError: The node's kernel refused.
    """
    _run(situation, "add")
    situation.say(f"{situation.node} has states and policies of somebody else")


def undo(situation: Situation) -> None:
    """Delete them, and nothing else.

    Raises:
        LabError: The node's kernel refused.
    """
    _run(situation, "delete")


def _run(situation: Situation, action: str) -> None:
    # Made on the node, with keys that nobody is told: not in an argument, not here.
    script = f'exec "$LAB_PYTHON" -m runbooks.lab.guest.foreign {action}'
    done = situation.client.run(situation.node, ["sh", "-c", script])
    if done.status:
        raise LabError(f"{situation.node}: {done.stderr.strip().splitlines()[-1]}")
