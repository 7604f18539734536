"""A break of the lab and what the check finds of it lead to the same page."""

from __future__ import annotations

import pytest

from runbooks.diagnose.finding import Code
from runbooks.lab.breaks import BREAKS
from runbooks.report.advice import RUNBOOKS


@pytest.mark.parametrize("name", sorted(BREAKS.keys() & set(Code)))
def test_break_named_like_a_cause_leads_to_the_page_of_that_cause(name):
    assert name in RUNBOOKS
    assert BREAKS[name].page == f"runbooks/{name}"
