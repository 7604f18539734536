"""A diagnosis for a terminal."""

from __future__ import annotations

import io
from typing import TextIO

from rich.console import Console
from rich.table import Table
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
from runbooks.report.matrix import Cell, matrix

#: Findings that are written out; a thousand alike help nobody.
MOST_FINDINGS = 50
WIDTH = 100

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
_CELLS = {
    Cell.SAME: ("-", "dim"),
    Cell.FINE: ("ok", "green"),
    Cell.STALE: ("STALE", "bold red"),
    Cell.KEYS: ("KEYS", "bold red"),
    Cell.MISSING: ("GONE", "bold red"),
    Cell.ALARM: ("!", "yellow"),
    Cell.UNREAD: ("?", "yellow"),
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
    console = Console(
        file=target,
        no_color=color is False,
        force_terminal=True if color else None,
        width=None if target.isatty() else WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not target.isatty(),
    )
    _print_verdict(console, diagnosis)
    _print_matrix(console, diagnosis)
    for finding in diagnosis.findings[:MOST_FINDINGS]:
        _print_finding(console, finding)
    if len(diagnosis.findings) > MOST_FINDINGS:
        more = len(diagnosis.findings) - MOST_FINDINGS
        console.print(f"\n... and {more} more; --output json has all of them.")
    _print_incomplete(console, diagnosis)
    _print_next(console, diagnosis)


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


def _print_matrix(console: Console, diagnosis: Diagnosis) -> None:
    square = matrix(diagnosis)
    if square is None:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("from \\ to", style="bold", no_wrap=True)
    for name in square.destinations:
        table.add_column(name, justify="center", no_wrap=True)
    for name, cells in zip(square.sources, square.cells, strict=True):
        table.add_row(name, *(Text(*_CELLS[cell]) for cell in cells))
    console.print()
    console.print(table)
    if square.left_out:
        console.print(f"and {square.left_out} more nodes with a broken pair")
    if square.healthy:
        console.print(f"and {square.healthy} healthy nodes")


def _print_finding(console: Console, finding: Finding) -> None:
    console.print()
    head = Text(f"{finding.severity}", _SEVERITY_STYLE[finding.severity])
    head.append(f"  {finding.code}", "bold")
    if finding.source and finding.destination:
        head.append(f"  {finding.source} -> {finding.destination}")
    elif finding.node:
        head.append(f"  {finding.node}")
    console.print(head)
    console.print(f"  {finding.summary}")
    for line in _numbers(finding):
        console.print(f"  {line}")
    if finding.cause:
        console.print(f"  Cause: {finding.cause}, {CAUSES[finding.cause]}.")
    elif finding.code is Code.STALE_XFRM_STATE:
        why = finding.evidence.get("cause_unknown", "what was read doesn't tell")
        console.print(f"  Cause: unknown, {why}.")


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
    for sentence in diagnosis.incomplete[:MOST_FINDINGS]:
        console.print(f"  {sentence}")
    if len(diagnosis.incomplete) > MOST_FINDINGS:
        console.print(f"  ... and {len(diagnosis.incomplete) - MOST_FINDINGS} more")


def _print_next(console: Console, diagnosis: Diagnosis) -> None:
    steps = next_steps(diagnosis)
    if not steps:
        return
    console.print()
    console.print(Text("What to do:", "bold"))
    for step in steps:
        console.print(f"  {step}")
    if pages := runbook_pages(diagnosis):
        console.print(f"  Runbook: {', '.join(pages)}")
