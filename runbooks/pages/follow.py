"""Show a page's run on a terminal, block by block, at the reader's pace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from runbooks.pages.evaluate import Follower

if TYPE_CHECKING:
    from runbooks.pages.session import Command, Session
    from runbooks.pages.source import Page


class OnTerminal(Follower):
    """Prints each command before it runs and its output after.

    Args:
        page: The page.
        step: Whether to wait for the Enter key before each block.
    """

    def __init__(self, page: Page, step: bool) -> None:
        self._page = page
        self._step = step
        self._lines = page.text.splitlines()

    def block(self, line: int, session: Session) -> None:
        """Say where on the page the next block stands, and wait if asked to."""
        heading = self._heading_above(line)
        typer.secho(f"\n{heading} (line {line} of {self._page.path.name})", bold=True)
        if session.skipped is not None:
            typer.echo(f"Not run: {session.skipped}")
            return
        if self._step:
            for command in session.commands:
                typer.echo(_as_typed(command))
            typer.prompt(
                "Enter runs it, Ctrl-C ends",
                default="",
                show_default=False,
                prompt_suffix=" ",
            )

    def command(self, command: Command) -> None:
        """Show the command that runs now."""
        typer.secho(_as_typed(command), fg=typer.colors.CYAN)

    def output(self, text: str, status: int) -> None:
        """Show what it printed."""
        if text.strip():
            typer.echo(text.rstrip())
        if status:
            typer.secho(f"(exit status {status})", fg=typer.colors.YELLOW)

    def _heading_above(self, line: int) -> str:
        """The nearest heading above a line: what is underlined, or begins with #."""
        for number in range(line - 2, 0, -1):
            text, under = self._lines[number - 1], self._lines[number]
            if text.startswith("#") and text.strip("#").strip():
                return text.strip("# ")
            underlined = under[:1] in set("=#-~") and len(set(under)) == 1
            if underlined and text[:1].isalnum() and len(under) >= len(text):
                return text.strip()
        return self._page.name


def _as_typed(command: Command) -> str:
    prompt = "# " if command.as_root else "$ "
    first, *more = command.text.split("\n")
    return "\n".join([prompt + first, *(f"> {line}" for line in more)])
