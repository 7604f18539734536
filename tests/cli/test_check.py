"""``ipsec-runbooks check`` and ``snapshot`` as they are called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbooks.cli import app
from runbooks.collect.archived_snapshot import read_archive

SNAPSHOTS = Path(__file__).parents[1] / "recordings" / "snapshots"


def check(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


@pytest.mark.parametrize(
    ("phase", "verdict", "exit_code"),
    [
        ("healthy", "healthy", 0),
        ("broken", "stale", 1),
        ("rotating", "rotating", 0),
        ("healed", "healthy", 0),
    ],
)
def test_exit_status_and_verdict(phase, verdict, exit_code):
    result = check("--snapshot", SNAPSHOTS / phase)

    assert result.exit_code == exit_code
    assert result.stdout.startswith(f"Verdict: {verdict}\n")
    assert "\x1b" not in result.stdout


def test_folder_is_as_good_as_an_archive():
    assert check("--sysdump", SNAPSHOTS / "broken").exit_code == 1


def test_json_is_as_promised():
    result = check("--snapshot", SNAPSHOTS / "broken", "--output", "json")

    document = json.loads(result.stdout)
    promised = ["schema", "verdict", "findings", "nodes", "incomplete"]
    assert list(document) == [*promised, "depth"]
    assert document["depth"] == "audit"
    assert document["schema"] == 1
    assert document["nodes"] == [
        {"name": name, "read": True} for name in ("n1", "n2", "n3")
    ]
    for finding in document["findings"]:
        assert list(finding) == [
            "code",
            "severity",
            "source",
            "destination",
            "spi",
            "evidence",
            "cause",
            "runbook",
        ]


@pytest.mark.parametrize("output", ["text", "json", "html"])
def test_report_goes_into_a_file(tmp_path, output):
    file = tmp_path / "report"
    broken = SNAPSHOTS / "broken"

    result = check("--snapshot", broken, "-o", output, "--output-file", file)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "stale" in file.read_text()


def test_unread_nodes_alone_exit_with_3(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "n1").symlink_to(SNAPSHOTS / "healthy" / "n1")

    result = check("--snapshot", SNAPSHOTS / "healthy" / "n1")

    assert result.exit_code == 3
    assert "unknown" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--snapshot", "/nonexistent"),
        ("--sysdump", "/nonexistent"),
        ("--sysdump", "/etc/hostname"),
        ("--snapshot", SNAPSHOTS, "--sysdump", SNAPSHOTS),
        ("--snapshot", SNAPSHOTS, "--context", "x"),
        ("--snapshot", SNAPSHOTS, "--etcd-endpoint", "http://127.0.0.1:2379"),
        ("--etcd-endpoint", "127.0.0.1:2379"),
        ("--etcd-ca", "/etc/hostname"),
        ("--kubeconfig", "/nonexistent"),
        ("--output", "xml"),
        ("--interval", "-1"),
        ("--output-file", "/nonexistent/report", "--snapshot", SNAPSHOTS / "healthy"),
    ],
)
def test_wrong_calls_exit_with_2_and_no_traceback(arguments):
    result = check(*arguments)

    assert result.exit_code == 2
    assert result.stderr.strip()
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_snapshot_refuses_a_folder_in_use(tmp_path):
    (tmp_path / "file").write_text("")

    result = CliRunner().invoke(app, ["snapshot", "-o", str(tmp_path)])

    assert result.exit_code == 2
    assert "isn't empty" in result.stderr


def test_help_does_not_load_a_kubernetes_client():
    program = (
        "import sys; from runbooks.cli import app;"
        "app(['check', '--help'], standalone_mode=False);"
        "assert not {'kubernetes', 'yaml', 'rich.table', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize("options", [(), ("--audit",)])
def test_audit_reads_every_state(monkeypatch, options):
    asked = []

    def collect(**arguments):
        asked.append(arguments["audit"])
        return read_archive(SNAPSHOTS / "healthy")

    monkeypatch.setattr("runbooks.collect.collect", collect)

    assert check(*options).exit_code == 0
    assert asked == [bool(options)]
