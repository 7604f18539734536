"""Findings out: for a terminal, for programs, for a browser."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.diagnose.finding import Diagnosis


class Format(enum.StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def report(
    diagnosis: Diagnosis,
    output: Format = Format.TEXT,
    file: Path | None = None,
    *,
    color: bool | None = None,
) -> None:
    """Write a report.

    Args:
        diagnosis: What to report.
        output: In which form.
        file: Where to; standard output if ``None``.
        color: Whether text has colors; ``None`` leaves it to the terminal.
    """
    if output is Format.TEXT and file is None:
        from runbooks.report.text import print_text

        print_text(diagnosis, sys.stdout, color=color)
        return
    content = rendered(diagnosis, output)
    if file is None:
        sys.stdout.write(content)
    else:
        file.write_text(content)


def rendered(diagnosis: Diagnosis, output: Format) -> str:
    """Render a report; the modules load late, since each form needs others."""
    match output:
        case Format.JSON:
            from runbooks.report.json import to_json

            return to_json(diagnosis)
        case Format.HTML:
            from runbooks.report.html import to_html

            return to_html(diagnosis)
        case Format.TEXT:
            from runbooks.report.text import to_text

            return to_text(diagnosis)
