"""A diagnosis for a browser: one file that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from runbooks.diagnose.finding import Code, Depth, Diagnosis
from runbooks.report.advice import (
    CAUSES,
    NOT_COMPARED,
    next_steps,
    runbook_pages,
    verdict_words,
)
from runbooks.report.matrix import matrix

#: A browser has more room than a terminal.
LARGEST_MATRIX = 60
#: Keeps the page below a megabyte.
MOST_FINDINGS = 300


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
    return environment.get_template("report.html.j2").render(
        diagnosis=diagnosis,
        verdict_text=verdict_words(diagnosis),
        not_compared=NOT_COMPARED if diagnosis.depth is Depth.DEFAULT else "",
        causes=CAUSES,
        matrix=matrix(diagnosis, LARGEST_MATRIX),
        steps=next_steps(diagnosis),
        pages=runbook_pages(diagnosis),
        stale_code=Code.STALE_XFRM_STATE,
        most_findings=MOST_FINDINGS,
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )
