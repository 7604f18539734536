"""``cast``: a terminal recording that plays in the page, from the site alone.

.. cast:: ../pictures/demo.cast
   :alt: What happens in it, in words.

   The caption.

The page holds the whole text, so that it can be read, searched, copied, and printed
without playing it; ``cast.js`` shows line after line at the pace of the record. The
record is an asciicast, version 2, of programs that print line by line.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from rich.ansi import AnsiDecoder
from rich.console import Console
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.text import Text
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

#: Nobody watches a terminal wait for longer.
WAIT_LIMIT_S = 1.5
#: What a step's line takes to be read, and a step at most.
READING_S, READING_LIMIT_S = 0.2, 5.0
#: How the demo announces a step.
STEP = re.compile(r"^\[ *[\d.]+ s\] \d+\. ")
#: What moves the cursor or clears: a line-by-line player can't show it.
MOVES = re.compile(r"\x1b\[[\d;?]*[A-LN-Zac-ln-z]|\x1b[^\[]|\r(?!\r*\n)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the recording.

    Attributes:
        at_s: When it appears, in seconds since the recording began.
        text: What it says, with its colors.
    """

    at_s: float
    text: Text

    @property
    def is_step(self) -> bool:
        """Whether a step of the story begins here."""
        return STEP.match(self.text.plain) is not None


def lines_of(recording: str) -> list[Line]:
    """Read a recording.

    Args:
        recording: An asciicast, version 2.

    Returns:
        Its lines, with long waits cut to :data:`WAIT_LIMIT_S`.

    Raises:
        ValueError: It is of another version, or a program in it moves the cursor.
    """
    head, *events = [json.loads(line) for line in recording.splitlines()]
    if head.get("version") != 2:
        raise ValueError("not an asciicast of version 2")
    decoder = AnsiDecoder()
    began: list[float] = []
    printed: list[str] = []
    shown_s = before_s = 0.0
    for at_s, kind, text in events:
        if kind != "o":
            continue
        shown_s += min(at_s - before_s, WAIT_LIMIT_S)
        before_s = at_s
        for piece in re.findall(r"[^\n]*\n|[^\n]+", text):
            if printed and not printed[-1].endswith("\n"):
                printed[-1] += piece
                continue
            began.append(round(shown_s, 2))
            printed.append(piece)
    if MOVES.search("".join(printed)):
        raise ValueError("a program moves the cursor; record it without progress bars")
    return readable(
        Line(at_s, decoder.decode_line(line.rstrip("\r\n")))
        for at_s, line in zip(began, printed, strict=True)
    )


def readable(lines: Iterable[Line]) -> list[Line]:
    """Hold each step that is done until it can have been read.

    Args:
        lines: As they were printed.

    Returns:
        The same, without blank lines at their begin, and with longer pauses.
    """
    held: list[Line] = []
    pause_s = 0.0
    since = 0
    for line in lines:
        if line.is_step and held:
            pause_s += min(READING_S * since, READING_LIMIT_S)
            since = 0
        since += 1
        if held or line.text.plain:
            held.append(Line(round(line.at_s + pause_s, 2), line.text))
    return held


def html_of_text(text: Text) -> Iterator[str]:
    """Write a line's text as HTML, its colors as classes.

    Args:
        text: The line.

    Yields:
        Pieces.
    """
    for segment in text.render(Console(width=1000)):
        style, said = segment.style, html.escape(segment.text, quote=False)
        classes = []
        if style and style.bold:
            classes.append("bold")
        if style and style.color and style.color.number is not None:
            classes.append(f"color-{style.color.number}")
        if classes and said.strip():
            yield f'<span class="{" ".join(classes)}">{said}</span>'
        else:
            yield said


def html_of(lines: list[Line]) -> str:
    """Write a recording as the text that the player shows."""
    made = []
    for line in lines:
        step = ' class="cast-step"' if line.is_step else ""
        text = "".join(html_of_text(line.text)).rstrip()
        made.append(f'<span data-at="{line.at_s:g}"{step}>{text}\n</span>')
    return "".join(made)


class Cast(nodes.General, nodes.Element):
    """A recording, with its caption as its children."""


class CastDirective(SphinxDirective):
    """The directive; its argument is the recording, relative to the page."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Read the recording."""
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        if "alt" not in self.options:
            raise self.error("a recording needs :alt:, what happens in it in words")
        try:
            lines = lines_of(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise self.error(f"{path}: {error}") from error
        node = Cast("", alt=self.options["alt"], lines=lines)
        node += self.parse_content_to_nodes()
        return [node]


CONTROLS = """\
<div class="cast-controls" role="group" aria-label="Player" hidden="">
<button type="button" class="cast-play">Play</button>
<button type="button" class="cast-back">Previous step</button>
<button type="button" class="cast-on">Next step</button>
<input type="range" class="cast-place" min="0" step="0.1" aria-label="Position" />
<span class="cast-time" aria-hidden="true"></span>
</div>
"""


def visit_html(translator: Any, node: Cast) -> None:
    """Write the player around the whole text."""
    label = html.escape(" ".join(node["alt"].split()))
    translator.body.append(
        f'<figure class="cast" aria-label="{label}">\n{CONTROLS}'
        f'<pre class="cast-screen" tabindex="0">{html_of(node["lines"])}</pre>\n'
        "<figcaption>"
    )


def depart_html(translator: Any, _node: Cast) -> None:
    """End the caption."""
    translator.body.append("</figcaption></figure>\n")


def as_text(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Where nothing plays, such as in a book, show what was printed."""
    if app.builder.name in {"html", "dirhtml", "singlehtml"}:
        return
    for node in list(doctree.findall(Cast)):
        text = "\n".join(line.text.plain.rstrip() for line in node["lines"])
        node.replace_self([nodes.literal_block(text, text), *node.children])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_node(Cast, html=(visit_html, depart_html))
    app.add_directive("cast", CastDirective)
    app.connect("doctree-resolved", as_text)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
