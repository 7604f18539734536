"""Shell sessions on documentation pages: from the page's text to commands.

A session is a ``shell-session`` block: ``$ `` (or ``# `` for root) before each
command, what the command prints below it. A comment right before the block can say
what the reader is not told:

``.. exit-status: 1``
    the block's last command exits so; without it every command must exit 0;
``.. skip-run: reason``
    the block is not run; the tests hold the list of blocks that may say so.

A comment on a page's first line says which lab the page is about:

``.. lab: --mode crd``
    options of ``lab up``; without it, a lab without options;
``.. lab: none``
    the page starts its own.

In Markdown the same words stand in an HTML comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sybil import Document, Region
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer
from sybil.parsers.rest.lexers import DirectiveLexer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sybil.typing import Evaluator

LANGUAGE = "shell-session"
MARKER = re.compile(
    r"(?:\.\.|<!--)[ ]+(?P<name>[a-z]+(?:-[a-z]+)*):(?!:)"
    r"[ ]*(?P<value>[^\n]*?)(?:[ ]*-->)?"
)


#: What a page says of its lab when it starts its own.
NO_LAB = "none"


class PageError(ValueError):
    """A block that can't be read as a shell session; says where and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a session.

    Attributes:
        line: Line of its prompt, counted from the block's first line, 0.
        text: The command, with its continuation lines.
        as_root: Whether its prompt is ``#``.
        expected: What it must print, with doctest's ``...``; ends with a newline
            unless empty.
        exit_status: What it must exit with; ``None`` if the next command prints
            ``$?`` and so states it.
    """

    line: int
    text: str
    as_root: bool
    expected: str
    exit_status: int | None = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A block of commands.

    Attributes:
        commands: In order; empty when ``skipped`` is set.
        skipped: Why the block is not run, if it is not.
    """

    commands: tuple[Command, ...] = ()
    skipped: str | None = None


def commands_of(text: str, last_exit_status: int = 0) -> tuple[Command, ...]:
    """Read a block's text.

    Args:
        text: The block, without its indentation.
        last_exit_status: What its last command must exit with.

    Returns:
        Its commands in order.

    Raises:
        PageError: Text before the first prompt, no command at all, or an
            ``exit-status`` that the page states twice.
    """
    lines = text.rstrip().split("\n")
    prompt = lines[0][:2]
    if prompt not in {"$ ", "# "}:
        raise PageError(f"a block starts with a prompt, not with {lines[0]!r}")
    starts = [n for n, line in enumerate(lines) if line.startswith(prompt)]
    commands = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command, output = split_command(lines[start:end])
        commands.append(
            Command(
                line=start,
                text=command,
                as_root=prompt == "# ",
                expected="".join(f"{line}\n" for line in output),
            )
        )
    return with_exit_statuses(commands, last_exit_status)


def split_command(lines: Sequence[str]) -> tuple[str, list[str]]:
    """Part a command and its continuation lines from what it prints.

    Args:
        lines: From a prompt to the line before the next one.

    Returns:
        The command without prompts, and the lines of output without blank lines at
        their end.
    """
    command = [lines[0][2:].rstrip()]
    rest = list(lines[1:])
    while rest and (command[-1].endswith("\\") or rest[0].startswith("> ")):
        command.append(rest.pop(0).removeprefix("> ").rstrip())
    while rest and not rest[-1].strip():
        rest.pop()
    return "\n".join(command), [line.rstrip() for line in rest]


def with_exit_statuses(
    commands: Sequence[Command], last_exit_status: int
) -> tuple[Command, ...]:
    """Say of each command what it must exit with.

    Args:
        commands: Of one block, in order.
        last_exit_status: From the block's ``exit-status`` comment.

    Returns:
        The same commands with their exit statuses.
    """
    following = [*commands[1:], None]
    stated = []
    for command, after in zip(commands, following, strict=True):
        status: int | None = 0
        if after is None:
            status = last_exit_status
        elif after.text == "echo $?":
            status = None
        stated.append(
            Command(
                command.line, command.text, command.as_root, command.expected, status
            )
        )
    return tuple(stated)


def lab_of(text: str) -> tuple[str, ...] | None:
    """Read which lab a page is about.

    Args:
        text: The page.

    Returns:
        Options of ``lab up``; ``None`` when the page starts its own lab.
    """
    first = MARKER.fullmatch(text.partition("\n")[0].strip())
    if first is None or first["name"] != "lab":
        return ()
    return None if first["value"] == NO_LAB else tuple(first["value"].split())


def markers_before(text: str, position: int) -> dict[str, str]:
    """Read the comments that stand right before a block.

    Args:
        text: The page.
        position: Where the block starts in it.

    Returns:
        Value by name, for example ``{"exit-status": "1"}``.

    Raises:
        PageError: A name that means nothing here, which would hide a typing error.
    """
    markers: dict[str, str] = {}
    for line in reversed(text[:position].split("\n")):
        if not line.strip():
            continue
        match = MARKER.fullmatch(line.strip())
        if match is None:
            break
        if match["name"] not in {"exit-status", "skip-run"}:
            raise PageError(f"unknown comment before a block: {line.strip()!r}")
        markers[match["name"]] = match["value"]
    return markers


class ShellSessionParser:
    """Sybil parser for the ``shell-session`` blocks of a page.

    Args:
        evaluator: Runs a block.
        markdown: Whether pages are Markdown rather than reStructuredText.
    """

    def __init__(self, evaluator: Evaluator, *, markdown: bool = False) -> None:
        self.evaluator = evaluator
        self.lexer = (
            FencedCodeBlockLexer(LANGUAGE)
            if markdown
            else DirectiveLexer("code-block", arguments=LANGUAGE)
        )

    def __call__(self, document: Document) -> Iterator[Region]:
        """Find the blocks of a page, in order.

        Args:
            document: The page.

        Yields:
            Regions whose ``parsed`` is a :class:`Session`.

        Raises:
            PageError: A block can't be read; names the page and line.
        """
        for region in self.lexer(document):
            if region.lexemes.get("arguments", LANGUAGE) != LANGUAGE:
                continue
            try:
                session = self.session(document.text, region)
            except PageError as error:
                line = document.text.count("\n", 0, region.start) + 1
                raise PageError(f"{document.path}:{line}: {error}") from None
            yield Region(
                region.start,
                region.end,
                parsed=session,
                evaluator=self.evaluator,
                lexemes={"line_offset": region.lexemes["source"].line_offset + 1},
            )

    @staticmethod
    def session(text: str, region: Region) -> Session:
        """Read one block and the comments before it.

        Args:
            text: The page.
            region: The block's region, as lexed.

        Returns:
            The session.

        Raises:
            PageError: The block or a comment can't be read.
        """
        markers = markers_before(text, region.start)
        if "skip-run" in markers:
            if not markers["skip-run"]:
                raise PageError("skip-run gives no reason")
            return Session(skipped=markers["skip-run"])
        status = markers.get("exit-status", "0")
        if not status.isdecimal():
            raise PageError(f"exit-status is a number, not {status!r}")
        source = str(region.lexemes["source"]).strip("\n")
        if not source.strip():
            raise PageError("the block is empty")
        return Session(commands=commands_of(source, int(status)))
