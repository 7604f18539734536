"""Say after the tests what became of every page's commands."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runbooks.lab.plan import Lab
from tests.docs.checkout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

TALLIES = pytest.StashKey[dict]()


@pytest.fixture
def tallies(request):
    """What became of each page, by its name; printed after the run."""
    return request.config.stash.setdefault(TALLIES, {})


@pytest.fixture
def own_labs():
    """Watches over labs that a page itself starts.

    Called with their names, it makes sure that none of them is there yet; they are
    ended after the test. Gives what tells which of them are still up.
    """
    watched: list[str] = []

    def end() -> list[str]:
        return [name for name in watched if "No lab" not in _end_lab(name)]

    def watch(*names: str) -> Callable[[], list[str]]:
        for name in names:
            if Lab(name).directory.exists():
                pytest.fail(f"A lab {name!r} runs already: end it first.")
        watched.extend(names)
        return end

    yield watch
    end()


def _end_lab(name: str) -> str:
    down = [sys.executable, "-m", "runbooks", "lab", "down", "--name", name]
    return subprocess.run(down, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, built the way `make docs` builds it: warnings are errors."""
    output = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
            *("-c", str(ROOT), str(ROOT / "docs"), str(output)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return output


def pytest_terminal_summary(terminalreporter, config):
    tallies = config.stash.get(TALLIES, {})
    if not tallies:
        return
    terminalreporter.section("commands of the documentation")
    for page, run in tallies.items():
        tally = run.tally
        terminalreporter.line(
            f"{page}: ran {tally.commands} in {tally.blocks} blocks, "
            f"{run.duration_s:.0f} s"
        )
        for line, reason in tally.skipped:
            terminalreporter.line(f"{page}:{line}: not run: {reason}")
