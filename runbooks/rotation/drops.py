"""Packets that were dropped while a rotation ran, and what explains them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from runbooks.diagnose.finding import Code
from runbooks.diagnose.rising_errors import EXPECTED_IN_ROTATION, HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runbooks.snapshot import Snapshot

#: Node, counter, packets.
Counters = dict[str, dict[str, int]]
#: Node, SPI, kind of error, packets; what is zero is left out.
StateErrors = dict[str, dict[str, dict[str, int]]]

_OF_BROKEN_PAIRS = frozenset({"XfrmInStateProtoError", "XfrmInStateSeqError"})


def counters(snapshot: Snapshot) -> Counters:
    """``/proc/net/xfrm_stat`` of every node that was read."""
    return {
        node.name: dict(node.counters)
        for node in snapshot.nodes.values()
        if node.counters is not None
    }


def risen(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> Counters:
    """By how much the counters of each node rose."""
    found: Counters = {}
    for node, now in after.items():
        was = before.get(node)
        if was is None:
            continue
        rise = {
            name: value - was.get(name, 0)
            for name, value in now.items()
            # A counter below its old value was reset by a reboot.
            if value > was.get(name, 0)
        }
        if rise:
            found[node] = rise
    return found


def state_errors(snapshot: Snapshot) -> StateErrors:
    """What Cilium's states count as failed and replayed, summed up by SPI."""
    found: StateErrors = {}
    for node in snapshot.nodes.values():
        for state in node.states or ():
            if state.direction is None:
                continue
            for kind, count in (
                ("failed", state.integrity_errors),
                ("replay", state.replay_errors),
            ):
                if count:
                    by_kind = found.setdefault(node.name, {})
                    of_spi = by_kind.setdefault(str(state.spi), {})
                    of_spi[kind] = of_spi.get(kind, 0) + count
    return found


def highest(*looks: Mapping[str, Mapping[str, Mapping[str, int]]]) -> StateErrors:
    """The highest number of each kind that was ever seen.

    States of the old SPI go with it, so their last numbers are from before that.
    """
    found: StateErrors = {}
    for look in looks:
        for node, by_spi in look.items():
            for spi, kinds in by_spi.items():
                seen = found.setdefault(node, {}).setdefault(spi, {})
                for kind, count in kinds.items():
                    seen[kind] = max(count, seen.get(kind, 0))
    return found


def state_errors_since(
    before: Mapping[str, Mapping[str, Mapping[str, int]]], after: StateErrors
) -> StateErrors:
    """By how much the states' errors rose."""
    found: StateErrors = {}
    for node, by_spi in after.items():
        for spi, kinds in by_spi.items():
            was = before.get(node, {}).get(spi, {})
            rise = {
                kind: count - was.get(kind, 0)
                for kind, count in kinds.items()
                if count > was.get(kind, 0)
            }
            if rise:
                found.setdefault(node, {})[spi] = rise
    return found


def explain(
    dropped: Mapping[str, Mapping[str, int]],
    findings_before: list[Mapping[str, Any]],
    refused: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None,
    key_id: int = 0,
) -> tuple[list[str], list[str]]:
    """Tell what a rotation explains from what it doesn't.

    Args:
        dropped: Counters that rose since the preflight, by node.
        findings_before: What the check found in the preflight, as in its JSON.
        refused: What the states refused since then, see :func:`state_errors`.
        key_id: The new key ID; what states of others refused was broken before.

    Returns:
        A sentence for each counter that is explained, and one for each counter
        and node that is not.
    """
    before = dict(_rose_before(findings_before))
    for node, by_spi in (refused or {}).items():
        if set(by_spi) - {str(key_id)}:
            before[node] = before.get(node, frozenset()) | _OF_BROKEN_PAIRS
    explained: dict[str, None] = {}
    unexplained: list[str] = []
    for node, rises in sorted(dropped.items()):
        for name, count in sorted(rises.items()):
            why = _why(name, before.get(node, frozenset()))
            if why:
                explained[f"{name}: {why}"] = None
            else:
                unexplained.append(
                    f"{name} rose by {count} on {node}, which a rotation does not"
                    f" explain: look at the log of the agent on {node}."
                )
    return list(explained), unexplained


def _why(counter: str, rose_before: frozenset[str]) -> str | None:
    if counter in rose_before:
        return "it rose before the rotation already, which is what the rotation cured."
    if counter in EXPECTED_IN_ROTATION:
        return (
            "packets met a node that did not have the new states yet, for a moment,"
            " which happens in rotations of loaded nodes."
        )
    if counter == "XfrmOutPolBlock":
        return (
            "the default-drop policy kept packets from leaving in plain text while"
            " states were replaced."
        )
    if counter in HARMLESS:
        return "it rises with deleted pods and busy moments, rotation or not."
    return None


def _rose_before(
    findings: list[Mapping[str, Any]],
) -> Iterator[tuple[str, frozenset[str]]]:
    found: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        match finding.get("code"):
            case Code.STALE_XFRM_STATE | Code.KEY_MISMATCH:
                # The sender of a broken pair counts nothing.
                found[finding.get("destination") or ""] |= _OF_BROKEN_PAIRS
            case Code.XFRM_ERRORS_RISING:
                deltas = (finding.get("evidence") or {}).get("deltas") or {}
                found[finding.get("node") or ""] |= set(deltas)
    for node, names in found.items():
        yield node, frozenset(names)
