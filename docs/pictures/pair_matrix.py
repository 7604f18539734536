"""Draw the pairs of a cluster before and after, from what a check reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pictures.canvas import MARGIN, MIDDLE, SMALL, WIDTH, Canvas

if TYPE_CHECKING:
    from collections.abc import Mapping

    Report = Mapping[str, Any]

_TOP, _NAMES, _CELL_HEIGHT, _GAP = 66.0, 44.0, 34.0, 14.0


def draw_pairs(before: Report, after: Report) -> str:
    """Draw two reports side by side.

    Args:
        before: JSON of ``ipsec-runbooks check`` from before a rotation.
        after: Likewise, from after it, of the same nodes.

    Returns:
        SVG source.
    """
    canvas = Canvas("The pairs of nodes before and after a rotation")
    side = (WIDTH - 2 * MARGIN - _GAP) / 2
    _draw_report(canvas, before, "Before", MARGIN, side)
    _draw_report(canvas, after, "After the rotation", MARGIN + side + _GAP, side)
    bottom = _TOP + len(before["nodes"]) * _CELL_HEIGHT + 22
    canvas.text(MARGIN, bottom, "Rows send, columns receive.", "quiet", size=SMALL)
    return canvas.svg(bottom + 12)


def stale_pairs(report: Report) -> set[tuple[str, str]]:
    """The pairs that a report calls stale, sender first."""
    return {
        (finding["source"], finding["destination"])
        for finding in report["findings"]
        if finding["code"] == "stale-xfrm-state"
    }


def _draw_report(
    canvas: Canvas, report: Report, title: str, x: float, width: float
) -> None:
    names = [node["name"] for node in report["nodes"]]
    stale = stale_pairs(report)
    verdict = report["verdict"]
    color = "good" if verdict == "healthy" else "alarm"
    canvas.text(x, 22, title, bold=True)
    canvas.text(x, 40, f"Verdict: {verdict}", color, size=SMALL)
    cell = (width - _NAMES) / len(names)
    for column, name in enumerate(names):
        middle = x + _NAMES + (column + 0.5) * cell
        canvas.text(middle, _TOP - 6, name, "quiet", size=SMALL, anchor="middle")
    for row, source in enumerate(names):
        y = _TOP + row * _CELL_HEIGHT
        middle_y = y + (_CELL_HEIGHT - 3) / 2 + MIDDLE
        canvas.text(x, middle_y, source, "quiet", size=SMALL)
        for column, destination in enumerate(names):
            corner = (x + _NAMES + column * cell, y)
            if source != destination:
                broken = (source, destination) in stale
                _draw_cell(canvas, corner, cell, broken=broken)


def _draw_cell(
    canvas: Canvas, corner: tuple[float, float], width: float, *, broken: bool
) -> None:
    """Draw a pair's cell; the word and the edge tell it without color."""
    x, y = corner
    size = (width - 3, _CELL_HEIGHT - 3)
    middle = (x + size[0] / 2, y + size[1] / 2 + MIDDLE)
    if broken:
        canvas.box(corner, size, fill="alarm")
        canvas.text(*middle, "STALE", "paper", size=10.5, anchor="middle", bold=True)
    else:
        canvas.box(corner, size, fill="tint")
        canvas.text(*middle, "ok", "good", size=SMALL, anchor="middle")
