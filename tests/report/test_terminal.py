"""The report on a terminal: of any width, with colors or without."""

import io

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import (
    Code,
    Diagnosis,
    Finding,
    NodeReading,
    Severity,
    Verdict,
)
from runbooks.report.text import print_text, to_text
from tests.diagnose.cluster_builder import make_cluster
from tests.report.test_large_reports import NODES
from tests.report.test_large_reports import diagnosis as large_diagnosis


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns with 16 colors; print on it and look."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "25")

    def show(diagnosis, **options):
        target = Terminal()
        print_text(diagnosis, target, **options)
        return target.getvalue()

    return show


def stale(size=3):
    return diagnose(make_cluster(size, tunnel=True).break_node("node2").once())


def test_terminal_has_colors_that_say_what_matters(terminal):
    shown = terminal(stale())

    assert "Verdict: \x1b[1;31mstale\x1b[0m" in shown
    assert "\x1b[1;31mSTALE\x1b[0m" in shown
    assert "\x1b[32m ok  \x1b[0m" in shown
    assert "\x1b[1;31mcritical\x1b[0m  \x1b[1mstale-xfrm-state\x1b[0m  node1" in shown


@pytest.mark.parametrize("how", ["variable", "option"])
def test_without_colors_nothing_but_text_is_written(terminal, monkeypatch, how):
    if how == "variable":
        monkeypatch.setenv("NO_COLOR", "1")

    shown = terminal(stale(), **({"color": False} if how == "option" else {}))

    assert "\x1b" not in shown
    assert "STALE" in shown


@pytest.mark.parametrize(
    "made",
    [
        stale,
        lambda: stale(12),
        lambda: large_diagnosis([(NODES[i], NODES[i + 1]) for i in range(40)]),
        lambda: large_diagnosis((n, NODES[7]) for n in NODES if n != NODES[7]),
    ],
    ids=["three", "twelve", "chain", "thousand"],
)
def test_eighty_columns_hold_every_line_with_its_indent(terminal, made):
    lines = terminal(made(), color=False).splitlines()

    assert max(map(len, lines)) <= 80
    finding = next(i for i, line in enumerate(lines) if line.startswith("critical"))
    following = lines[finding + 1 : lines.index("", finding)]
    assert len(following) > 4
    assert all(line.startswith("  ") for line in following)


def test_matrix_that_does_not_fit_has_letters_and_says_what_they_mean():
    text = to_text(stale(12))

    assert "\nfrom \\ to 1 2 3 4 5 6 7 8 9 10 11 12\n" in text
    assert "\nnode1     - . . . S" in text
    assert "to: 1 node1, 2 node10, 3 node11, 4 node12, 5 node2," in text
    assert "\n- the node itself, . nothing wrong, S stale\n" in text


def test_long_node_names_do_not_lose_their_ends(terminal):
    long = "ip-10-0-{}-77.eu-central-1.compute.internal"
    names = [long.format(number) for number in range(3)]
    found = Diagnosis(
        Verdict.DEGRADED,
        (
            Finding(
                Code.KEY_MISMATCH,
                Severity.CRITICAL,
                "Their keys differ.",
                source=names[0],
                destination=names[1],
            ),
        ),
        tuple(NodeReading(name, read=True) for name in names),
    )

    shown = terminal(found, color=False)

    assert "…" not in shown
    assert f"{names[0]} - K ." in shown
    assert "".join(shown.split()).count(names[2]) == 2


def test_many_findings_of_a_kind_are_three_and_a_sum():
    pairs = [(name, NODES[333]) for name in NODES if name != NODES[333]]

    text = to_text(large_diagnosis(pairs))

    assert text.count("\ncritical  stale-xfrm-state  node") == 3
    assert "\ncritical  stale-xfrm-state  and 996 more\n" in text
    assert "\n  to node0333 from 996 nodes\n  --output json has all of them.\n" in text
    assert len(text.splitlines()) < 50


def test_many_pairs_that_share_no_end_are_named_as_far_as_that_helps():
    text = to_text(large_diagnosis([(NODES[i], NODES[i + 1]) for i in range(40)]))

    assert "\n  node0003 -> node0004\n" in text
    assert "\n  and 32 more; --output json has all of them.\n" in text


def test_kinds_of_findings_do_not_crowd_each_other_out():
    many = large_diagnosis((name, NODES[0]) for name in NODES[1:])
    other = Finding(
        Code.XFRM_ERRORS_RISING, Severity.WARNING, "Errors rise.", node=NODES[9]
    )
    both = Diagnosis(many.verdict, (*many.findings, other), many.nodes)

    assert "\nwarning  xfrm-errors-rising  node0009\n  Errors rise.\n" in to_text(both)
