"""The Makefile keeps what the README promises."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = (
    *("demo", "test", "lint", "docs", "links", "wheel", "soak", "bench", "compat"),
    "clean",
)


def _make(*arguments: str) -> str:
    make = shutil.which("make")
    assert make, "make is not installed"
    result = subprocess.run(
        [make, "--no-print-directory", *arguments],
        cwd=ROOT,
        # `make test` runs this: its own options are not those under test.
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_make_alone_lists_every_target_with_its_purpose():
    listed = dict(re.findall(r"^  make (\w+)\s+(\S.*)$", _make(), re.MULTILINE))
    assert set(TARGETS) <= set(listed)


@pytest.mark.parametrize("target", [t for t in TARGETS if t != "clean"])
def test_every_target_sets_itself_up_first(target):
    commands = _make("--dry-run", target).splitlines()
    assert commands[0].startswith(".ci/setup ")


def test_test_runs_lint_and_docs_and_closes_with_the_tests():
    commands = _make("--dry-run", "test")
    steps = [commands.index(step) for step in (".ci/lint", "\n.ci/docs\n", ".ci/test")]
    assert steps == sorted(steps)
    assert ".ci/test" in commands.splitlines()[-1]
    script = (ROOT / ".ci" / "test").read_text()
    assert "'not soak and not bench and not compat'" in script
