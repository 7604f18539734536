"""A diagnosis for a browser: one file that needs nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runbooks.diagnose.finding import Depth, Diagnosis
from runbooks.report import picture
from runbooks.report.advice import (
    CAUSES,
    COMMANDS,
    NOT_COMPARED,
    next_step,
    next_steps,
    runbook_pages,
    verdict_words,
)
from runbooks.report.course import course, sentences
from runbooks.report.groups import groups
from runbooks.report.matrix import broken_first, matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.report.groups import Group

#: A browser has more room than a terminal.
LARGEST_MATRIX = 40
#: With more columns, letters stand for words, and what is broken stands first.
MOST_WITH_WORDS = 8
#: Keeps the page readable, and below a megabyte.
MOST_LINES = 50
#: More kinds than a report has; guards its size all the same.
MOST_GROUPS = 50


def to_html(diagnosis: Diagnosis, made: datetime | None = None) -> str:
    """Write a diagnosis as an HTML page.

    Args:
        diagnosis: The diagnosis.
        made: When it was made; now if ``None``.

    Returns:
        The page, styles included.
    """
    environment = Environment(
        loader=PackageLoader("runbooks.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "course": course,
        "sentences": sentences,
        "picture": picture.picture,
        "shape": picture,
        "next_step": next_step,
        "causes": CAUSES,
    }
    environment.filters["points"] = _points
    environment.filters["commands"] = _commands
    found = groups(diagnosis.findings)
    shown = found[:MOST_GROUPS]
    square = matrix(diagnosis, LARGEST_MATRIX)
    wide = square is not None and len(square.destinations) > MOST_WITH_WORDS
    return environment.get_template("report.html.j2").render(
        diagnosis=diagnosis,
        verdict_text=verdict_words(diagnosis),
        not_compared=NOT_COMPARED if diagnosis.depth is Depth.DEFAULT else "",
        matrix=broken_first(square) if square and wide else square,
        wide=wide,
        groups=shown,
        left_out=sum(len(group.findings) for group in found[MOST_GROUPS:]),
        anchors=_anchors(shown),
        steps=next_steps(diagnosis),
        pages=runbook_pages(diagnosis),
        most_lines=MOST_LINES,
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def _anchors(found: Iterable[Group]) -> dict[tuple[str | None, str | None], str]:
    """Where the page writes about a pair, for its cell of the matrix."""
    anchors: dict[tuple[str | None, str | None], str] = {}
    for number, finding in enumerate((f for g in found for f in g.written), 1):
        anchors.setdefault((finding.source, finding.destination), f"finding-{number}")
    return anchors


def _commands(step: str) -> Markup:
    """Set the commands of a step in the letters of a terminal."""
    parts = re.split(f"({'|'.join(map(re.escape, COMMANDS))})", step)
    code = Markup('<code class="command">{}</code>')
    return Markup("").join(
        code.format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
