"""What ``lab break --list`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.condition import Kind
from runbooks.lab.plan import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.lab.breaks.condition import Break

_HEADINGS = {
    Kind.STALE: "States go stale:",
    Kind.FAILING: "Other failures:",
    Kind.HARMLESS: "Harmless, and must not be taken for one of them:",
}


def render_breaks(breaks: Mapping[str, Break]) -> str:
    """Every break with its line, the labs it needs, and its page."""
    blocks = []
    for kind, heading in _HEADINGS.items():
        lines = [heading]
        for name, found in breaks.items():
            if found.kind is kind:
                needs = f"needs lab up {labs(found)}; " if labs(found) else ""
                lines += [f"  {name}{choices(found)}", f"      {found.summary}"]
                lines += [f"      {needs}docs/{found.page}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def choices(found: Break) -> str:
    """What may stand behind a break's name: an amount, a way."""
    ways = f" [--how {'|'.join(found.ways)}]" if found.ways else ""
    return (f" [{found.amount}]" if found.amount else "") + ways


def labs(found: Break) -> str:
    """Options of ``lab up`` that a break needs; empty where any lab does."""
    needs = [f"--mode {m}" for m in found.modes if len(found.modes) < len(MODES)]
    needs += ["--legacy-sa"] if found.legacy else []
    return " ".join(needs)
