"""The builders that `make docs` runs stop at a misspelled word and a lost reference."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.docs.checkout import ROOT

WORD_LIST = ROOT / "docs" / "spelling-words.txt"
PAGE = """\
Title
=====

Cilium doesn't mind ``misspeled`` code, but this is misspeled.

* Neither does it like colour.

See :ref:`nowhere`.
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What Sphinx has to say about the page, with the site's own configuration."""
    try:
        there = importlib.import_module("enchant").dict_exists("en_US")
    except (ImportError, OSError):
        there = False
    if not there:
        pytest.skip("no dictionary of US English: install enchant-2 hunspell-en-us")
    folder = tmp_path_factory.mktemp("spelling")
    (folder / "index.rst").write_text(PAGE)
    (folder / WORD_LIST.name).write_text(WORD_LIST.read_text("utf-8"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "--no-color"),
            *("-b", "spelling", "-c", str(ROOT), str(folder), str(folder / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_misspelled_words_are_named_with_their_lines(complaints):
    found = [line for line in complaints.splitlines() if "Spell check" in line]
    assert len(found) == 2
    assert "index.rst:4: : Spell check: misspeled" in found[0]
    assert "index.rst:6: : Spell check: colour" in found[1]


def test_lost_reference_is_named_with_its_line(complaints):
    assert "index.rst:8: WARNING: undefined label: 'nowhere'" in complaints


def test_word_list_is_sorted_and_has_no_word_twice():
    lines = WORD_LIST.read_text("utf-8").splitlines()
    words = lines[lines.index("# Words and names.") + 1 :]
    assert words == sorted(set(words))
