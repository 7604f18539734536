"""Say after the tests what became of every page's commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

TALLIES = pytest.StashKey[dict]()


@pytest.fixture
def tallies(request):
    """Tally by page, printed after the run."""
    return request.config.stash.setdefault(TALLIES, {})


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
    for page, tally in tallies.items():
        terminalreporter.line(f"{page}: ran {tally.commands} in {tally.blocks} blocks")
        for line, reason in tally.skipped:
            terminalreporter.line(f"{page}:{line}: not run: {reason}")
