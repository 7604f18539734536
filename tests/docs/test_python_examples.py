"""Python examples on the pages print what the pages show."""

from __future__ import annotations

import doctest

import pytest

from runbooks.pages.source import pages

WITH_EXAMPLES = [page for page in pages() if ">>> " in page.text]


def name_of(page) -> str:
    return page.name


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_example_prints_what_the_page_shows(page):
    failed, tried = doctest.testfile(
        str(page.path), module_relative=False, encoding="utf-8"
    )
    assert tried
    assert not failed


def test_pages_have_examples():
    assert WITH_EXAMPLES
