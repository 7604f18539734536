"""What a source file says to its readers, apart from its markup and its code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A comment that lets the next block break one rule; the reason is not optional.
EXEMPTION = re.compile(r"style: allow (?P<rule>[a-z-]+): (?P<reason>\S.*)")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its line (from 1) and its words, with their markup."""

    line: int
    title: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code: its line (from 1), its language if any, its first line."""

    line: int
    directive: str
    language: str | None
    first: str


@dataclass
class Prose:
    """A source file with everything but prose blanked out, place by place.

    Args:
        path: Of the file, as messages are to show it.
        lines: The file as it is.
        words: As many lines, equally long, in which code, markup and targets are
            spaces.
        verbatim: Lines (from 1) that show code or output as it is.
        unbreakable: Lines (from 1) that markup doesn't allow to be folded.
    """

    path: Path
    lines: list[str]
    words: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    blocks: list[CodeBlock] = field(default_factory=list)
    verbatim: set[int] = field(default_factory=set)
    unbreakable: set[int] = field(default_factory=set)
    exemptions: dict[int, set[str]] = field(default_factory=dict)

    def hide_line(self, index: int) -> None:
        """Blank a line, counted from 0."""
        self.words[index] = " " * len(self.lines[index])

    def hide_inline(self, pattern: re.Pattern[str], group: int = 0) -> None:
        """Blank every match, also of what goes on in the next line.

        Args:
            pattern: What to look for in the words.
            group: The part of it that is no prose.
        """
        text = "\n".join(self.words)
        for match in pattern.finditer(text):
            start, end = match.span(group)
            text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
        self.words = text.split("\n")

    def find(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
        """Find a pattern in the prose.

        Args:
            pattern: Words; whitespace in it may be the end of a line.

        Yields:
            Line and column, from 1, and the words that were found.
        """
        text = "\n".join(self.words)
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
            yield line, column, " ".join(match.group().split())

    def exempt_next_block(self, index: int, rules: set[str]) -> None:
        """Let the lines up to the next blank one break rules.

        Args:
            index: Of the line after the comment, from 0.
            rules: Their names.
        """
        while index < len(self.lines) and not self.lines[index].strip():
            index += 1
        while index < len(self.lines) and self.lines[index].strip():
            self.exemptions.setdefault(index + 1, set()).update(rules)
            index += 1


def indent_of(line: str) -> int:
    """Count the spaces before the first word."""
    return len(line) - len(line.lstrip())


def end_of_indented(lines: list[str], start: int, indent: int) -> int:
    """Find where lines stop being indented by more than ``indent``.

    Args:
        lines: Of the file.
        start: Where to begin, from 0.
        indent: In spaces.

    Returns:
        The first line that doesn't belong, from 0; blank lines before it don't.
    """
    end = start
    for index in range(start, len(lines)):
        if not lines[index].strip():
            continue
        if indent_of(lines[index]) <= indent:
            break
        end = index + 1
    return end
