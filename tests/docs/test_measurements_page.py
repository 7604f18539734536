"""Every measurement is on the page, with the command that makes it anew."""

from __future__ import annotations

import sys

import pytest

from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from measurements import commands, overview, sections, tables

TABLES = tables(ROOT / "docs")


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_table_is_a_section_of_the_page(table, site):
    page = (site / "reference/measurements/index.html").read_text(encoding="utf-8")
    assert f'id="measurement-{table.stem}"' in page
    assert not (site / "reference/measurements" / f"{table.stem}.html").exists()


def test_commands_are_those_of_the_tests_that_write_the_tables():
    found = commands(ROOT)
    assert found["bytes"] == "make bench PYTEST_ARGS=tests/bench/test_bytes.py"
    assert {table.stem for table in TABLES} <= found.keys()


def test_table_that_nobody_can_make_anew_is_refused(tmp_path):
    table = tmp_path / "made-up.rst"
    table.write_text("Made up\n=======\n")
    with pytest.raises(LookupError, match=r"no test writes .*made-up\.rst"):
        list(overview([table], {}))


def test_comment_does_not_part_a_heading_from_its_label(tmp_path):
    table = tmp_path / "made-up.rst"
    table.write_text(".. Written by a test.\n\nMade up\n=======\n\n.. list-table::\n")
    lines = [line for line in sections([table]) if line]
    assert lines == [
        ".. _measurement-made-up:",
        "Made up",
        "=======",
        ".. list-table::",
    ]
