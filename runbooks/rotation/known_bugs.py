"""Versions of Cilium in which a rotation is known to go wrong.

Judged from the version alone, and only where it leaves no doubt. A fix may have
been brought to an older minor version, so a patch release is neither known to be
affected nor known to be fixed: that is said and stops nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Half the size of the clusters in which both bugs were reported.
LARGE_CLUSTER_NODES = 500
#: What was in development in May 2025: both fixes are from 2026.
LAST_KNOWN_AFFECTED = (1, 18)

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class KnownBug:
    """One bug of rotations.

    Attributes:
        name: How an operator accepts it.
        symptom: What happens, to go on after "a rotation may".
        advice: What to do about it.
        any_size: Whether it is worth telling in a small cluster.
    """

    name: str
    symptom: str
    advice: str
    any_size: bool

    @property
    def issue(self) -> str:
        """The report, as people cite it."""
        repository, _, number = self.name.rpartition("-")
        return f"cilium/{repository} #{number}"


KNOWN_BUGS = (
    KnownBug(
        name="cilium-44335",
        symptom=(
            "drop packets on loaded nodes for a moment (XfrmInNoStates), since agents"
            " announce the new key before their states are made"
        ),
        advice="Rotate in a quiet hour, or upgrade to a release with the fix.",
        any_size=True,
    ),
    KnownBug(
        name="cilium-42721",
        symptom=(
            "overload the API server, since all agents take up the new key in the"
            " same moment"
        ),
        advice=(
            "Upgrade to a release that spreads the agents over time, or see to it"
            " that the API server can take one update per node at once."
        ),
        any_size=False,
    ),
)


def known_affected(version: str) -> bool | None:
    """Whether a version has the bugs of the table.

    Args:
        version: As an agent, or the tag of its image, gives it.

    Returns:
        ``True`` for what was certainly released before the fixes; ``None`` where
        the version does not tell.
    """
    # A registry's port and a digest have no three numbers with dots.
    found = _VERSION.search(version)
    if found is None:
        return None
    minor = int(found[1]), int(found[2])
    first = int(found[3]) == 0
    if first and minor < LAST_KNOWN_AFFECTED:
        return True
    if first and minor == LAST_KNOWN_AFFECTED and found[4]:
        return True
    return None


def bugs_to_refuse(
    version: str, node_count: int, accepted: Collection[str]
) -> Iterator[str]:
    """Reasons not to rotate a large cluster of a version that is affected."""
    if not known_affected(version) or node_count < LARGE_CLUSTER_NODES:
        return
    for bug in KNOWN_BUGS:
        if bug.name not in accepted:
            yield (
                f"Agents {version} have a known bug ({bug.issue}): with {node_count}"
                f" nodes, a rotation may {bug.symptom}. {bug.advice} To rotate all the"
                f" same, name it: rotation_accept_known_bugs: [{bug.name}]."
            )


def bugs_to_tell(
    version: str, node_count: int, accepted: Collection[str]
) -> Iterator[str]:
    """What to know of bugs that don't stop the rotation."""
    affected = known_affected(version)
    large = node_count >= LARGE_CLUSTER_NODES
    for bug in KNOWN_BUGS:
        if bug.name in accepted or not (large or bug.any_size):
            continue
        if affected and not large:
            yield (
                f"Agents {version} have a known bug ({bug.issue}): a rotation may"
                f" {bug.symptom}. {bug.advice}"
            )
        elif affected is None:
            yield (
                f"Whether agents {version} have the fix of {bug.issue} is not known"
                f" here. Without it, a rotation may {bug.symptom}."
            )
