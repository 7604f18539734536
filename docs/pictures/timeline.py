"""Draw what happens in which order, and where, from a short description.

A description is a file in ``timelines/``: lanes from left to right, and events from
top to bottom. The words of an event stand beside the lanes, where a phone has room
for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pictures.canvas import COLORS, MARGIN, MIDDLE, SMALL, Canvas

if TYPE_CHECKING:
    from pathlib import Path

_PITCH, _GAP = 25.0, 15.0
#: Kinds of event, with the color of their words.
_KINDS = {"plain": "ink", "alarm": "alarm", "good": "good"}
#: How a lane goes on after an event: its agent or the object is there, is not, or
#: the node has the states of two keys.
_LOOKS = ("up", "down", "both")


@dataclass(frozen=True, slots=True)
class Lane:
    """Something that events happen to.

    Attributes:
        name: What events call it.
        label: What the picture calls it.
        color: A color of the palette.
    """

    name: str
    label: str
    color: str


@dataclass(frozen=True, slots=True)
class Event:
    """One row.

    Attributes:
        at: Lane where it happens, or where its message starts.
        text: What happens, code between backticks.
        when: How long after the event before, if that matters.
        to: Lanes that its message goes to.
        lost: Whether the message is dropped where it arrives.
        kind: ``plain``, ``alarm``, or ``good``.
        then: How its lane goes on: ``up``, ``down``, or ``both``.
    """

    at: str
    text: str
    when: str = ""
    to: tuple[str, ...] = ()
    lost: bool = False
    kind: str = "plain"
    then: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A sequence of events.

    Attributes:
        title: Its name, for a reader of the file.
        lanes: From left to right.
        events: From top to bottom.
        legend: What a look means that doesn't speak for itself.
    """

    title: str
    lanes: tuple[Lane, ...]
    events: tuple[Event, ...]
    legend: str = ""


def read_timeline(path: Path) -> Timeline:
    """Read a description.

    Args:
        path: A YAML file with ``title``, ``lanes`` and ``events``.

    Raises:
        ValueError: It names a lane, kind or color that there is not.
    """
    described: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    lanes = tuple(
        Lane(name, label, name if name in COLORS else "quiet")
        for name, label in described["lanes"].items()
    )
    events = tuple(
        Event(**{**event, "to": _names(event.get("to", ()))})
        for event in described["events"]
    )
    known = {lane.name for lane in lanes}
    for event in events:
        if not {event.at, *event.to} <= known:
            raise ValueError(f"{path}: no such lane: {event}")
        if event.kind not in _KINDS or event.then not in ("", *_LOOKS):
            raise ValueError(f"{path}: unknown kind or look: {event}")
    return Timeline(described["title"], lanes, events, described.get("legend", ""))


def draw_timeline(timeline: Timeline) -> str:
    """Draw it.

    Returns:
        SVG source.
    """
    canvas = Canvas(timeline.title)
    x_of = {lane.name: 18 + _PITCH * n for n, lane in enumerate(timeline.lanes)}
    colors = {lane.name: lane.color for lane in timeline.lanes}
    x_text = 18 + _PITCH * len(timeline.lanes)
    begins, y = _draw_heads(canvas, timeline, x_of, x_text)
    canvas.line([(MARGIN, y - 8), (canvas.width - MARGIN, y - 8)], "line", width=1)
    # Lanes lie below everything else, and their looks are known in the end.
    ground, canvas.shapes = canvas.shapes, []
    turns: dict[str, list[tuple[float, str]]] = {
        name: [(begin, "up")] for name, begin in begins.items()
    }
    y += 16
    for event in timeline.events:
        color = _KINDS[event.kind]
        if event.when:
            y = canvas.paragraph(x_text, y, event.when, "quiet", size=SMALL) + 1
        _draw_mark(canvas, event, x_of, colors, (x_text, y - MIDDLE))
        if event.then:
            turns[event.at].append((y - MIDDLE, event.then))
        y = canvas.paragraph(x_text, y, event.text, color) + _GAP - 6
    height = y - 6
    rows, canvas.shapes = canvas.shapes, ground
    for name, looks in turns.items():
        ends = [*(at for at, _ in looks[1:]), height - 8]
        for (start, look), end in zip(looks, ends, strict=True):
            _draw_lane(canvas, x_of[name], (start, end), look, colors[name])
    canvas.shapes += rows
    return canvas.svg(height)


def _draw_lane(
    canvas: Canvas, x: float, span: tuple[float, float], look: str, color: str
) -> None:
    beside = (-2.5, 2.5) if look == "both" else (0.0,)
    for aside in beside:
        canvas.line(
            [(x + aside, span[0]), (x + aside, span[1])],
            "line" if look == "down" else color,
            dash="2 5" if look == "down" else "",
        )


def _names(given: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _draw_heads(
    canvas: Canvas, timeline: Timeline, x_of: dict[str, float], x_text: float
) -> tuple[dict[str, float], float]:
    """Name each lane on a row of its own; say where it begins, and where rows end."""
    begins, y = {}, 24.0
    for lane in timeline.lanes:
        begins[lane.name] = y - MIDDLE
        _leader(canvas, x_of[lane.name], (x_text, y - MIDDLE))
        canvas.dot(x_of[lane.name], y - MIDDLE, lane.color, 5.5)
        y = canvas.paragraph(x_text, y, lane.label, lane.color, bold=True) + 3
    if timeline.legend:
        y = canvas.paragraph(x_text, y, timeline.legend, "quiet", size=SMALL) + 3
    return begins, y + 6


def _leader(canvas: Canvas, x: float, end: tuple[float, float]) -> None:
    canvas.line([(x, end[1]), (end[0] - 6, end[1])], "line", width=1, dash="1 3")


def _draw_mark(
    canvas: Canvas,
    event: Event,
    x_of: dict[str, float],
    colors: dict[str, str],
    end: tuple[float, float],
) -> None:
    """Draw a dot where something happens, or an arrow for a message."""
    x, y = x_of[event.at], end[1]
    color = "alarm" if event.kind == "alarm" else colors[event.at]
    _leader(canvas, max(x, *(x_of[name] for name in (event.at, *event.to))), end)
    for name in sorted(event.to, key=lambda name: abs(x_of[name] - x)):
        step = 1 if x_of[name] > x else -1
        canvas.arrow((x, y), (x_of[name] - step * (7 if event.lost else 1), y), color)
        if event.lost:
            canvas.dot(x_of[name], y, "paper", 7)
            canvas.cross(x_of[name], y, "alarm")
    canvas.dot(x, y, color)
