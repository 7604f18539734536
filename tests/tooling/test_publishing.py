"""What publishes the site calls what there is, and does so in the right order."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())
READ_THE_DOCS = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())
COMMANDS = READ_THE_DOCS["build"]["commands"]


def steps(job):
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_pages_are_built_after_the_tests_that_verify_them():
    commands = steps("test")
    assert commands.index(".ci/run") < commands.index("make wheel")


def test_nothing_is_published_that_was_not_tested():
    assert WORKFLOW["jobs"]["publish"]["needs"] == "test"
    assert "pull_request" in WORKFLOW["jobs"]["publish"]["if"]


def test_only_publishing_may_write():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["test"]


@pytest.mark.parametrize("job", ["test", "publish"])
def test_every_command_of_the_workflow_is_there(job):
    lines = [line for command in steps(job) for line in command.splitlines()]
    assert lines
    for line in lines:
        first, *rest = shlex.split(line)
        if first == "make":
            environment = {k: v for k, v in os.environ.items() if k[:4] != "MAKE"}
            dry = ["make", "--dry-run", *rest]
            subprocess.run(
                dry, cwd=ROOT, env=environment, check=True, capture_output=True
            )
        if first.startswith(".ci/"):
            assert os.access(ROOT / first, os.X_OK)


def test_what_the_tests_hand_over_is_what_is_published():
    upload = next(
        step["with"]
        for step in WORKFLOW["jobs"]["test"]["steps"]
        if step.get("with", {}).get("name") == "pages"
    )
    download = next(
        step["with"]
        for step in WORKFLOW["jobs"]["publish"]["steps"]
        if step.get("with", {}).get("name") == "pages"
    )
    assert upload["path"] == download["path"] == "docs/_build/html"
    assert upload["path"] in (ROOT / ".ci" / "publish").read_text()


def test_read_the_docs_gets_every_form_with_warnings_as_errors():
    builds = [shlex.split(c) for c in COMMANDS if c.startswith("python -m sphinx")]
    assert [build[build.index("-b") + 1] for build in builds] == [
        "html",
        "singlehtml",
        "epub",
    ]
    assert all("-W" in build for build in builds)


def test_read_the_docs_installs_what_is_locked():
    assert "--require-hashes --requirement requirements.lock" in COMMANDS[0]
    assert "--no-deps" in COMMANDS[1]


def test_book_that_read_the_docs_copies_is_the_one_that_is_built():
    assert 'epub_basename = "cilium-ipsec-runbooks"' in (ROOT / "conf.py").read_text()
    assert "docs/_build/epub/cilium-ipsec-runbooks.epub" in COMMANDS[-1]
