"""Tables of what was measured, as pages of the reference."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def spread(values: Sequence[float], unit: str = "s") -> str:
    """Median and range, for a table's cell."""
    if len(values) == 1:
        return f"{values[0]:.2f} {unit}"
    return (
        f"{statistics.median(values):.2f} {unit}"
        f" ({min(values):.2f} to {max(values):.2f})"
    )


def machine() -> str:
    """What it was measured on, without a name that tells whose."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def write_table(
    name: str, title: str, words: str, header: Sequence[str], rows: Sequence[Sequence]
) -> Path:
    """Write one table with its date and machine.

    Args:
        name: Of the file below docs/reference/measurements/.
        title: Its heading.
        words: What was measured, and with which command.
        header: Names of the columns.
        rows: Cells.
    """
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    lines = [
        ".. Written by the command that it names; run that again to change it.",
        "",
        title,
        "=" * len(title),
        "",
        words,
        "",
        f"Measured on {day}: {machine()}.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
    ]
    for row in (header, *rows):
        for i, cell in enumerate(row):
            lines.append(f"   {'*' if i == 0 else ' '} - {cell}".rstrip())
    path = REFERENCE / "measurements" / f"{name}.rst"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
