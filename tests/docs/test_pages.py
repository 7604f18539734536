"""The commands of every page, run in order against a lab, print what it shows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from runbooks.pages.run import run_page
from runbooks.pages.source import pages
from runbooks.pages.verified import record
from tests.conftest import start_lab
from tests.docs.checkout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.lab, pytest.mark.page]

#: Where `make docs` looks for what the pages' feet say.
VERIFIED = ROOT / "docs" / "_build" / "verified.json"
RUNNABLE = [page for page in pages() if page.has_sessions]
USUAL = [page for page in RUNNABLE if page.lab == ()]
UNUSUAL = [page for page in RUNNABLE if page.lab]
OWN = [page for page in RUNNABLE if page.lab is None]
#: A lab to which the page gives a name, beside the one that has none.
NAMED_LAB = re.compile(r"ipsec-runbooks lab up --name (\S+)")


def name_of(page) -> str:
    return page.name


def run(page, tallies, folder: Path, lab_name: str, kubeconfig: Path | None) -> None:
    done = run_page(page, folder, lab_name, kubeconfig)
    tallies[page.name] = done
    if done.problem is not None:
        pytest.fail(done.problem, pytrace=False)
    assert done.tally.blocks > 0
    record(page, done, VERIFIED)


@pytest.mark.parametrize("page", USUAL, ids=name_of)
def test_commands_print_what_the_page_shows(page, lab, tallies, tmp_path):
    try:
        run(page, tallies, tmp_path, lab.name, lab.kubeconfig)
    except pytest.fail.Exception:
        lab.run("heal")  # A page heals what it breaks, if it gets that far.
        raise


@pytest.mark.parametrize("page", UNUSUAL, ids=name_of)
def test_commands_print_what_a_page_about_another_lab_shows(page, tallies, tmp_path):
    with start_lab(f"page-{os.getpid()}", *page.lab) as lab:
        run(page, tallies, tmp_path, lab.name, lab.kubeconfig)


@pytest.mark.parametrize("page", OWN, ids=name_of)
def test_commands_of_a_page_that_starts_a_lab_print_what_it_shows(
    page, own_labs, tallies, tmp_path
):
    name = f"docs-page-{os.getpid()}"
    still_up = own_labs(name, *NAMED_LAB.findall(page.text))
    run(page, tallies, tmp_path, name, None)
    assert still_up() == [], "the page left a lab running"
