"""What the report sends a reader to exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Diagnosis, Finding, Severity, Verdict
from runbooks.lab.breaks import BREAKS
from runbooks.report.advice import RUNBOOKS, runbook_pages
from tests.diagnose.cluster_builder import make_cluster

DOCS = Path(__file__).resolve().parents[2] / "docs"


#: Runbooks that no finding is about: somebody wants to do something.
TASKS = {"mesh-rotation", "planned-rotation", "repair-without-rotation", "sysdump"}


def test_every_condition_with_a_runbook_is_known_to_the_report():
    pages = {page.stem for page in (DOCS / "runbooks").glob("*.rst")} - {"index"}
    assert pages - TASKS == RUNBOOKS
    assert pages >= TASKS


@pytest.mark.parametrize("code", Code)
def test_every_code_leads_to_a_page_that_exists(code):
    finding = Finding(code, Severity.CRITICAL, "broken", runbook=str(code))
    (page,) = runbook_pages(Diagnosis(Verdict.DEGRADED, (finding,), ()))
    assert (DOCS.parent / f"{page}.rst").exists()


def test_stale_states_of_an_unknown_cause_lead_to_the_rotation():
    pages = runbook_pages(diagnose(make_cluster(3).break_node("node2").once()))
    assert pages == ("docs/runbooks/planned-rotation",)


def test_every_break_of_the_lab_leads_to_a_page_that_exists():
    missing = {b.page for b in BREAKS.values() if not (DOCS / f"{b.page}.rst").exists()}
    assert missing == set()
