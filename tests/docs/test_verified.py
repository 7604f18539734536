"""A page's foot says when its commands were last run, and never more than is true."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest

from runbooks.pages.source import Page, pages
from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from verified import verified_pages

PAGE = """\
Page
====

.. code-block:: shell-session

   $ true

.. skip-run: needs a cloud

.. code-block:: shell-session

   $ false
"""
ENTRY = {
    "date": "2026-11-23",
    "blocks": 2,
    "commands": 1,
    "duration_s": 58.13,
    "blocks_not_run": [{"line": 10, "reason": "needs a cloud"}],
    "source_sha256": hashlib.sha256(PAGE.encode()).hexdigest(),
}
CONF = """\
import sys
sys.path.insert(0, {extensions!r})
extensions = ["verified"]
html_theme = "sphinx_rtd_theme"
templates_path = [{templates!r}]
verified_record = {record!r}
verified_page = "summary"
"""


@pytest.fixture
def docs(tmp_path):
    """A site of two pages, one of which has commands."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "page.rst").write_text(PAGE)
    (folder / "index.rst").write_text(
        "Home\n====\n\n.. toctree::\n\n   page\n   summary\n"
    )
    (folder / "summary.rst").write_text("Summary\n=======\n\n.. verified-pages::\n")
    conf = CONF.format(
        extensions=str(ROOT / "docs" / "_extensions"),
        templates=str(ROOT / "docs" / "_templates"),
        record=str(tmp_path / "verified.json"),
    )
    (tmp_path / "conf.py").write_text(conf)
    return folder


def known(docs, **pages_known):
    path = docs.parent / "verified.json"
    path.write_text(json.dumps({"version": "0.1.0+gabc", "pages": pages_known}))
    (one,) = verified_pages(pages(docs), path)
    return one


def build(docs) -> dict[str, str]:
    output = docs.parent / "html"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-c", docs.parent, docs, output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {page.stem: page.read_text("utf-8") for page in output.glob("*.html")}


def test_page_that_was_run_says_when_with_what_and_how_much(docs):
    one = known(docs, page=ENTRY)
    assert one.fresh
    assert one.sentence == (
        "Verified on 23 November 2026 with 0.1.0+gabc: 1 command in 1 block, 58 s."
    )
    assert one.exempt == ((10, "needs a cloud"),)


def test_page_that_was_never_run_is_not_verified(docs):
    one = known(docs)
    assert not one.fresh
    assert one.sentence.startswith("Not verified yet")
    assert one.exempt == ((10, "needs a cloud"),)


@pytest.mark.parametrize("digest", [None, "0" * 64])
def test_page_that_changed_since_is_not_verified(docs, digest):
    one = known(docs, page=ENTRY | {"source_sha256": digest})
    assert not one.fresh
    assert one.sentence.startswith("Not verified yet")
    assert "23 November 2026" in one.sentence


def test_version_of_a_pages_own_run_goes_before_that_of_the_last_run(docs):
    assert (
        " 0.0.9+gold:" in known(docs, page=ENTRY | {"version": "0.0.9+gold"}).sentence
    )


def test_site_without_any_record_verifies_nothing(docs):
    (one,) = verified_pages(pages(docs), docs / "missing.json")
    assert not one.fresh


def test_feet_and_summary_follow_the_record_from_build_to_build(docs):
    built = build(docs)
    assert "Not verified yet" in built["page"]
    assert "erified" not in built["index"].split("<footer>")[1]
    assert "never" in built["summary"]

    known(docs, page=ENTRY)
    built = build(docs)
    assert "Verified on 23 November 2026" in built["page"]
    assert "23 November 2026" in built["summary"]
    assert "line 10" in built["summary"]
    assert "needs a cloud" in built["summary"]

    (docs / "page.rst").write_text(PAGE + "\nMore.\n")
    built = build(docs)
    assert "Not verified yet" in built["page"]
    assert "changed since" in built["summary"]


def test_every_page_with_commands_has_a_foot_and_a_row(site):
    summary = (site / "reference" / "verified.html").read_text("utf-8")
    names = [page.name for page in pages(ROOT / "docs") if page.has_sessions]
    assert names
    for name in names:
        text = (site / f"{name}.html").read_text("utf-8")
        assert "erified" in text.split("<footer>")[1], name
        assert f"{name.rpartition('/')[2]}.html" in summary


def test_blocks_of_files_that_pages_include_are_listed_as_well(site):
    summary = (site / "reference" / "verified.html").read_text("utf-8")
    blocks = list(Page("README", ROOT / "README.md").parse(lambda _: None).examples())
    assert blocks
    for block in blocks:
        assert f"README.md, line {block.line}<" in summary
        assert block.parsed.skipped in summary
