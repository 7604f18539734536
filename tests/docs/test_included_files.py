"""Files of the repository's root that pages include: why their commands aren't run."""

from __future__ import annotations

import re

import pytest

from runbooks.pages.evaluate import Tally
from runbooks.pages.run import PageRun
from runbooks.pages.source import Page
from tests.docs.checkout import ROOT

#: Reasons that each file gives, in order, one for each of its blocks.
NOT_RUN = {
    "README": [
        "make test runs the pages, and make demo has a test of its own",
        "installs from a package index, for a cluster of your own",
        "for a cluster of your own; the runbooks run the same on a lab",
        "the page about the lab runs the same",
    ],
    "CONTRIBUTING": ["make test runs the pages"],
}


@pytest.mark.parametrize("name", NOT_RUN)
def test_every_block_says_why_it_is_not_run(name, tallies):
    page = Page(name, ROOT / f"{name}.md")
    examples = list(page.parse(lambda _: None).examples())
    skipped = [(example.line, example.parsed.skipped) for example in examples]
    assert [reason for _, reason in skipped] == NOT_RUN[name]
    assert len(examples) == len(re.findall(r"(?m)^```shell-session$", page.text))
    tallies[name] = PageRun(Tally(len(examples), skipped=skipped), 0.0, None)


@pytest.mark.parametrize(
    ("page", "included"),
    [("about", "README"), ("contributing", "CONTRIBUTING"), ("changelog", "CHANGELOG")],
)
def test_file_is_on_the_site(page, included, site):
    html = (site / f"{page}.html").read_text(encoding="utf-8")
    headings = re.findall(
        r"(?m)^## (.*)$", (ROOT / f"{included}.md").read_text("utf-8")
    )
    assert headings
    assert [h for h in headings if f"<h2>{h}<" not in html] == []
