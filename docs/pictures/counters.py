"""Draw both ends' sequence numbers over time from a recorded lab run.

Numbers stand on a scale of powers of ten: before it breaks, a lab sends far more
packets than in the time shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pictures.canvas import MARGIN, MIDDLE, SMALL, SMALL_MIDDLE, WIDTH, Canvas, width_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Moments = list[tuple[float, str]]
    Record = dict[str, Any]
    XOf = Callable[[float], float]

_LEFT, _RIGHT = 50.0, WIDTH - 18
_MARKS_Y = 22.0
_TOP, _BOTTOM = 62.0, 250.0
_ERRORS_TOP, _ERRORS_BOTTOM = 292.0, 350.0
#: How long it goes on after the old key's states are gone.
_HEALED_S = 12.0
_DISC = 9.0


def moments(record: Record, captions: dict[str, str]) -> Moments:
    """Find what is to be marked.

    Args:
        record: As ``record_counters.py`` wrote it.
        captions: Beginnings of what was said, with what the picture says of it.

    Returns:
        Seconds and captions, in order.

    Raises:
        ValueError: Something of that was never said.
    """
    found = [
        (event["t_s"], caption)
        for event in record["events"]
        for begin, caption in captions.items()
        if event["said"].startswith(begin)
    ]
    if len(found) != len(captions):
        raise ValueError(f"not all of {list(captions)} in {record['events']}")
    return found


def draw_counters(record: Record, captions: dict[str, str]) -> str:
    """Draw a record.

    Args:
        record: As ``record_counters.py`` wrote it.
        captions: As in :func:`moments`.

    Returns:
        SVG source.
    """
    marked = moments(record, captions)
    source, destination = record["source"], record["destination"]
    canvas = Canvas(f"Both ends' sequence numbers, from {source} to {destination}")
    samples = list(_shown(record))
    begin_s: float = samples[0]["t_s"]
    end_s: float = samples[-1]["t_s"]

    def x_of(t_s: float) -> float:
        return _LEFT + (t_s - begin_s) / (end_s - begin_s) * (_RIGHT - _LEFT)

    _draw_axes(canvas, samples, x_of)
    _draw_moments(canvas, [t_s for t_s, _ in marked], x_of)
    _draw_numbers(canvas, samples, x_of, "inbound", destination)
    _draw_numbers(canvas, samples, x_of, "outbound", source)
    _draw_errors(canvas, samples, x_of, destination)
    return canvas.svg(_draw_legend(canvas, record, marked))


def _shown(record: Record) -> Iterator[dict[str, Any]]:
    """The samples up to a while after the rotation."""
    samples = record["samples"]
    last = max(n for n, s in enumerate(samples) if len(s["inbound"]) > 1)
    healed_s = samples[last]["t_s"] + _HEALED_S
    return (sample for sample in samples if sample["t_s"] <= healed_s)


def _y_of(value: float) -> float:
    """A number's place between none and a million, each ten as far as the next."""
    share = math.log10(1 + value) / 6
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _draw_axes(canvas: Canvas, samples: list[dict[str, Any]], x_of: XOf) -> None:
    for value in (0, 10, 100, 1000, 10_000, 100_000, 1_000_000):
        y = _y_of(value)
        canvas.line([(_LEFT, y), (_RIGHT, y)], "line", width=0.6)
        label = f"{value:,}" if value < 1_000_000 else "10⁶"
        canvas.text(_LEFT - 5, y + 4, label, "quiet", size=11, anchor="end")
    canvas.text(MARGIN, _TOP - 14, "number", "quiet", size=SMALL)
    begin_s, end_s = samples[0]["t_s"], samples[-1]["t_s"]
    for t_s in range(0, int(end_s - begin_s) + 1, 20):
        x = x_of(begin_s + t_s)
        label = f"{t_s} s"
        y = _ERRORS_BOTTOM + 15
        canvas.line([(x, _ERRORS_BOTTOM), (x, _ERRORS_BOTTOM + 4)], "line", width=1)
        canvas.text(x, y, label, "quiet", size=11, anchor="middle")


def _draw_moments(canvas: Canvas, times_s: list[float], x_of: XOf) -> None:
    """Mark the moments by numbers, which stay apart where the moments do not."""
    places = [x_of(t_s) for t_s in times_s]
    discs = list(places)
    for n in range(1, len(discs)):
        discs[n] = max(discs[n], discs[n - 1] + 2 * _DISC + 2)
    for n, (x, disc) in enumerate(zip(places, discs, strict=True), start=1):
        knee = _MARKS_Y + _DISC + 6
        canvas.line(
            [(disc, _MARKS_Y), (x, knee), (x, _ERRORS_BOTTOM)],
            "quiet",
            width=1,
            dash="2 3",
        )
        draw_disc(canvas, disc, _MARKS_Y, n)


def draw_disc(canvas: Canvas, x: float, y: float, count: int) -> None:
    """Draw a moment's number."""
    canvas.dot(x, y, "ink", _DISC)
    canvas.text(
        x, y + SMALL_MIDDLE, str(count), "paper", size=SMALL, anchor="middle", bold=True
    )


def _draw_numbers(
    canvas: Canvas, samples: list[dict[str, Any]], x_of: XOf, end: str, node: str
) -> None:
    """Draw an end's numbers, the receiver's broad, by SPI."""
    receives = end == "inbound"
    spis = sorted({spi for sample in samples for spi in sample[end]}, key=int)
    for spi in spis:
        for stretch in stretches(samples, end, spi):
            points = [(x_of(t_s), _y_of(value)) for t_s, value in stretch]
            canvas.line(points, node, width=6 if receives else 1.8, faint=receives)
            made_s = stretch[0][0]
            if not receives and made_s > samples[0]["t_s"]:
                canvas.dot(*points[0], node, 2.5)
        if receives:
            x, y = points[-1]
            # The old key's name stands above its line, the new one's below.
            y += -8 if spi == spis[0] else 44
            canvas.text(x, y, f"SPI {spi}", node, size=SMALL, anchor="end")


def stretches(
    samples: list[dict[str, Any]], end: str, spi: str
) -> list[list[tuple[float, float]]]:
    """The times and numbers of a state, apart where it was away or made anew.

    Args:
        samples: In order.
        end: ``inbound`` or ``outbound``.
        spi: Of the state.

    Returns:
        A list for each state that there was under that SPI, none of them empty.
    """
    found: list[list[tuple[float, float]]] = [[]]
    for sample in samples:
        value = sample[end].get(spi)
        anew = found[-1] and value is not None and value < found[-1][-1][1]
        if value is None or anew:
            found.append([])
        if value is not None:
            found[-1].append((sample["t_s"], value))
    return [stretch for stretch in found if stretch]


def _draw_errors(
    canvas: Canvas, samples: list[dict[str, Any]], x_of: XOf, node: str
) -> None:
    """Draw how many packets the receiver has dropped since the record began."""
    counts = [s["proto_errors"] - samples[0]["proto_errors"] for s in samples]
    highest = max(counts)
    title = f"dropped by {node}: `XfrmInStateProtoError`"
    y = _ERRORS_TOP - 12
    canvas.box((MARGIN, y - 11), (width_of(title, SMALL), 15))
    canvas.text(MARGIN, y, title, "alarm", size=SMALL)
    height = _ERRORS_BOTTOM - _ERRORS_TOP
    points = [
        (x_of(sample["t_s"]), _ERRORS_BOTTOM - count / highest * height)
        for sample, count in zip(samples, counts, strict=True)
    ]
    canvas.line([(_LEFT, _ERRORS_BOTTOM), (_RIGHT, _ERRORS_BOTTOM)], "line", width=1)
    canvas.line(points, "alarm")
    canvas.text(
        _LEFT - 5, _ERRORS_TOP + 4, f"{highest:,}", "quiet", size=11, anchor="end"
    )
    canvas.text(_LEFT - 5, _ERRORS_BOTTOM + 4, "0", "quiet", size=11, anchor="end")


def _draw_legend(canvas: Canvas, record: Record, marked: Moments) -> float:
    """Say what lines and numbers mean; tell where the picture ends."""
    source, destination = record["source"], record["destination"]
    y = _ERRORS_BOTTOM + 42
    for node, width, text in (
        (destination, 6.0, f"{destination}, highest received: inbound `seq`"),
        (source, 1.8, f"{source}, last sent: outbound `oseq`"),
    ):
        swatch = [(MARGIN, y - MIDDLE), (MARGIN + 24, y - MIDDLE)]
        canvas.line(swatch, node, width=width, faint=node == destination)
        y = canvas.paragraph(MARGIN + 34, y, text, node) + 2
    y += 8
    for n, (_, caption) in enumerate(marked, start=1):
        draw_disc(canvas, MARGIN + _DISC, y - MIDDLE, n)
        y = canvas.paragraph(MARGIN + 34, y, caption) + 4
    return y - 4
