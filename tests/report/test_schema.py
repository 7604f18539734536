"""Every JSON report is what the published schema says, and the schema says it all."""

import io
import json
import re
import textwrap
from contextlib import nullcontext
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from runbooks.collect.archived_snapshot import read_archive
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Depth, Severity, Verdict
from runbooks.report.json import to_json
from tests.checks.test_scripts import BROKEN
from tests.diagnose.cluster_builder import make_cluster
from tests.report.published_schema import SCHEMA, closed, published
from tests.report.test_large_reports import NODES
from tests.report.test_large_reports import diagnosis as large_diagnosis

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/report.rst"
SNAPSHOTS = ROOT / "tests/recordings/snapshots"


def unread():
    cluster = make_cluster(3)
    cluster.unread = {"node3"}
    return cluster.twice()


def errors_alone():
    cluster = make_cluster(3)

    def rise():
        cluster.counters = {"node2": {"XfrmInStateProtoError": 4}}

    return cluster.twice(rise)


#: Samples by what is wrong; those of tests/diagnose are checked there.
SAMPLES = {
    **{name: samples for name, (samples, _) in BROKEN.items()},
    "healthy": lambda: make_cluster(3).twice(),
    "unread": unread,
    "errors alone": errors_alone,
    "stale, read once": lambda: make_cluster(3, dual=True).break_node("node2").once(),
}


def report(samples):
    return json.loads(to_json(diagnose(samples, audit=True)))


@pytest.fixture(scope="module")
def reports():
    reports = {name: report(samples()) for name, samples in SAMPLES.items()}
    for folder in SNAPSHOTS.iterdir():
        if folder.is_dir():
            reports[folder.name] = report(read_archive(folder))
    return reports


def test_schema_is_one_of_draft_2020_12():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("validator", [published, closed], ids=["published", "closed"])
def test_every_report_is_valid(reports, validator):
    wrong = {
        name: [f"{e.json_path}: {e.message}" for e in validator.iter_errors(document)]
        for name, document in reports.items()
    }
    assert {name: errors for name, errors in wrong.items() if errors} == {}


def test_large_report_is_valid():
    found = large_diagnosis(
        ((name, NODES[3]) for name in NODES[4:]), unread={NODES[999]}
    )
    assert closed.is_valid(json.loads(to_json(found)))


def test_reports_of_all_verdicts_and_codes_were_tried(reports):
    findings = [f for document in reports.values() for f in document["findings"]]
    told = {f["code"] for f in findings} | {f["cause"] for f in findings}

    assert {d["verdict"] for d in reports.values()} == set(map(str, Verdict))
    assert {f["severity"] for f in findings} == set(map(str, Severity))
    assert told - {None} == set(map(str, Code))


def test_schema_knows_what_the_check_can_say():
    definitions, properties = SCHEMA["$defs"], SCHEMA["properties"]

    assert definitions["code"]["anyOf"][0]["enum"] == list(map(str, Code))
    for words, key in ((Verdict, "verdict"), (Depth, "depth")):
        assert {one["const"] for one in properties[key]["oneOf"]} == set(words)
    assert set(definitions["finding"]["properties"]["severity"]["enum"]) == set(
        Severity
    )


def test_every_definition_is_used():
    text = json.dumps(SCHEMA)
    assert [name for name in SCHEMA["$defs"] if f'"#/$defs/{name}"' not in text] == []


@pytest.mark.parametrize(
    "key", ["schema", "verdict", "findings", "nodes", "incomplete", "depth"]
)
def test_report_without_a_key_is_refused(reports, key):
    rest = {k: v for k, v in reports["stale_states"].items() if k != key}
    assert not published.is_valid(rest)


@pytest.mark.parametrize(
    "change",
    [
        {"code": "Stale"},
        {"severity": "fatal"},
        {"spi": 0},
        {"spi": 16},
        {"evidence": {}},
        {"evidence": None},
        {"cause": 3},
    ],
    ids=str,
)
def test_finding_with_something_wrong_is_refused(reports, change):
    document = reports["stale_states"]
    finding = document["findings"][0] | change
    assert not published.is_valid(document | {"findings": [finding]})


def test_codes_and_keys_that_may_come_are_valid(reports):
    document = reports["healthy"] | {"a_later_key": 1}
    finding = reports["stale_states"]["findings"][0] | {"code": "a-later-code"}

    assert published.is_valid(document | {"findings": [finding | {"more": 2}]})


def test_page_shows_what_the_check_says_of_the_recording():
    shown = (PAGE.parent / "report-stale.json").read_text(encoding="utf-8")
    assert shown == to_json(diagnose(read_archive(SNAPSHOTS / "broken")))


@pytest.mark.parametrize("verdict", ["healthy", "no verdict"])
def test_page_tells_how_to_validate_a_report(reports, monkeypatch, verdict):
    text = PAGE.read_text(encoding="utf-8")
    code = re.search(r"code-block:: python\n\n((?:   .*\n|\n)+)", text)[1]
    document = reports["healthy"] | {"verdict": verdict}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))

    with nullcontext() if verdict == "healthy" else pytest.raises(ValidationError):
        exec(textwrap.dedent(code), {})
