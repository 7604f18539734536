"""No command of a page escapes the checker."""

from __future__ import annotations

import re

import pytest

from runbooks.pages.source import pages

#: Blocks that are not run, by page: the reasons that the page gives. A block that is
#: not here must run.
NOT_RUN: dict[str, list[str]] = {
    "contributing": ["the page would run inside a page"],
    "install": [
        "installs from a package index; make test does the same by itself",
        "downloads from a package index, and installs on another machine",
        "installs system packages; make demo does the same by itself",
    ],
}

PAGES = list(pages())
RUNNABLE = [page for page in PAGES if page.has_sessions]


def name_of(page) -> str:
    return page.name


def sessions(page):
    return [example.parsed for example in page.parse(lambda _: None).examples()]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_every_block_is_read(page):
    text = page.text
    blocks = re.findall(r"(?m)^\s*(?:\.\. code-block::|```)\s*shell-session\b", text)
    assert len(sessions(page)) == len(blocks) > 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_stand_in_no_other_kind_of_block(page):
    document = page.parse(lambda _: None)
    rest = list(document.text)
    for _, region in document.regions:
        rest[region.start : region.end] = " " * (region.end - region.start)
    escaped = re.findall(r"(?m)^\s*[$] \S.*$", "".join(rest))
    assert escaped == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_is_in_a_language_that_hides_commands(page):
    text = page.text
    start = r"(?m)^\s*(?:\.\. (?:code-block|code|sourcecode)::|```)\s*"
    assert re.findall(start + r"(bash|console|sh|shell|zsh)$", text) == []


def test_blocks_that_are_not_run_are_the_known_ones():
    skipped = {
        page.name: reasons
        for page in RUNNABLE
        if (reasons := [s.skipped for s in sessions(page) if s.skipped])
    }
    assert skipped == NOT_RUN
