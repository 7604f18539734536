"""`.ci/docs` and `.ci/links` where Sphinx fails, a dictionary or a network is missing.

The real scripts run with stubs of the programs that they call.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:1/"


class Checkout:
    """A checkout that has only a script, and a PATH with stubs before the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.stubs = folder / "stubs"
        self.log = folder / "log"
        self.stubs.mkdir()
        self.log.touch()
        for name in (".ci/docs", ".ci/links", "docs/_extensions/external_links.py"):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path)
        self.add("python", f'exec {sys.executable} "$@"')
        self.add("sphinx-build")

    def add(self, name: str, body: str = "") -> None:
        """Put a stub in place that logs its arguments."""
        stub = self.stubs / name
        stub.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{body}\n')
        stub.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        there = {name: value for name, value in os.environ.items() if name != "CI"}
        path = f"{self.stubs}:{os.environ['PATH']}"
        return subprocess.run(
            [f".ci/{script}"],
            cwd=self.folder,
            env=there | {"PATH": path} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def builders(self) -> list[str]:
        """What Sphinx was asked for."""
        calls = [line.split() for line in self.log.read_text().splitlines()]
        return [c[c.index("-b") + 1] for c in calls if c[0] == "sphinx-build"]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_every_form_is_built_html_first(checkout):
    checkout.add("python")
    assert checkout.run("docs").returncode == 0
    first, *rest = checkout.builders
    assert first == "html"
    assert sorted(rest) == ["epub", "singlehtml", "spelling"]


def test_form_that_fails_is_named_and_the_others_are_built(checkout):
    checkout.add("python")
    checkout.add("sphinx-build", '[[ " $* " != *" -b epub "* ]]')
    done = checkout.run("docs")
    assert (done.returncode, done.stderr) == (1, "docs: failed: epub\n")
    assert len(checkout.builders) == 4


def test_without_a_dictionary_the_rest_is_built_and_the_package_named(checkout):
    checkout.add("python", "exit 1")
    done = checkout.run("docs")
    assert done.returncode == 0
    assert "spelling was not checked" in done.stderr
    assert "apt-get install enchant-2 hunspell-en-us" in done.stderr
    assert sorted(checkout.builders) == ["epub", "html", "singlehtml"]


def test_continuous_integration_does_not_pass_without_a_dictionary(checkout):
    checkout.add("python", "exit 1")
    done = checkout.run("docs", CI="true")
    assert done.returncode == 1
    assert "spelling was not checked" in done.stderr


def test_links_are_not_checked_where_no_host_answers(checkout):
    listed = checkout.folder / "docs" / "_build" / "html" / "external-links.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text(f"{NOBODY}a\tindex\n")
    done = checkout.run("links")
    assert done.returncode == 77
    assert "SKIPPED" in done.stderr
    assert checkout.builders == []


def test_links_are_checked_where_there_is_nothing_to_miss(checkout):
    listed = checkout.folder / "docs" / "_build" / "html" / "external-links.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("")
    assert checkout.run("links").returncode == 0
    assert checkout.builders == ["linkcheck"]
