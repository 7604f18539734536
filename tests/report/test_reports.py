"""What people and programs get to see."""

import io
import re
from html.parser import HTMLParser

import pytest

from runbooks.diagnose import diagnose
from runbooks.report.html import to_html
from runbooks.report.json import as_data
from runbooks.report.matrix import Cell, matrix
from runbooks.report.text import print_text, to_text
from runbooks.snapshot import AgentFacts
from tests.diagnose.cluster_builder import NOW, make_cluster


@pytest.fixture(scope="module")
def stale():
    cluster = make_cluster(3, tunnel=True).break_node("node2")
    long_ago = AgentFacts(started_s=NOW - 9_000_000)
    cluster.agents = {"node1": long_ago, "node3": long_ago}
    cluster.agents["node2"] = AgentFacts(
        started_s=NOW - 610, previous_finished_s=NOW - 9000
    )
    return diagnose(cluster.once())


def test_text_shows_pairs_numbers_cause_and_what_to_do(stale):
    text = to_text(stale)

    assert re.search(r"node1 +- +STALE +ok", text)
    assert re.search(r"node2 +ok +- +ok", text)
    assert "outbound oseq 0," in text
    assert "inbound seq 3,000," in text
    assert "Cause: kvstore-lease-expired" in text
    assert "ansible-playbook rotate-ipsec-key.yml" in text
    assert "\x1b" not in text


def test_text_has_colors_only_where_asked_for(stale):
    plain, colored = io.StringIO(), io.StringIO()
    print_text(stale, plain)
    print_text(stale, colored, color=True)

    assert "\x1b" not in plain.getvalue()
    assert "\x1b[" in colored.getvalue()


def test_healthy_report_is_short():
    text = to_text(diagnose(make_cluster(3).twice()))

    assert text.startswith("Verdict: healthy\n")
    assert "What to do" not in text
    assert len(text.splitlines()) < 10


def test_large_cluster_shows_affected_nodes_only():
    diagnosis = diagnose(make_cluster(40).break_node("node7").once())

    square = matrix(diagnosis)

    assert square.destinations == ("node7",)
    assert square.sources == ("node1 and 38 more",)
    assert square.cells == ((Cell.STALE,),)
    assert len(to_text(diagnosis).splitlines()) < 400


def test_large_healthy_cluster_shows_no_matrix():
    assert matrix(diagnose(make_cluster(40).once())) is None


def test_unread_nodes_are_marked():
    cluster = make_cluster(3)
    cluster.unread = {"node3"}

    text = to_text(diagnose(cluster.once()))

    assert re.search(r"node1 +- +ok +\?", text)
    assert "Not read:\n  node3: its XFRM states were not read." in text


def test_html_stands_alone_and_is_well_formed(stale):
    page = to_html(stale)

    void, opened = {"meta", "br", "link"}, []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in void:
                opened.append(tag)
            assert "src" not in dict(attrs)
            assert dict(attrs).get("href", "#").startswith("#")

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Checker().feed(page)
    assert opened == []
    assert "kvstore-lease-expired" in page
    assert "3,000" in page


def test_html_escapes_what_comes_from_a_cluster():
    cluster = make_cluster(2)
    cluster.agents = {"node2": AgentFacts(version="<script>alert(1)</script>")}

    assert "<script>alert" not in to_html(diagnose(cluster.once()))


def test_findings_about_a_node_name_it():
    cluster = make_cluster(2)

    def rise():
        cluster.counters = {"node2": {"XfrmInStateProtoError": 4}}

    document = as_data(diagnose(cluster.twice(rise)))

    assert [f.get("node") for f in document["findings"]] == ["node2"]
