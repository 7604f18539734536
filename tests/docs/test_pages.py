"""The commands of every page, run in order against a lab, print what it shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.evaluate import Tally, evaluator
from tests.docs.pages import ROOT, pages_with_sessions, parse
from tests.docs.shell import Shell

pytestmark = [pytest.mark.lab, pytest.mark.page]

#: How long one command of a page may take; a reader would not wait longer either.
COMMAND_LIMIT_S = 180

#: The page that starts a lab, and the name that this lab gets in the test.
LAB_PAGE, OWN_LAB = Path("docs/lab/index.rst"), "docs-page"

#: Pages say `ipsec-runbooks lab`, whose lab is named "lab". A test's lab has another
#: name, so that it leaves the reader's own alone: the name is put in here, and
#: nothing else is.
SHIM = """\
#!/bin/bash
if [ "$1" = lab ] && [ $# -gt 1 ]; then
    words=("${{@:2}}")
    verbs=1
    [ "$2" = traffic ] && verbs=2
    set -- lab "${{words[@]:0:verbs}}" --name {name} "${{words[@]:verbs}}"
fi
exec {command} "$@"
"""


def workspace(folder: Path) -> Path:
    """Lay out what a reader's clone has, without letting a page write into ours."""
    clone = folder / "cilium-ipsec-runbooks"
    clone.mkdir()
    shutil.copytree(ROOT / "playbooks", clone / "playbooks")
    for name in ("docs", "runbooks"):
        (clone / name).symlink_to(ROOT / name)
    return clone


def environment(folder: Path, lab_name: str) -> dict[str, str]:
    """What a reader has whose `.venv` is activated, and no more."""
    programs = Path(sys.executable).parent
    shims = folder / "bin"
    shims.mkdir()
    shim = shims / "ipsec-runbooks"
    shim.write_text(SHIM.format(name=lab_name, command=programs / "ipsec-runbooks"))
    shim.chmod(0o755)
    return {
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": f"{shims}:{programs}:{os.environ['PATH']}",
        "TERM": "dumb",
        "TZ": "UTC",
    }


def run(page: Path, tally: Tally, folder: Path, env: dict[str, str]) -> None:
    with Shell(workspace(folder), env, COMMAND_LIMIT_S) as shell:
        for example in parse(page, evaluator(shell, tally)).examples():
            example.evaluate()
    assert tally.blocks > 0


def end_own_lab() -> str:
    down = ["ipsec-runbooks", "lab", "down", "--name", OWN_LAB]
    programs = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        down, env=os.environ | programs, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def own_lab():
    """The name of a lab that the page itself starts and ends."""
    yield OWN_LAB
    end_own_lab()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", sorted({*pages_with_sessions()} - {LAB_PAGE}), ids=str)
def test_commands_print_what_the_page_shows(page, lab, tallies, tmp_path):
    tally = tallies[str(page)] = Tally()
    env = environment(tmp_path, lab.name) | {"KUBECONFIG": str(lab.kubeconfig)}
    try:
        run(page, tally, tmp_path, env)
    except AssertionError:
        lab.run("heal")  # A page heals what it breaks, if it gets that far.
        raise


@pytest.mark.timeout(600)
def test_commands_of_the_page_about_the_lab_print_what_it_shows(
    own_lab, tallies, tmp_path
):
    tally = tallies[str(LAB_PAGE)] = Tally()
    run(LAB_PAGE, tally, tmp_path, environment(tmp_path, own_lab))
    assert "No lab" in end_own_lab(), "the page left its lab running"
