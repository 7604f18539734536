"""A diagnosis for a terminal."""

from __future__ import annotations

import io
import os
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from runbooks.diagnose.finding import (
    Code,
    Depth,
    Diagnosis,
    Finding,
    Severity,
    Verdict,
)
from runbooks.report.advice import (
    CAUSES,
    NOT_COMPARED,
    next_steps,
    runbook_pages,
    verdict_words,
)
from runbooks.report.groups import groups
from runbooks.report.text_matrix import print_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbooks.report.groups import Group

#: Sentences on what was not read, and names in a list; a thousand help nobody.
MOST_UNREAD = 20
MOST_NAMES = 5
#: Of what is written where there is no terminal; only the matrix minds it.
WIDTH = 80

_VERDICT_STYLE = {
    Verdict.HEALTHY: "bold green",
    Verdict.ROTATING: "bold cyan",
    Verdict.DEGRADED: "bold yellow",
    Verdict.STALE: "bold red",
    Verdict.UNKNOWN: "bold yellow",
}
_SEVERITY_STYLE = {
    Severity.CRITICAL: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}


def to_text(diagnosis: Diagnosis) -> str:
    """Write a diagnosis as plain text, without colors."""
    target = io.StringIO()
    print_text(diagnosis, target, color=False)
    return target.getvalue()


def print_text(
    diagnosis: Diagnosis, target: TextIO, *, color: bool | None = None
) -> None:
    """Print a diagnosis.

    Args:
        diagnosis: The diagnosis.
        target: Where to.
        color: Whether to use colors; ``None`` leaves it to the terminal.
    """
    plain = color is False or (color is None and bool(os.environ.get("NO_COLOR")))
    console = Console(
        file=target,
        color_system=None if plain else "auto",
        force_terminal=True if color else None,
        width=None if target.isatty() else WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not target.isatty(),
    )
    _print_verdict(console, diagnosis)
    print_matrix(console, diagnosis)
    for group in groups(diagnosis.findings):
        for finding in group.written:
            _print_finding(console, finding)
        if group.rest:
            _print_rest(console, group)
    _print_incomplete(console, diagnosis)
    _print_next(console, diagnosis)


def _say(console: Console, sentence: str) -> None:
    """Print an indented sentence; a terminal's further lines are indented as well."""
    if console.soft_wrap:
        console.print(f"  {sentence}")
        return
    for line in Text(sentence).wrap(console, console.width - 2):
        line.rstrip()
        console.print(Text("  ").append_text(line))


def _print_verdict(console: Console, diagnosis: Diagnosis) -> None:
    verdict = Text("Verdict: ")
    verdict.append(str(diagnosis.verdict), _VERDICT_STYLE[diagnosis.verdict])
    console.print(verdict)
    console.print(verdict_words(diagnosis))
    read = sum(node.read for node in diagnosis.nodes)
    times = "twice" if diagnosis.twice else "once"
    console.print(f"Nodes read: {read} of {len(diagnosis.nodes)} ({times})")
    if diagnosis.depth is Depth.DEFAULT:
        console.print(NOT_COMPARED)


def _head(kind: Finding | Group) -> Text:
    severity = (str(kind.severity), _SEVERITY_STYLE[kind.severity])
    return Text.assemble(severity, "  ", (str(kind.code), "bold"))


def _print_finding(console: Console, finding: Finding) -> None:
    console.print()
    head = _head(finding)
    if finding.source and finding.destination:
        head.append(f"  {finding.source} -> {finding.destination}")
    elif finding.node:
        head.append(f"  {finding.node}")
    console.print(head)
    _say(console, finding.summary)
    for line in _numbers(finding):
        _say(console, line)
    if finding.cause:
        _say(console, f"Cause: {finding.cause}, {CAUSES[finding.cause]}.")
    elif finding.code is Code.STALE_XFRM_STATE:
        why = finding.evidence.get("cause_unknown", "what was read doesn't tell")
        _say(console, f"Cause: unknown, {why}.")


def _print_rest(console: Console, group: Group) -> None:
    """Sum up what is not written out, by the end that most of it shares."""
    console.print()
    console.print(_head(group).append(f"  and {len(group.rest)} more"))
    lines = _places(group.rest)
    for line in lines[:MOST_NAMES]:
        _say(console, line)
    others = f"and {len(lines) - MOST_NAMES} more; " if len(lines) > MOST_NAMES else ""
    _say(console, f"{others}--output json has all of them.")


def _places(findings: Sequence[Finding]) -> list[str]:
    """Nodes or pairs; many pairs that share an end are told by that."""
    pairs = [(f.source, f.destination) for f in findings if f.source and f.destination]
    senders = Counter(source for source, _ in pairs)
    receivers = Counter(destination for _, destination in pairs)
    if pairs and len(receivers) <= min(len(senders), len(pairs) // 2):
        return [f"to {name} from {count} nodes" for name, count in receivers.items()]
    if pairs and len(senders) <= len(pairs) // 2:
        return [f"from {name} to {count} nodes" for name, count in senders.items()]
    places = [f"{source} -> {destination}" for source, destination in pairs]
    return places + [f.node for f in findings if f.node]


def _numbers(finding: Finding) -> list[str]:
    """Both ends' numbers, for findings that have them."""
    evidence = finding.evidence
    if finding.code is not Code.STALE_XFRM_STATE:
        return []
    lines = [
        f"{finding.source}: outbound oseq {evidence['outbound_oseq']:,},"
        f" added {evidence['outbound_added'] or 'at an unknown time'}",
        f"{finding.destination}: inbound seq {evidence['inbound_seq']:,},"
        f" added {evidence['inbound_added'] or 'at an unknown time'},"
        f" {evidence['dropped_total']:,} packets dropped",
    ]
    deltas = [
        f"{evidence[key]} {words}"
        for key, words in (
            ("failed_delta", "failed authentication"),
            ("replay_delta", "dropped as replayed"),
        )
        if evidence.get(key)
    ]
    if deltas:
        lines.append(f"While this check ran: {', '.join(deltas)}.")
    lines.append(
        "It heals by itself only after"
        f" {evidence['packets_until_healed']:,} more packets are lost."
    )
    return lines


def _print_incomplete(console: Console, diagnosis: Diagnosis) -> None:
    if not diagnosis.incomplete:
        return
    console.print()
    console.print(Text("Not read:", "bold"))
    for sentence in diagnosis.incomplete[:MOST_UNREAD]:
        _say(console, sentence)
    if len(diagnosis.incomplete) > MOST_UNREAD:
        console.print(f"  ... and {len(diagnosis.incomplete) - MOST_UNREAD} more")


def _print_next(console: Console, diagnosis: Diagnosis) -> None:
    steps = next_steps(diagnosis)
    if not steps:
        return
    console.print()
    console.print(Text("What to do:", "bold"))
    for step in steps:
        _say(console, step)
    if pages := runbook_pages(diagnosis):
        _say(console, f"Runbook: {', '.join(pages)}")
