"""A reader follows a page on a lab of their own."""

import subprocess
import sys

import pytest


def docs(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "runbooks", "docs", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pages_are_listed_with_their_labs():
    done = docs("list")
    assert done.returncode == 0
    assert "runbooks/kvstore-lease-expired\n" in done.stdout
    assert "lab/index   (lab: starts its own)\n" in done.stdout


def test_unknown_page_is_answered_with_those_that_there_are():
    done = docs("run", "kvstore-lost")
    assert done.returncode == 2
    assert "no page with commands is called 'kvstore-lost'" in done.stderr
    assert "  runbooks/kvstore-lease-expired\n" in done.stderr


@pytest.mark.lab
@pytest.mark.page
def test_page_is_followed_on_a_lab(lab):
    done = docs("run", "index", "--name", lab.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "$ ipsec-runbooks check\nVerdict: healthy\n" in done.stdout
    assert "commands in 1 blocks printed what the page shows" in done.stdout
