"""The Python examples of the pages print what the pages show."""

from __future__ import annotations

import doctest

import pytest
from sybil import Document
from sybil.parsers.rest import DocTestParser

from tests.docs.pages import ROOT, pages

PROMPT = ">>> "
RULES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages_with_examples():
    return [page for page in pages() if PROMPT in (ROOT / page).read_text("utf-8")]


def test_reference_of_the_package_has_examples():
    assert "docs/reference/api.rst" in {str(page) for page in pages_with_examples()}


@pytest.mark.parametrize("page", pages_with_examples(), ids=str)
def test_examples_print_what_the_page_shows(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    document = Document.parse(str(ROOT / page), DocTestParser(RULES))
    examples = list(document.examples())
    prompts = (ROOT / page).read_text("utf-8").count(PROMPT)
    assert len(examples) == prompts
    for example in examples:
        example.evaluate()
