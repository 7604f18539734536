"""Markdown: which parts of a file are prose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.docs.style.prose import EXEMPTION, CodeBlock, Heading, Prose

if TYPE_CHECKING:
    from pathlib import Path

FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,}|:{3,})(?P<words>.*)$")
HEADING = re.compile(r"#{1,6} +(?P<title>.+?)\s*#*$")
COMMENT = re.compile(r"\s*(?:<!--|% )")
#: A picture or a badge alone on its line: Markdown can't fold it.
PICTURE = re.compile(r"\s*\[?!\[.*\)\s*$")
TABLE = re.compile(r"\s*\|.*\|\s*$")

INLINE = (
    (re.compile(r"\{[\w:-]+\}`[^`]*`"), 0),
    (re.compile(r"(`+)(?:(?!\1).)+?\1", re.DOTALL), 0),
    (re.compile(r"\](\([^()\s]+\))"), 1),
    (re.compile(r"<https?://[^>]+>|https?://\S+"), 0),
    (re.compile(r"(?<![\w/])~?/[\w./-]+"), 0),
)


def read_markdown(path: Path, text: str) -> Prose:
    """Tell the prose of a page from everything else.

    Args:
        path: Of the page.
        text: What is in it.

    Returns:
        Its prose.
    """
    lines = text.split("\n")
    page = Prose(path, lines, list(lines))
    index = 0
    while index < len(lines):
        line = lines[index]
        fence = FENCE.match(line)
        if fence and ":" not in fence["fence"]:
            index = _read_code(page, index, fence["fence"], fence["words"].strip())
            continue
        if fence:
            page.hide_line(index)
        elif heading := HEADING.match(line):
            page.headings.append(Heading(index + 1, heading["title"]))
        elif COMMENT.match(line):
            if exemption := EXEMPTION.search(line):
                page.exempt_next_block(index + 1, {exemption["rule"]})
            page.hide_line(index)
        if PICTURE.match(line) or TABLE.match(line):
            page.unbreakable.add(index + 1)
        index += 1
    for pattern, group in INLINE:
        page.hide_inline(pattern, group)
    return page


def _read_code(page: Prose, start: int, fence: str, language: str) -> int:
    """Hide a fenced block; gives the line after it."""
    end = start + 1
    while end < len(page.lines) and page.lines[end].strip() != fence:
        end += 1
    first = page.lines[start + 1].strip() if end > start + 1 else ""
    page.blocks.append(CodeBlock(start + 1, "code-block", language or None, first))
    for index in range(start, min(end + 1, len(page.lines))):
        page.hide_line(index)
        page.verbatim.add(index + 1)
    return end + 1
