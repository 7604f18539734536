"""The table of finding codes is the catalogue that the check uses."""

from __future__ import annotations

import re

from runbooks.diagnose.finding import Code
from tests.docs.checkout import ROOT


def test_page_explains_exactly_the_codes_that_the_check_can_find():
    page = (ROOT / "docs/reference/findings.rst").read_text(encoding="utf-8")
    explained = re.findall(r"(?m)^   \* - ``([a-z-]+)``$", page)
    assert sorted(explained) == sorted(str(code) for code in Code)
