"""The commands of every page, run in order against a lab, print what it shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.docs.evaluate import Tally, evaluator
from tests.docs.pages import ROOT, pages_with_sessions, parse
from tests.docs.shell import Shell

pytestmark = pytest.mark.lab

#: How long one command of a page may take; a reader would not wait longer either.
COMMAND_LIMIT_S = 180


def environment(home: Path) -> dict[str, str]:
    """What a reader has who stands in the repository with its `.venv` activated."""
    return {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "TZ": "UTC",
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", pages_with_sessions(), ids=str)
def test_commands_print_what_the_page_shows(page, lab, tallies, tmp_path):
    env = environment(tmp_path) | lab.env
    tally = tallies[str(page)] = Tally()
    with Shell(ROOT, env, COMMAND_LIMIT_S) as shell:
        document = parse(page, evaluator(shell, tally))
        for example in document.examples():
            example.evaluate()
    assert tally.commands > 0
