"""What the report sends a reader to exists."""

from __future__ import annotations

from pathlib import Path

from runbooks.diagnose import diagnose
from runbooks.lab.breaks import BREAKS
from runbooks.report.advice import RUNBOOKS, runbook_pages
from tests.diagnose.cluster_builder import make_cluster

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_runbook_page_is_known_to_the_report():
    pages = {page.stem for page in (DOCS / "runbooks").glob("*.rst")} - {"index"}
    assert pages == RUNBOOKS


def test_a_condition_without_its_own_page_leads_to_the_reference():
    pages = runbook_pages(diagnose(make_cluster(3).break_node("node2").once()))
    assert pages == ("docs/reference/findings",)
    assert (DOCS.parent / f"{pages[0]}.rst").exists()


def test_every_break_of_the_lab_leads_to_a_page_that_exists():
    missing = {b.page for b in BREAKS.values() if not (DOCS / f"{b.page}.rst").exists()}
    assert missing == set()
