"""Run a page's shell sessions and compare what they print with the page."""

from __future__ import annotations

import difflib
import doctest
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.pages.shell import Shell, ShellTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sybil import Example

    from runbooks.pages.session import Command, Session

#: doctest's own rules for output, less those that only make sense for Python.
COMPARISON = (
    doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1 | doctest.DONT_ACCEPT_BLANKLINE
)


@dataclass(slots=True)
class Tally:
    """What became of a page's blocks, for the test report.

    Attributes:
        blocks: Blocks seen.
        commands: Commands run.
        skipped: Line and reason of each block that was not run.
    """

    blocks: int = 0
    commands: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)


def prints_as_expected(expected: str, got: str) -> bool:
    """Compare output by doctest's rules with ``...`` for any text.

    What no reader can see doesn't count: spaces at the ends of lines, and whether a
    gap is a tab or the spaces up to its stop.

    Args:
        expected: From the page.
        got: From the command.
    """
    lines = got.expandtabs().rstrip().splitlines()
    trimmed = "".join(f"{line.rstrip()}\n" for line in lines)
    return doctest.OutputChecker().check_output(
        expected.expandtabs(), trimmed, COMPARISON
    )


def complaint(command: Command, got: str, status: int) -> str | None:
    """Say how a command was not as the page has it.

    Args:
        command: From the page.
        got: What it printed.
        status: What it exited with.

    Returns:
        Sentences with both outputs, or ``None`` when all is as it must be.
    """
    problems = []
    if command.exit_status is not None and status != command.exit_status:
        problems.append(f"It exited {status}, not {command.exit_status}.")
    if not prints_as_expected(command.expected, got):
        difference = difflib.unified_diff(
            command.expected.splitlines(),
            got.rstrip().splitlines(),
            "the page",
            "the command",
            lineterm="",
        )
        problems.append("It printed something else:\n" + "\n".join(difference))
    elif problems:
        problems.append(f"It printed:\n{got}")
    if not problems:
        return None
    return "\n".join([f"$ {command.text}", *problems])


class Follower:
    """What is told of each step of a page; this one is told in vain."""

    def block(self, line: int, session: Session) -> None:
        """A block begins, at a line of the page."""

    def command(self, command: Command) -> None:
        """A command is about to run."""

    def output(self, text: str, status: int) -> None:
        """What it printed, and its exit status."""


def run_session(
    example: Example, shell: Shell, tally: Tally, follower: Follower | None = None
) -> str | None:
    """Run one block.

    Args:
        example: The block; its ``parsed`` is a :class:`Session`.
        shell: The page's shell.
        tally: Where to count it.
        follower: Told of each step.

    Returns:
        What was wrong, with the page's line, or ``None``.
    """
    session: Session = example.parsed
    follower = follower or Follower()
    tally.blocks += 1
    follower.block(example.line, session)
    if session.skipped is not None:
        tally.skipped.append((example.line, session.skipped))
        return None
    for command in session.commands:
        line = example.line + example.region.lexemes["line_offset"] + command.line
        follower.command(command)
        try:
            got, status = shell.run(command.text, as_root=command.as_root)
        except ShellTimeoutError as error:
            return (
                f"line {line}: $ {command.text}\n"
                f"It did not end within {shell.limit_s:g} s. It printed:\n{error}"
            )
        tally.commands += 1
        follower.output(got, status)
        problem = complaint(command, got, status)
        if problem is not None:
            return f"line {line}: {problem}"
    return None


def evaluator(
    shell: Shell, tally: Tally, follower: Follower | None = None
) -> Callable[[Example], str | None]:
    """Make a Sybil evaluator of :func:`run_session`.

    Args:
        shell: The page's shell.
        tally: Where to count its blocks.
        follower: Told of each step.
    """

    def evaluate(example: Example) -> str | None:
        return run_session(example, shell, tally, follower)

    return evaluate
