import json

from runbooks.rotation.report import Report

STEPS = {
    "preflight": {
        "key_id": 3,
        "next_key_id": 4,
        "nodes": ["node1", "node2"],
        "version": "1.18.0",
        "algorithm": "rfc4106(gcm(aes))",
        "verdict": "stale",
        "resumes": None,
    },
    "patch": {
        "rotation_id": "20260101T000000Z-a1b2c3",
        "from_key_id": 3,
        "to_key_id": 4,
        "started_at": "2026-01-01T00:00:00Z",
        "started_by": "<me>@here:1",
    },
    "propagate": {
        "elapsed_s": 3.9,
        "nodes_done_at": {"node1": "2026-01-01T00:00:03Z"},
    },
    "reclaim": {},
    "verify": {"verdict": "healthy", "dropped": {"node1": {"XfrmInNoStates": 2}}},
    "finish": {"finished_at": "2026-01-01T00:06:00Z"},
}


def test_summary_tells_ids_times_and_verdicts():
    text = " ".join(Report.of_steps(STEPS).summary())
    for part in (
        "key ID 3 to 4 on 2 nodes (node1, node2)",
        "Every node on the new SPI: 3.9 s",
        "Packets dropped on node1 since the preflight: XfrmInNoStates 2",
        "Verdict before: stale; after: healthy",
    ):
        assert part in text


def test_check_mode_says_what_would_happen():
    assert list(Report.of_steps({"preflight": STEPS["preflight"]}).summary()) == [
        "Would go from key ID 3 to 4 on 2 nodes.",
        "Nothing was changed and no key was drawn.",
    ]


def test_files_carry_the_same_facts(tmp_path):
    as_json, as_html = Report.of_steps(STEPS).write(tmp_path / "new" / "folder")
    assert as_json.name == "rotation-report-20260101T000000Z-a1b2c3.json"
    told = json.loads(as_json.read_text())
    assert told["schema"] == 1
    assert told["timeline"]["node1"] == {"propagate": "2026-01-01T00:00:03Z"}
    page = as_html.read_text()
    assert "key ID 3 to 4" in page
    assert "2026-01-01T00:00:03Z" in page


def test_errors_of_states_are_told_per_node_and_spi(tmp_path):
    steps = STEPS | {
        "preflight": STEPS["preflight"]
        | {"state_errors": {"node1": {"3": {"failed": 100, "replay": 7}}}},
        "propagate": STEPS["propagate"]
        | {"state_errors": {"node1": {"3": {"failed": 130, "replay": 7}}}},
        # By now the states of the old SPI are gone, and their numbers with them.
        "verify": STEPS["verify"] | {"state_errors": {"node2": {"4": {"replay": 2}}}},
    }
    as_json, as_html = Report.of_steps(steps).write(tmp_path)
    assert json.loads(as_json.read_text())["state_errors"] == {
        "node1": {"3": {"failed": 30}},
        "node2": {"4": {"replay": 2}},
    }
    assert "SPI 3: failed 30" in as_html.read_text()


def test_what_is_not_explained_is_in_summary_and_page(tmp_path):
    verify = STEPS["verify"] | {"unexplained": ["XfrmOutPolBlock rose."]}
    report = Report.of_steps(STEPS | {"verify": verify})
    assert "XfrmOutPolBlock rose." in list(report.summary())
    assert "<strong>XfrmOutPolBlock rose." in report.write(tmp_path)[1].read_text()


def test_page_escapes_what_it_shows(tmp_path):
    _, as_html = Report.of_steps(STEPS).write(tmp_path)
    assert "&lt;me&gt;@here:1" in as_html.read_text()


def test_stopped_rotation_says_why():
    stopped = STEPS | {"propagate": {"failed": True, "msg": "node2 lags."}}
    report = Report.of_steps(stopped)
    assert "It stopped: node2 lags." in list(report.summary())


def test_nothing_but_known_fields_reaches_the_report(tmp_path):
    leaky = STEPS | {"patch": STEPS["patch"] | {"key": "deadbeef"}}
    for path in Report.of_steps(leaky).write(tmp_path):
        assert "deadbeef" not in path.read_text()
