"""reStructuredText: which parts of a file are prose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.docs.style.prose import (
    EXEMPTION,
    CodeBlock,
    Heading,
    Prose,
    end_of_indented,
    indent_of,
)

if TYPE_CHECKING:
    from pathlib import Path

DIRECTIVE = re.compile(
    r"\s*(?:[*-] +|#\. +)?\.\. (?P<name>[\w:-]+)::(?: +(?P<words>.*))?$"
)
TARGET = re.compile(r"\s*\.\. (?:_|\[|\||__:)")
COMMENT = re.compile(r"\s*\.\.(?: |$)")
ADORNMENT = re.compile(r"([!-/:-@[-`{-~])\1{2,}$")
OPTION = re.compile(r"\s+:(?P<name>[\w-]+):")
TABLE = re.compile(r"\s*(?:[+|].*[+|]|=+(?: +=+)+)\s*$")

#: Directives whose content readers see as code.
CODE = {"code", "code-block", "sourcecode", "parsed-literal", "literalinclude"}
#: Directives whose words in the first line are prose.
SPOKEN = {"admonition", "note", "warning", "tip", "important", "rubric", "seealso"}
#: Directives whose content is prose.
SPEAKING = SPOKEN | {"figure", "image", "tabs", "tab", "group-tab", "list-table"}
SPEAKING |= {"only", "glossary", "container", "details", "versionadded", "caution"}
SPEAKING |= {"table", "topic", "epigraph", "hlist", "compound", "dropdown", "danger"}

INLINE = (
    (re.compile(r"``(?:[^`]|`(?!`))+?``"), 0),
    # A reference's words are prose, its target is not.
    (re.compile(r"(:(?:ref|doc|term|download|abbr):)`[^`<]+<[^`]+>`"), 1),
    (re.compile(r":[\w:-]+:`[^`]*`"), 0),
    (re.compile(r"`[^`<]+(<[^`]+>)`"), 1),
    (re.compile(r"https?://\S+"), 0),
    (re.compile(r"(?<![\w/])~?/[\w./-]+"), 0),
    (re.compile(r"\|[\w -]+\|"), 0),
)


def read_restructured(path: Path, text: str) -> Prose:
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
        index = _read_block(page, index)
    for pattern, group in INLINE:
        page.hide_inline(pattern, group)
    return page


def _read_block(page: Prose, index: int) -> int:
    """Read what begins in a line; gives the line to go on with."""
    line = page.lines[index]
    if found := DIRECTIVE.match(line):
        return _read_directive(page, index, found["name"], found["words"] or "")
    if TARGET.match(line):
        return _hide(
            page, index, end_of_indented(page.lines, index + 1, indent_of(line))
        )
    if COMMENT.match(line):
        return _read_comment(page, index)
    if _is_title(page.lines, index):
        page.headings.append(Heading(index + 1, line.strip()))
        page.hide_line(index + 1)
        return index + 2
    if ADORNMENT.match(line.rstrip()) or line.lstrip().startswith(">>> "):
        page.hide_line(index)
    if OPTION.match(" " + line) and index == 0:
        page.hide_line(index)
    if TABLE.match(line):
        page.unbreakable.add(index + 1)
    if line.rstrip().endswith("::"):
        end = end_of_indented(page.lines, index + 1, _indent_of_paragraph(page, index))
        page.verbatim.update(range(index + 2, end + 1))
        return max(index + 1, _hide(page, index + 1, end))
    return index + 1


def _is_title(lines: list[str], index: int) -> bool:
    title = lines[index]
    if not title.strip() or ADORNMENT.match(title.rstrip()) or index + 1 >= len(lines):
        return False
    under = lines[index + 1].rstrip()
    return bool(ADORNMENT.match(under)) and len(under) >= len(title.strip())


def _indent_of_paragraph(page: Prose, index: int) -> int:
    while index and page.lines[index - 1].strip():
        index -= 1
    return indent_of(page.lines[index])


def _hide(page: Prose, start: int, end: int) -> int:
    for index in range(start, end):
        page.hide_line(index)
    return max(end, start + 1)


def _read_comment(page: Prose, index: int) -> int:
    end = end_of_indented(page.lines, index + 1, indent_of(page.lines[index]))
    end = max(end, index + 1)
    comment = " ".join(line.strip() for line in page.lines[index:end])
    if exemption := EXEMPTION.search(comment):
        page.exempt_next_block(end, {exemption["rule"]})
    return _hide(page, index, end)


def _read_directive(page: Prose, index: int, name: str, words: str) -> int:
    line = page.lines[index]
    page.unbreakable.add(index + 1)
    indent = line.index(".. ")
    end = max(end_of_indented(page.lines, index + 1, indent), index + 1)
    body = _hide_options(page, index + 1, end)
    if name in CODE:
        while body < end and not page.lines[body].strip():
            body += 1
        first = page.lines[body].strip() if body < end else ""
        language = words.strip() or None
        page.blocks.append(CodeBlock(index + 1, name, language, first))
        page.verbatim.update(range(index + 2, end + 1))
    if name not in SPEAKING:
        return _hide(page, index, end)
    if name in SPOKEN:
        cut = line.index("::") + 2
        page.words[index] = " " * cut + line[cut:]
    else:
        page.hide_line(index)
    return body


def _hide_options(page: Prose, start: int, end: int) -> int:
    """Hide a directive's options but the words that stand for a picture."""
    index = start
    spoken = False
    while index < end and page.lines[index].strip():
        option = OPTION.match(page.lines[index])
        if option is None and index == start:
            return start
        if option:
            spoken = option["name"] in {"alt", "caption"}
            if spoken:
                cut = option.end()
                page.words[index] = " " * cut + page.lines[index][cut:]
        if not spoken:
            page.hide_line(index)
        index += 1
    return index
