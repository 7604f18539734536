"""A page is run like a reader would, shown step by step, and written down."""

import json

import pytest

from runbooks.pages.evaluate import Follower, Tally
from runbooks.pages.follow import OnTerminal
from runbooks.pages.run import PageRun, run_page
from runbooks.pages.source import Page
from runbooks.pages.verified import record

TEXT = """\
#####
Title
#####

First part
==========

.. code-block:: shell-session

   $ echo $KUBECONFIG
   the-lab
   $ ls
   docs
   playbooks
   runbooks

.. skip-run: nobody has one

.. code-block:: shell-session

   $ helm upgrade
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "a.rst"
    path.write_text(TEXT)
    return Page("a", path)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    made.mkdir()
    return made


def test_commands_find_the_lab_and_a_readers_clone(page, folder):
    done = run_page(page, folder, "lab", "the-lab")
    assert done.problem is None
    assert (done.tally.blocks, done.tally.commands) == (2, 2)
    assert done.tally.skipped == [(19, "nobody has one")]


def test_run_ends_at_the_first_command_that_prints_something_else(page, folder):
    page.path.write_text(TEXT.replace("the-lab", "another"))
    done = run_page(page, folder, "lab", "the-lab")
    assert "a.rst, line 10: $ echo $KUBECONFIG" in done.problem
    assert done.tally.commands == 1


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("lab status", "lab status --name mine"),
        ("lab traffic start --rate 5", "lab traffic start --name mine --rate 5"),
        ("lab up --name other", "lab up --name other"),
        ("lab up --name=other", "lab up --name=other"),
        ("check --output json", "check --output json"),
    ],
)
def test_lab_of_the_run_is_put_in_unless_a_command_names_one(folder, typed, asked):
    text = f".. code-block:: shell-session\n\n   $ ipsec-runbooks {typed}\n   {asked}\n"
    path = folder.parent / "b.rst"
    path.write_text(text)
    seen = []

    class Shims(Follower):
        def command(self, _command):
            shim = folder / "bin" / "ipsec-runbooks"
            lines = shim.read_text().splitlines()
            seen.append(lines.pop())
            shim.write_text("\n".join([*lines, 'echo "$@"']))

    done = run_page(Page("b", path), folder, "mine", None, Shims())
    assert done.problem is None
    assert seen[0].endswith('-m runbooks "$@"')


def test_reader_sees_where_they_are_what_runs_and_what_it_prints(page, folder, capsys):
    run_page(page, folder, "lab", "the-lab", OnTerminal(page, step=False))
    shown = capsys.readouterr().out
    assert shown.index("First part (line 8 of a.rst)") < shown.index("$ echo $KUBE")
    assert "$ ls\ndocs\nplaybooks\nrunbooks\n" in shown
    assert "Not run: nobody has one" in shown


def test_record_says_when_how_much_and_of_which_text(page, tmp_path):
    path = tmp_path / "build" / "verified.json"
    tally = Tally(blocks=2, commands=3, skipped=[(18, "nobody has one")])
    record(page, PageRun(tally, 1.25, None), path)
    other = Page("other", page.path)
    record(other, PageRun(Tally(1, 1), 0.5, None), path)
    content = json.loads(path.read_text())
    assert list(content["pages"]) == ["a", "other"]
    entry = content["pages"]["a"]
    assert (entry["blocks"], entry["commands"], entry["duration_s"]) == (2, 3, 1.2)
    assert entry["blocks_not_run"] == [{"line": 18, "reason": "nobody has one"}]
    assert len(entry["source_sha256"]) == 64


def test_page_that_was_not_as_it_says_is_not_recorded(page, tmp_path):
    path = tmp_path / "verified.json"
    with pytest.raises(ValueError, match="not as it says"):
        record(page, PageRun(Tally(), 1.0, "line 3: no"), path)
    assert not path.exists()
