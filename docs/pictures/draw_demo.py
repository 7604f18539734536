"""Draw the README's picture of the demo from what a real run printed.

Run: ``python docs/pictures/draw_demo.py``, after ``record_demo.py`` has recorded a
run. The site plays the same record.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
RECORD = HERE / "demo.cast"
PICTURE = HERE.parent / "images" / "demo.svg"
_WIDTH = 110
#: Ansible's frame around what its tasks say, and long paths.
_NOISE = re.compile(r"^(PLAY|ok:|changed:|skipping:|localhost|\s*msg:|\s*/tmp|\s+/tmp)")
_STYLES = (
    (re.compile(r"^\[ *[\d.]+ s\].*"), "bold white"),
    (re.compile(r"\bSTALE\b|\bstale\b|\b0 received\b|\bcritical\b"), "bold red"),
    (re.compile(r"\bhealthy\b|\b3 received\b|succeeded"), "bold green"),
    (re.compile(r"^\$ .*"), "cyan"),
)
#: The steps that the picture shows: from the dead pair to the healthy check.
_FIRST, _LAST = " 4. ", " 9. "


def transcript(recording: str) -> str:
    """What a recorded run printed, without its colors.

    Args:
        recording: An asciicast, version 2.
    """
    _, *events = map(json.loads, recording.splitlines())
    printed = "".join(text for _, kind, text in events if kind == "o")
    return re.sub(r"\x1b\[[\d;]*m|\r", "", printed)


def picture_lines(transcript: str) -> list[str]:
    """The lines of a run that tell the story.

    Args:
        transcript: What ``make demo`` printed.

    Raises:
        ValueError: The run did not get to its end.
    """
    if "The demo succeeded" not in transcript:
        raise ValueError(f"{RECORD}: the demo did not succeed")
    lines: list[str] = []
    showing = False
    for printed in transcript.splitlines():
        line = printed
        if re.match(r"\[ *[\d.]+ s\]", line):
            showing = _FIRST in line or (showing and _LAST not in line)
            if showing and lines:
                lines.append("")
        if line.startswith("TASK"):
            line = "  " + re.sub(r"^TASK \[rotation : (.*?)\] \*+$", r"\1", line)
            if "arg spec" in line:
                continue
        if line.startswith("skipping:") and lines:
            lines.pop()  # The step that was not needed.
        if showing and line.strip() and not _NOISE.match(line):
            lines.append(line)
    lines.append(transcript.strip().splitlines()[-1])
    return lines


def draw(lines: list[str]) -> str:
    """The lines as an SVG of a terminal, without fonts from elsewhere."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=_WIDTH, file=nowhere, legacy_windows=False)
        for line in lines:
            text = Text(line)
            for pattern, style in _STYLES:
                for match in pattern.finditer(line):
                    text.stylize(style, *match.span())
            console.print(text)
    svg = console.export_svg(title="make demo", theme=MONOKAI)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    return svg.replace("Fira Code", "DejaVu Sans Mono").replace(
        "<svg ", '<svg role="img" aria-label="The demo, step by step" ', 1
    )


if __name__ == "__main__":
    lines = picture_lines(transcript(RECORD.read_text("utf-8")))
    PICTURE.write_text(draw(lines), encoding="utf-8")
