"""What a check is to say of each break: codes, pairs, causes, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.breaks import BREAKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import RunningLab


@dataclass(frozen=True)
class Said:
    """What a check said, as far as it calls for somebody.

    Attributes:
        status: Exit status.
        alarms: Code, source, destination, cause and node of each finding of
            severity warning or critical.
    """

    status: int
    alarms: frozenset[tuple[str | None, ...]]

    @property
    def codes(self) -> set[str | None]:
        """Their codes."""
        return {alarm[0] for alarm in self.alarms}

    def pairs(self, code: str) -> set[tuple[str | None, ...]]:
        """Source and destination of the findings of a code."""
        return {alarm[1:3] for alarm in self.alarms if alarm[0] == code}

    def causes(self, code: str) -> set[str | None]:
        """Causes of the findings of a code."""
        return {alarm[3] for alarm in self.alarms if alarm[0] == code}

    def nodes(self, code: str) -> set[str | None]:
        """Nodes of the findings of a code."""
        return {alarm[4] for alarm in self.alarms if alarm[0] == code}


def check(lab: RunningLab) -> Said:
    """Run a check as an operator does."""
    done = lab.command("ipsec-runbooks", "check", "--output", "json", check=False)
    findings = json.loads(done.stdout)["findings"]
    parts = ("code", "source", "destination", "cause", "node")
    return Said(
        done.returncode,
        frozenset(
            tuple(finding.get(part) for part in parts)
            for finding in findings
            if finding["severity"] in {"warning", "critical"}
        ),
    )


def is_right(
    said: Said,
    break_: str,
    node: str,
    peers: Sequence[str],
    lost: frozenset[tuple[str, str]],
) -> bool:
    """Whether a check named the right pairs and the right cause, and no others.

    Args:
        said: What it said.
        break_: The break that stood.
        node: The node that it was about.
        peers: The other nodes.
        lost: Pairs whose packets got lost, as the kernels count.
    """
    towards = {(peer, node) for peer in peers}
    away = {(node, peer) for peer in peers}
    if said.status != 1:
        return False
    if BREAKS[break_].kind == "stale":
        return (
            said.codes == {"stale-xfrm-state"}
            and said.pairs("stale-xfrm-state") == set(lost)
            and said.causes("stale-xfrm-state") == {break_}
        )
    match break_:
        case "key-changed-same-id":
            code, pairs = "key-mismatch", towards | away
        case "state-deleted":
            code, pairs = "missing-xfrm-state", set(lost)
        case "other-internal-ip":
            code, pairs = "missing-xfrm-state", away
        case "sequence-exhausted":
            code, pairs = "sequence-exhaustion", away
        case _:
            return _says_stalled(said, node, towards | away)
    return said.codes == {code} and said.pairs(code) == pairs


def _says_stalled(said: Said, node: str, pairs: set[tuple[str, str]]) -> bool:
    """The node is named, and every lost pair is explained by it."""
    named = said.nodes("rotation-stalled") | {
        name for pair in said.pairs("rotation-stalled") for name in pair
    }
    return (
        said.codes <= {"rotation-stalled", "missing-xfrm-state"}
        and node in named
        and said.pairs("missing-xfrm-state") <= pairs
    )
