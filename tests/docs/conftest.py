"""Say after the tests what became of every page's commands."""

from __future__ import annotations

import pytest

TALLIES = pytest.StashKey[dict]()


@pytest.fixture
def tallies(request):
    """Tally by page, printed after the run."""
    return request.config.stash.setdefault(TALLIES, {})


def pytest_terminal_summary(terminalreporter, config):
    tallies = config.stash.get(TALLIES, {})
    if not tallies:
        return
    terminalreporter.section("commands of the documentation")
    for page, tally in tallies.items():
        terminalreporter.line(f"{page}: ran {tally.commands} in {tally.blocks} blocks")
        for line, reason in tally.skipped:
            terminalreporter.line(f"{page}:{line}: not run: {reason}")
