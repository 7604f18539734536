"""Whatever these tests diagnose also makes a valid report."""

from __future__ import annotations

import pytest

import runbooks.diagnose
from runbooks.diagnose.finding import Diagnosis
from runbooks.report.json import as_data
from tests.report.published_schema import closed


def with_valid_report(**fields) -> Diagnosis:
    diagnosis = Diagnosis(**fields)
    closed.validate(as_data(diagnosis))
    return diagnosis


@pytest.fixture(scope="module", autouse=True)
def reports_are_valid():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runbooks.diagnose, "Diagnosis", with_valid_report)
        yield
