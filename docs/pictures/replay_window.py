"""Draw the anti-replay window of a stale pair with the numbers of a recorded one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pictures.canvas import MARGIN, MIDDLE, SMALL, WIDTH, Canvas, leading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pictures.canvas import Anchor

#: Packets, as Cilium sets it.
WINDOW = 1024
_LEFT, _RIGHT = MARGIN, WIDTH - MARGIN
#: Where the window begins and ends: not to scale, or nobody would see it.
_FROM, _TO = 196.0, 286.0
_BAR, _HEIGHT = 92.0, 30.0


def draw_replay_window(report: Mapping[str, Any]) -> str:
    """Draw it for the first stale pair of a report.

    Args:
        report: JSON of ``ipsec-runbooks check``.

    Returns:
        SVG source.
    """
    pair = next(f for f in report["findings"] if f["code"] == "stale-xfrm-state")
    source, destination = pair["source"], pair["destination"]
    fresh, highest = (
        pair["evidence"]["outbound_oseq"],
        pair["evidence"]["inbound_seq"],
    )
    canvas = Canvas("The anti-replay window of a stale pair")
    canvas.text(
        MARGIN, 22, f"{destination}'s inbound state for {source}", "node2", bold=True
    )
    _draw_zones(canvas)
    places: tuple[tuple[float, str, Anchor], ...] = (
        (_LEFT, "1", "start"),
        (_FROM, f"{highest - WINDOW + 1:,}", "middle"),
        (_TO, f"S = {highest:,}", "middle"),
    )
    for x, text, anchor in places:
        canvas.text(x, _BAR + _HEIGHT + 17, text, "quiet", size=SMALL, anchor=anchor)
    _draw_sender(canvas, _LEFT + 18, f"new state: {fresh:,}", "alarm", lost=True)
    _draw_sender(canvas, _TO + 22, "old state: S + 1", "good", lost=False)
    y = _BAR + _HEIGHT + 46
    y = _draw_meaning(
        canvas,
        y,
        "alarm",
        f"1 to {highest - WINDOW:,}",
        "Far behind: taken for numbers of the next 2³², which fail authentication. "
        "Dropped, `XfrmInStateProtoError`.",
    )
    y = _draw_meaning(
        canvas,
        y,
        "node1",
        f"{highest - WINDOW + 1:,} to {highest:,}",
        f"The window, {WINDOW:,} numbers, all of them seen: replayed. "
        "Dropped, `XfrmInStateSeqError`.",
    )
    y = _draw_meaning(
        canvas,
        y,
        "good",
        f"{highest + 1:,} and above",
        "New: accepted, and the window moves up.",
    )
    lost = pair["evidence"]["packets_until_healed"]
    y = canvas.paragraph(
        MARGIN,
        y + 4,
        f"{source} has to send {lost:,} more packets in vain before one gets there.",
        "quiet",
        size=SMALL,
    )
    return canvas.svg(y)


def _draw_zones(canvas: Canvas) -> None:
    zones = (
        (_LEFT, _FROM, "alarm", "dropped"),
        (_FROM, _TO, "node1", "dropped"),
        (_TO, _RIGHT, "good", "accepted"),
    )
    for start, end, color, word in zones:
        canvas.box((start, _BAR), (end - start - 2, _HEIGHT), fill=color, radius=3)
        canvas.text(
            (start + end) / 2,
            _BAR + _HEIGHT / 2 + MIDDLE,
            word,
            "paper",
            anchor="middle",
            bold=True,
        )


def _draw_sender(
    canvas: Canvas, x: float, text: str, color: str, *, lost: bool
) -> None:
    """Show where a sender's next packet falls."""
    y = _BAR - 44
    start = x - 14 if lost else x - 18
    canvas.text(start, y, text, color, size=SMALL)
    canvas.arrow((x, y + 8), (x, _BAR - (12 if lost else 2)), color)
    if lost:
        canvas.cross(x, _BAR - 7, color, 4)


def _draw_meaning(
    canvas: Canvas, y: float, color: str, numbers: str, text: str
) -> float:
    canvas.box((MARGIN, y - 11), (12, 12), fill=color, radius=2)
    canvas.text(MARGIN + 22, y, numbers, color, bold=True)
    return canvas.paragraph(MARGIN + 22, y + leading(14), text) + 6
