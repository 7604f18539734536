"""Nodes on which the kernel drops IPsec packets right now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.node_states import (
    cilium_states,
    cilium_states_after,
    ends_of,
)
from runbooks.diagnose.settling import RENEWAL_S, age_s
from runbooks.xfrm.stat import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View

#: Rises with every deleted pod or busy moment of a healthy node.
HARMLESS = frozenset(
    {"XfrmFwdHdrError", "XfrmInError", "XfrmInStateInvalid", "XfrmAcquireError"}
)
#: Moments of these belong to a rotation.
EXPECTED_IN_ROTATION = frozenset({"XfrmInNoStates", "XfrmOutNoStates"})
#: And of these to states that are made anew, after a reboot for example.
EXPECTED_WHEN_RENEWED = EXPECTED_IN_ROTATION | {
    "XfrmOutPolBlock",
    "XfrmInStateProtoError",
    "XfrmOutBundleGenError",
}


def rises(view: View, node: str) -> dict[str, int]:
    """By how much each of a node's counters rose between the samples."""
    second = view.samples.second
    if second is None or node not in second.nodes:
        return {}
    before, after = view.nodes[node].counters, second.nodes[node].counters
    if before is None or after is None:
        return {}
    return {
        name: after[name] - value
        for name, value in before.items()
        if after.get(name, value) > value
    }


def rising_errors(view: View) -> Iterable[Finding]:
    """Find nodes whose error counters rise; totals since boot say nothing."""
    for node in view.nodes:
        rising = rises(view, node)
        if not rising:
            continue
        expected = HARMLESS | (EXPECTED_IN_ROTATION if len(view.spis) > 1 else set())
        if not set(rising) <= expected and _renewed(view, node):
            expected |= EXPECTED_WHEN_RENEWED
        harmless = set(rising) <= expected
        named = ", ".join(
            f"{name} by {count}"
            + (f" ({COUNTERS[name].meaning})" if name in COUNTERS else "")
            for name, count in sorted(rising.items())
        )
        yield Finding(
            code=Code.XFRM_ERRORS_RISING,
            severity=Severity.INFO if harmless else Severity.WARNING,
            summary=f"XFRM errors rise on {node}: {named}.",
            node=node,
            evidence={"deltas": rising},
            runbook=str(Code.XFRM_ERRORS_RISING),
            audit=harmless,
        )


def _renewed(view: View, node: str) -> bool:
    """Whether some state of a node came, went or was made anew a moment ago."""
    after = cilium_states_after(view, node)
    before = {(ends_of(s), s.added_s) for s in cilium_states(view, node)}
    if after is not None and before != {(ends_of(s), s.added_s) for s in after}:
        return True
    ages = (age_s(view, node, state) for state in cilium_states(view, node))
    return any(age is not None and age < RENEWAL_S for age in ages)
