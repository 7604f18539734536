"""Draw the events that lead to stale states after a lease expiry, as SVG.

Run from the top of the repository: ``python docs/pictures/draw_sequence.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parent.parent / "images" / "kvstore-lease-expired-events.svg"

WIDTH = 930
LANES = {"node2": 165, "store": 475, "node1": 785}
TITLES = {
    "node2": "node2",
    "store": "key-value store",
    "node1": "node1 (and every other peer)",
}
INK, QUIET, ALARM, GOOD = "#22272e", "#5c6773", "#b3261e", "#1b6e3c"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the picture.

    Attributes:
        lane: Where it happens, or where its arrow starts.
        text: Lines of text.
        to: Lane that its arrow ends in, if it is a message.
        color: Color of text and arrow.
        lost: Whether the arrow's message is dropped where it arrives.
    """

    lane: str
    text: tuple[str, ...]
    to: str | None = None
    color: str = INK
    lost: bool = False


EVENTS = (
    Event("node2", ("agent keeps its lease alive",), to="store"),
    Event(
        "node1",
        ("outbound state to node2: oseq 4711",),
        color=GOOD,
    ),
    Event("node2", ("inbound state from node1: seq 4711",), color=GOOD),
    Event("node2", ("agent stops", "its kernel keeps all XFRM states"), color=ALARM),
    Event("store", ("lease expires,", "node2's key is deleted")),
    Event("store", ("node2 is gone",), to="node1"),
    Event("node1", ("deletes every state of node2", "(30 s later)"), color=ALARM),
    Event("node2", ("agent starts, registers again",), to="store"),
    Event("node2", ("finds its states in the kernel,", "leaves them: seq 4711")),
    Event("store", ("node2 is here",), to="node1"),
    Event("node1", ("makes new states:", "same SPI, same key, oseq 0"), color=ALARM),
    Event(
        "node1",
        ("packet number 1, 2, 3, ...",),
        to="node2",
        color=ALARM,
        lost=True,
    ),
    Event(
        "node2",
        ("expects numbers near 4711: drops them all", "XfrmInStateProtoError rises"),
        color=ALARM,
    ),
)


def text_at(x: int, y: int, line: str, color: str, *, bold: bool = False) -> str:
    """Write one centered line of text."""
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" fill="{color}" text-anchor="middle"{weight}>'
        f"{escape(line)}</text>"
    )


def arrow(event: Event, y: int) -> list[str]:
    """Draw a message between two lanes, its text above the line."""
    assert event.to is not None
    start, end = LANES[event.lane], LANES[event.to]
    step = 1 if end > start else -1
    tip = end - step * 6
    marks = [
        f'<line x1="{start}" y1="{y}" x2="{tip - step * 8}" y2="{y}" '
        f'stroke="{event.color}" stroke-width="2"/>',
        f'<path d="M{tip - step * 10} {y - 6} L{tip} {y} L{tip - step * 10} {y + 6} Z" '
        f'fill="{event.color}"/>',
    ]
    if event.lost:
        x = end + 16
        marks.append(
            f'<path d="M{x} {y - 8} l16 16 m0 -16 l-16 16" stroke="{event.color}" '
            'stroke-width="4" fill="none"/>'
        )
        # The packet passes the store's lane without touching it.
        x_text = (LANES["store"] + LANES["node1"]) // 2
    else:
        x_text = (start + end) // 2
    return [*marks, text_at(x_text, y - 9, event.text[0], event.color)]


def box(event: Event, y: int) -> list[str]:
    """Draw what happens within one lane, on white so that the lane doesn't cross it."""
    x = LANES[event.lane]
    width = max(len(line) for line in event.text) * 7 + 16
    height = 20 * len(event.text) + 6
    return [
        f'<rect x="{x - width // 2}" y="{y - 17}" width="{width}" height="{height}" '
        f'rx="4" fill="#ffffff" stroke="{event.color}"/>',
        *(
            text_at(x, y + 20 * row, line, event.color)
            for row, line in enumerate(event.text)
        ),
    ]


def draw() -> str:
    """Draw the picture.

    Returns:
        SVG source.
    """
    body: list[str] = []
    y = 76
    for event in EVENTS:
        if event.to is None:
            body += box(event, y)
            y += 20 * len(event.text) + 18
        else:
            y += 14
            body += arrow(event, y)
            y += 30
    height = y
    lanes = []
    for lane, x in LANES.items():
        lanes.append(text_at(x, 28, TITLES[lane], INK, bold=True))
        lanes.append(
            f'<line x1="{x}" y1="42" x2="{x}" y2="{height - 10}" stroke="{QUIET}" '
            'stroke-dasharray="3 5"/>'
        )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" '
            "font-family=\"Lato, 'Helvetica Neue', Arial, sans-serif\" "
            'font-size="14">',
            "<title>How a lease expiry makes states stale</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *lanes,
            *body,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
