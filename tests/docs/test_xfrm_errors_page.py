"""The page of XFRM errors explains the counters that the check reads."""

from __future__ import annotations

import re

import pytest

from runbooks.diagnose.rising_errors import HARMLESS
from runbooks.xfrm.stat import COUNTERS
from tests.docs.checkout import ROOT

PAGE = (ROOT / "docs/reference/xfrm-errors.rst").read_text(encoding="utf-8")
#: By counter: the text of its section.
SECTIONS = dict(
    re.findall(r"(?ms)^(Xfrm\w+)\n=+\n\n(.*?)(?=^\.\. _|\Z)", PAGE),
)
#: By counter: its row of the table of rare ones.
ROWS = dict(
    re.findall(r"(?ms)^   \* - \.\. index:: (\w+)\n(.*?)(?=^   \* - |^\S)", PAGE),
)


def test_page_explains_exactly_the_counters_that_are_known():
    assert sorted([*SECTIONS, *ROWS]) == sorted(COUNTERS)


@pytest.mark.parametrize("counter", SECTIONS)
def test_section_has_meaning_metric_cause_check_and_page(counter):
    fields = re.findall(r"(?m)^:(\w+): \S", SECTIONS[counter])
    assert fields == ["Meaning", "Metric", "Cause", "Check", "Page"]


@pytest.mark.parametrize("counter", SECTIONS)
def test_section_has_an_anchor_of_its_own_name(counter):
    anchor = re.sub(r"(?<!^)(?=[A-Z])", "-", counter).lower()
    assert f".. _{anchor}:\n\n{counter}\n" in PAGE


@pytest.mark.parametrize("counter", ROWS)
def test_row_shows_the_counter_with_meaning_and_cause(counter):
    name, *cells = re.split(r"(?m)^     - ", ROWS[counter])
    assert f"``{counter}``" in name
    assert len(cells) == 2
    assert all(cell.strip() for cell in cells)


@pytest.mark.parametrize("counter", SECTIONS)
def test_section_says_harmless_where_the_check_does(counter):
    says_so = "harmless on its own" in SECTIONS[counter]
    assert says_so is (counter in HARMLESS)


@pytest.mark.parametrize("counter", SECTIONS)
def test_checks_that_a_section_names_exist(counter):
    for name in re.findall(r"runbooks\.checks\.(\w+)", SECTIONS[counter]):
        assert (ROOT / f"runbooks/checks/{name}.py").is_file()
