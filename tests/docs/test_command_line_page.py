"""The reference of the command line is what the program itself says."""

from __future__ import annotations

import sys
from typing import Annotated

import pytest
import typer

from runbooks import checks
from runbooks.cli import app
from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from command_line import commands_of, plain_to_rst, rst_of_command, scripts

COMMANDS = list(commands_of(app, "ipsec-runbooks"))


@pytest.fixture(scope="module")
def page(site):
    return (site / "reference" / "cli.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.label)
def test_every_command_has_a_place_to_link_to(command, page):
    assert f'id="{command.label}"' in page


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.label)
def test_every_option_has_a_place_to_link_to(command, page):
    names = [option.signature.split()[0].rstrip(",") for option in command.options]
    program = "-".join(command.path)
    anchors = [f'id="cmdoption-{program}-{name.lstrip("-")}"' for name in names]
    assert [anchor for anchor in anchors if anchor not in page] == []


def test_commands_of_groups_are_found():
    assert ("ipsec-runbooks", "lab", "traffic", "start") in {c.path for c in COMMANDS}


def test_exit_statuses_of_the_help_become_a_table():
    check = next(c for c in COMMANDS if c.path[-1] == "check")
    assert sorted(check.exit_statuses) == [0, 1, 2, 3]
    assert check.exit_statuses[2] == "called wrongly"
    assert not any("Exit status" in paragraph for paragraph in check.help)
    assert "   * - ``3``" in rst_of_command(check)


def test_default_range_and_need_are_shown_and_hidden_options_are_not():
    made = typer.Typer(add_completion=False)

    @made.callback()
    def group() -> None: ...

    @made.command()
    def wait(
        what: Annotated[str, typer.Option(help="For what.")],
        long: Annotated[float, typer.Option(min=0, help="Seconds.")] = 2.5,
        secret: Annotated[bool, typer.Option(hidden=True)] = False,
    ) -> None:
        """Wait."""

    (command,) = commands_of(made, "sit")
    text = "\n".join(rst_of_command(command))
    assert "For what. Required." in text
    assert "Seconds. Default: ``2.5``. Range: ``x>=0``." in text
    assert "secret" not in text


def test_plain_help_keeps_its_options_and_loses_no_sign():
    assert plain_to_rst("All *.yml| of --list, see ``-o x``") == (
        r"All \*.yml\| of ``--list``, see ``-o x``"
    )


def test_every_check_script_is_in_the_table(page):
    known = {path.stem for path, _ in scripts()}
    there = {p.stem for p in (ROOT / "runbooks" / "checks").glob("*.py")}
    assert there - known == {"__init__", "source"}
    assert [s for s in known if f"{checks.__name__}.{s}" not in page] == []
