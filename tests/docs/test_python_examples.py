"""The Python examples of the pages print what the pages show."""

from __future__ import annotations

import doctest

import pytest
from sybil import Document
from sybil.parsers.rest import DocTestParser

from runbooks.pages.source import pages
from tests.docs.checkout import ROOT

PROMPT = ">>> "
RULES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
WITH_EXAMPLES = [page for page in pages() if PROMPT in page.text]


def test_reference_of_the_package_has_examples():
    assert "reference/api" in {page.name for page in WITH_EXAMPLES}


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_examples_print_what_the_page_shows(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    document = Document.parse(str(page.path), DocTestParser(RULES))
    examples = list(document.examples())
    assert len(examples) == page.text.count(PROMPT)
    for example in examples:
        example.evaluate()
