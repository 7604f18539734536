"""Run a page from its first command to its last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.pages.evaluate import Follower, Tally, run_session
from runbooks.pages.shell import Shell
from runbooks.pages.workspace import environment, lay_out

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.pages.source import Page

#: How long one command of a page may take; a reader would not wait longer either.
COMMAND_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class PageRun:
    """What became of a page.

    Attributes:
        tally: Blocks and commands.
        duration_s: How long all of it took, in seconds.
        problem: What was not as the page has it, with the line; ``None`` if nothing.
    """

    tally: Tally
    duration_s: float
    problem: str | None


def run_page(
    page: Page,
    folder: Path,
    lab_name: str,
    kubeconfig: Path | None,
    follower: Follower | None = None,
) -> PageRun:
    """Run a page's commands in order, up to the first that is not as the page has it.

    Args:
        page: The page.
        folder: Empty folder of the run.
        lab_name: The lab that it is run on.
        kubeconfig: The lab's, unless the page itself starts it.
        follower: Told of each step; may end the run with an exception.

    Returns:
        What became of it.

    Raises:
        PageError: A block can't be read; nothing was run.
    """
    tally = Tally()
    env = environment(folder, lab_name, kubeconfig)
    examples = list(page.parse(lambda _: None).examples())
    started = time.monotonic()
    problem = None
    with Shell(lay_out(folder), env, COMMAND_LIMIT_S) as shell:
        for example in examples:
            problem = run_session(example, shell, tally, follower)
            if problem is not None:
                problem = f"{page.path}, {problem}"
                break
    return PageRun(tally, time.monotonic() - started, problem)
