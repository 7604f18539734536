"""Every rule of the style guide finds a breach, by file and line, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.style.__main__ import main
from tests.docs.style.markdown import read_markdown
from tests.docs.style.restructured import read_restructured
from tests.docs.style.rules import RULES, breaches

#: By rule: pages that break it, each with the line that does.
BAD = {
    "latin-abbreviation": [
        ("Some sign, e.g. a counter.", 1),
        ("It is so, i.e. it holds.", 1),
        ("Counters, states, etc. are read.", 1),
        ("Read a node\nvia its agent.", 2),
        ("A **bold via** word.", 1),
        (".. note::\n\n   One.\n\n   Two, e.g. three.", 5),
        (".. note:: Three, via four.", 1),
        ("* - Cell\n  - Reached via a link", 2),
        (".. figure:: a.svg\n   :alt: Read via an agent.\n\n   Words.", 2),
        (".. figure:: a.svg\n   :alt: Words.\n\n   Read via an agent.", 4),
        (".. tabs::\n\n   .. group-tab:: Ansible\n\n      It runs via SSH.", 5),
        ("See :ref:`the way via etcd <target>`.", 1),
    ],
    "future-tense": [
        ("The agent will start.", 1),
        ("It won't start.", 1),
        ("You'll see it.", 1),
    ],
    "first-person": [
        ("Here we rotate.", 1),
        ("Use our check.", 1),
        ("Tell us.", 1),
        ("Let's rotate.", 1),
    ],
    "belittling": [
        ("Please rotate.", 1),
        ("Simply rotate.", 1),
        ("One\njust rotates.", 2),
        ("That is easy.", 1),
        ("The easiest way is easily found.", 1),
    ],
    "indirect-advice": [("It is\nrecommended to rotate.", 1)],
    "direction": [("The numbers are listed below.", 1), ("See above.", 1)],
    "ampersand": [("Keys & states.", 1)],
    "heading-case": [
        ("What You See\n============", 1),
        ("Text\n\nrotate the key\n--------------", 3),
        ("##############\nOther Failures\n##############\n", 2),
    ],
    "code-language": [
        ("Words.\n\n.. code-block::\n\n   x = 1", 3),
        (".. code:: python\n\n   x = 1", 1),
        ("* One:\n\n  .. code-block:: shell-session\n\n     ls", 3),
    ],
    "embedded-link": [("See `the schema <https://json-schema.org>`_.", 1)],
    "numbered-steps": [("Do:\n\n1. Rotate.\n2. Check.", 3)],
    "line-length": [
        ("word " * 17, 1),
        ("One.\n\n.. note::\n\n   " + "word " * 17, 5),
    ],
}

BAD_MARKDOWN = {
    "latin-abbreviation": ("Text.\n\nRead *via* an agent.", 3),
    "heading-case": ("# One\n\n## What You See", 3),
    "code-language": ("```\nx = 1\n```", 1),
    "line-length": ("```python\n" + "x" * 99 + "\n```\n" + "word " * 17, 4),
    "first-person": ("[we link](https://example.org/our/page)", 1),
}

GOOD = """\
.. _via-target:

####################
ipsec-runbooks check
####################

.. Comments may say e.g. what we will do, please.

``via`` and :kbd:`e.g.` are code, and so is the following::

   we will simply rotate & go on via etcd, which is a line that is longer than a page

Say "you" instead of "we". US English. :ref:`The check <we-will>` reads
CiliumNode objects (AT&T's).
See `the page <https://example.org/please/just/will>`__.

How Cilium encrypts: XFRM states and ``Every Key``
==================================================

.. code-block:: shell-session

   $ ipsec-runbooks check
   we will, e.g.

.. literalinclude:: ../../playbooks/a-very-long-path/to-some-file/that-is-long.yml
   :caption: via.yml

* .. code-block:: python

     we = "will"

+------------------------------------------------+---------------------------------+
| A table that is drawn can't be folded          | without drawing it anew         |
+------------------------------------------------+---------------------------------+

The sender's number is below the receiver's. The file /etc/ipsec/keys has SPI
3. It ends there.

>>> we = "will"

https://example.org/an-address-that-is-longer-than-a-line/and-has-no-place-to-fold-it
"""

GOOD_MARKDOWN = """\
# The check of Cilium

`via` and ``e.g.`` are code. A [link](https://example.org/we/will) is a target.

```shell-session
$ make test   # we will run everything, e.g. all the tests that there are and ever were
```

| A table | whose lines stay whole | because Markdown has no way to fold them at all |
"""


def read(text: str, name: str = "page.rst"):
    reader = read_markdown if name.endswith(".md") else read_restructured
    return reader(Path(name), text)


@pytest.mark.parametrize(
    ("rule", "text", "line"),
    [(rule, text, line) for rule, pages in BAD.items() for text, line in pages],
)
def test_breach_is_found_in_its_line(rule, text, line):
    found = [(b.rule, b.line) for b in breaches(read(text)) if b.rule == rule]
    assert found[0] == (rule, line)


@pytest.mark.parametrize(("rule", "case"), BAD_MARKDOWN.items())
def test_breach_is_found_in_markdown(rule, case):
    text, line = case
    assert [(b.rule, b.line) for b in breaches(read(text, "a.md"))] == [(rule, line)]


def test_every_rule_has_a_page_that_breaks_it():
    assert BAD.keys() == RULES.keys()


def test_code_targets_comments_and_names_break_no_rule():
    assert breaches(read(GOOD)) == []
    assert breaches(read(GOOD_MARKDOWN, "page.md")) == []


def test_tables_that_a_program_wrote_may_have_long_lines():
    text = ".. Written by the command that it names.\n\n" + "word " * 30
    assert breaches(read(text)) == []


def test_exemption_holds_for_its_rule_and_the_next_block_only():
    allowed = ".. style: allow future-tense: quotes the agent's log\n\n"
    text = f"{allowed}It says: will retry.\nWe see.\n\nIt will end."
    assert [(b.rule, b.line) for b in breaches(read(text))] == [
        ("first-person", 4),
        ("future-tense", 6),
    ]


def test_exemption_without_a_reason_exempts_nothing():
    text = ".. style: allow future-tense:\n\nIt will end."
    assert [b.rule for b in breaches(read(text))] == ["future-tense"]


def test_command_names_file_line_and_column_and_fails(tmp_path, capsys):
    page = tmp_path / "guide" / "page.rst"
    page.parent.mkdir()
    page.write_text("Title\n=====\n\nRead it via etcd.\n")
    assert main([str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f'{page}:4:9: latin-abbreviation: "via": ')
    assert err == "style: 1 breach of the style guide\n"


def test_command_is_silent_about_a_good_page(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Good\n\nRead it.\n")
    assert main([str(page)]) == 0
    assert capsys.readouterr() == ("", "")


def lint(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )


def test_doc8_finds_broken_markup_with_its_line(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text("Title\n=====\n\nTrailing \n")
    done = lint("doc8", "--quiet", str(page))
    assert done.returncode == 1
    assert f"{page}:4: D002" in done.stdout


def test_sphinx_lint_finds_a_role_that_is_none_with_its_line(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text("Title\n=====\n\nSee `some code`.\n")
    done = lint("sphinxlint", "--enable", "default-role", str(page))
    assert done.returncode == 1
    assert f"{page}:4: " in done.stderr + done.stdout
