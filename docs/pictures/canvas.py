"""Write SVG that reads on a phone, on paper, and in light and dark.

Everything is drawn in one narrow column, so that a phone shows it without scrolling
sideways. Shapes carry the colors of light as plain attributes, which every reader
of SVG knows; a style sheet within the picture replaces them where dark is asked
for. The paper is drawn too: a picture reads on whatever page it lies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Units across: about the pixels that a phone has.
WIDTH = 400.0
MARGIN = 12.0
SIZE = 14.0
SMALL = 12.0
#: How far above the line that letters stand on their middle is.
MIDDLE, SMALL_MIDDLE = 4.5, 4.2

#: Each color in light and in dark.
COLORS = {
    "paper": ("#ffffff", "#1c232c"),
    "tint": ("#f1f4f7", "#28313c"),
    "ink": ("#22272e", "#e6e9ed"),
    "quiet": ("#59636e", "#a3adb8"),
    "line": ("#bcc4cd", "#56616e"),
    "alarm": ("#b3261e", "#ff9189"),
    "good": ("#1b6e3c", "#7fdc9f"),
    "node1": ("#a64500", "#ffb072"),
    "node2": ("#1a65a3", "#86bbea"),
    "node3": ("#6b3fa0", "#c9a9f2"),
}
SANS = "'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
MONO = "'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

Anchor = Literal["start", "middle", "end"]

# Widths in em of the broadest of the usual fonts, DejaVu Sans: a line that fits in
# it fits in all.
_NARROW = dict.fromkeys("ijl'|", 0.29) | dict.fromkeys("ft.,:;()[] -!/r", 0.38)
_BROAD = dict.fromkeys("mwMW@%", 0.95) | dict.fromkeys("ABCDEGHKNOQRUVXY→", 0.72)
_EM_OF = _NARROW | _BROAD
_EM, _EM_MONO = 0.61, 0.61
#: Code is set a little smaller, as pages do.
_MONO_SCALE = 0.92


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, between backticks or not."""

    text: str
    code: bool

    def width(self, size: float) -> float:
        """Units that it takes at most."""
        if self.code:
            return len(self.text) * _EM_MONO * _MONO_SCALE * size
        return sum(_EM_OF.get(letter, _EM) for letter in self.text) * size


def words(text: str) -> Iterator[Word]:
    """Split a text whose code stands between backticks.

    Args:
        text: For example ``its `oseq` is 0``.

    Yields:
        Words; punctuation that touches code belongs to it.
    """
    for nth, part in enumerate(text.split("`")):
        for word in re.findall(r"\S+\s*|\s+", part):
            yield Word(word, code=nth % 2 == 1)


def width_of(text: str, size: float = SIZE) -> float:
    """Units that a text takes on one line, at most."""
    return sum(word.width(size) for word in words(text))


def wrap(text: str, room: float, size: float = SIZE) -> list[str]:
    """Break a text into lines.

    Args:
        text: The text, code between backticks.
        room: Units that a line may take.
        size: Of its letters.

    Returns:
        Lines, each with its own backticks.

    Raises:
        ValueError: A word alone is broader than the room.
    """
    lines: list[list[Word]] = [[]]
    taken = 0.0
    for word in words(text):
        bare = Word(word.text.rstrip(), word.code).width(size)
        if bare > room:
            raise ValueError(f"no room for {word.text!r}: {bare:.0f} of {room:.0f}")
        # Punctuation stays with the code that it follows without a space.
        after_space = lines[-1] and lines[-1][-1].text.endswith(" ")
        if taken + bare > room and after_space:
            lines.append([])
            taken = 0.0
        lines[-1].append(word)
        taken += word.width(size)
    return [_joined(line) for line in lines]


def _joined(line: list[Word]) -> str:
    marked = [f"`{word.text}`" if word.code else word.text for word in line]
    return re.sub(r"\s+(`?)$", r"\1", "".join(marked).replace("``", ""))


class Canvas:
    """Shapes, in the order in which they are painted."""

    def __init__(self, title: str, width: float = WIDTH) -> None:
        self.title = title
        self.width = width
        self.shapes: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str = "ink",
        *,
        size: float = SIZE,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        """Write one line; ``y`` is the line that letters stand on."""
        spans = []
        for nth, part in enumerate(text.split("`")):
            if nth % 2 == 0:
                spans.append(escape(part))
            else:
                small = number(size * _MONO_SCALE)
                spans.append(
                    f'<tspan font-family="{MONO}" font-size="{small}">'
                    f"{escape(part)}</tspan>"
                )
        weight = ' font-weight="700"' if bold else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.shapes.append(
            f'<text x="{number(x)}" y="{number(y)}" {_fill(color)} '
            f'font-size="{number(size)}"{place}{weight}>{"".join(spans)}</text>'
        )

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        color: str = "ink",
        *,
        room: float | None = None,
        size: float = SIZE,
        bold: bool = False,
    ) -> float:
        """Write a text on as many lines as it needs.

        Returns:
            Where the line below it would stand.
        """
        room = self.width - MARGIN - x if room is None else room
        for line in wrap(text, room, size):
            self.text(x, y, line, color, size=size, bold=bold)
            y += leading(size)
        return y

    def line(
        self,
        points: list[tuple[float, float]],
        color: str,
        *,
        width: float = 2.0,
        dash: str = "",
        faint: bool = False,
    ) -> None:
        """Draw a line through points."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        dashes += ' stroke-opacity="0.5"' if faint else ""
        self.shapes.append(
            f'<polyline points="{path}" fill="none" {_stroke(color)} '
            f'stroke-width="{number(width)}" stroke-linejoin="round"{dashes}/>'
        )

    def dot(self, x: float, y: float, color: str, radius: float = 4.5) -> None:
        """Draw a dot."""
        self.shapes.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" '
            f"{_fill(color)}/>"
        )

    def box(
        self,
        corner: tuple[float, float],
        size: tuple[float, float],
        *,
        fill: str = "paper",
        edge: str | None = None,
        radius: float = 5.0,
    ) -> None:
        """Draw a box with round corners."""
        (x, y), (width, height) = corner, size
        outline = f' {_stroke(edge)} stroke-width="1.5"' if edge else ""
        classes = f"f-{fill}" + (f" s-{edge}" if edge else "")
        body = f"{_fill(fill)}{outline}"
        body = re.sub(r' ?class="[^"]*"', "", body)
        self.shapes.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" '
            f'height="{number(height)}" rx="{number(radius)}" class="{classes}" '
            f"{body}/>"
        )

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        color: str,
        *,
        width: float = 2.0,
    ) -> None:
        """Draw a straight arrow, across or down."""
        (x0, y0), (x1, y1) = start, end
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        back = (x1 - 8 * dx, y1 - 8 * dy)
        self.line([start, back], color, width=width)
        wings = (
            (back[0] - 4.5 * dy, back[1] + 4.5 * dx),
            (x1, y1),
            (back[0] + 4.5 * dy, back[1] - 4.5 * dx),
        )
        path = " ".join(f"{number(x)},{number(y)}" for x, y in wings)
        self.shapes.append(f'<polygon points="{path}" {_fill(color)}/>')

    def cross(self, x: float, y: float, color: str, reach: float = 5.0) -> None:
        """Draw a cross, for what is lost."""
        for slope in (-1, 1):
            self.line(
                [(x - reach, y - slope * reach), (x + reach, y + slope * reach)],
                color,
                width=3,
            )

    def svg(self, height: float) -> str:
        """Finish the picture.

        Args:
            height: Units down.

        Returns:
            SVG source.
        """
        dark = "".join(
            f".f-{name}{{fill:{night}}}.s-{name}{{stroke:{night}}}"
            for name, (_, night) in COLORS.items()
        )
        wide, high = number(self.width), number(height)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} '
                f'{high}" width="{wide}" height="{high}" role="img" '
                f'font-family="{SANS}">',
                f"<title>{escape(self.title)}</title>",
                "<style>@media screen and (prefers-color-scheme: dark)"
                f"{{{dark}}}</style>",
                f'<rect width="{wide}" height="{high}" rx="6" {_fill("paper")}/>',
                *self.shapes,
                "</svg>\n",
            ]
        )


def leading(size: float) -> float:
    """Units from one line to the next."""
    return round(size * 1.36, 1)


def number(value: float) -> str:
    """Write a number in as few digits as a picture needs."""
    return f"{value:.1f}".removesuffix(".0")


def _fill(color: str) -> str:
    return f'class="f-{color}" fill="{COLORS[color][0]}"'


def _stroke(color: str) -> str:
    return f'class="s-{color}" stroke="{COLORS[color][0]}"'
