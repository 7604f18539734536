"""The check scripts that the pages show: one per condition."""

import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from runbooks import checks
from runbooks.checks import source
from runbooks.collect.errors import NotPermittedError, UsageError
from runbooks.diagnose.finding import Code
from runbooks.snapshot import AgentFacts
from tests.diagnose.cluster_builder import CRD, DAY, NOW, make_cluster
from tests.diagnose.test_breaks import exhausted, with_other_key
from tests.diagnose.test_causes import (
    cilium_node_recreated,
    lease_expired,
    store_recreated,
)
from tests.diagnose.test_lease_expiring import down
from tests.diagnose.test_plaintext_fallback import without_block
from tests.diagnose.test_rotation_stalled import missed

SNAPSHOTS = Path(__file__).parents[1] / "recordings" / "snapshots"
NAMES = sorted(
    m.name for m in pkgutil.iter_modules(checks.__path__) if m.name != "source"
)
SCRIPTS = {name: import_module(f"runbooks.checks.{name}") for name in NAMES}


def missing():
    cluster = make_cluster(3)
    _, into = next(cluster.tunnels("node1", "node2"))
    del cluster.states[into]
    return cluster.twice()


def rising():
    cluster = make_cluster(3).break_node("node2")

    def rise():
        cluster.counters = {"node2": {"XfrmInStateProtoError": 8}}

    return cluster.twice(rise)


def orphaned():
    cluster = make_cluster(3)
    cluster.ips["node3"] = ["10.9.9.9", "10.9.9.10"]
    cluster.unread = {"node3"}
    cluster.names.remove("node3")
    return cluster.twice()


def skewed():
    cluster = make_cluster(2)
    cluster.agents["node2"] = AgentFacts(version="1.17.4")
    return cluster.twice()


def rotating():
    cluster = make_cluster(3)
    cluster.rotate(4, NOW - 20)
    return cluster.twice()


#: Samples of a cluster that has the condition, and the exit status for it.
BROKEN = {
    "agent_version_skew": (skewed, 0),
    "ciliumnode_recreated": (lambda: cilium_node_recreated().twice(), 1),
    "key_mismatch": (lambda: with_other_key(make_cluster(3), "node2").twice(), 1),
    "kvstore_lease_expired": (lambda: lease_expired().twice(), 1),
    "kvstore_lease_expiring": (lambda: down(400).twice(), 1),
    "kvstore_recreated": (lambda: store_recreated().twice(), 1),
    "missing_states": (missing, 1),
    "orphaned_states": (orphaned, 0),
    "plaintext_fallback": (
        lambda: without_block(make_cluster(3).make_policies()).twice(),
        1,
    ),
    "rising_errors": (rising, 1),
    "rotation_in_progress": (rotating, 0),
    "rotation_stalled": (lambda: missed(NOW - 400).twice(), 1),
    "sequence_exhaustion": (exhausted(4_000_000_000)[0].twice, 1),
    "stale_states": (lambda: make_cluster(3).break_node("node2").twice(), 1),
}


@pytest.fixture
def run(monkeypatch, capsys):
    def run(name, samples):
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setattr(source, "collect", lambda **_: samples)
        status = SCRIPTS[name].main()
        return status, capsys.readouterr().out

    return run


def test_every_condition_has_a_script():
    looked_for = {code_of(name).name for name in NAMES}
    assert looked_for == {code.name for code in Code}
    assert set(BROKEN) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_finds_its_condition(run, name):
    samples, expected = BROKEN[name]

    status, printed = run(name, samples())

    assert status == expected
    assert str(code_of(name)) in printed
    assert "No sign of" not in printed


def source_of(name):
    return Path(SCRIPTS[name].__file__).read_text()


def code_of(name):
    (code,) = set(re.findall(r"Code\.(\w+)", source_of(name)))
    return Code[code]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [{}, CRD])
def test_healthy_cluster_has_none_of_them(run, name, config):
    cluster = make_cluster(3).make_policies()
    cluster.config |= config

    status, printed = run(name, cluster.twice())

    assert status == 0
    assert "No sign of" in printed


#: A stale pair whose cause isn't known may be of any of them.
MAY_BE_STALE = {"ciliumnode_recreated", "kvstore_lease_expired", "kvstore_recreated"}
OF_ANOTHER = [
    (name, other)
    for name in NAMES
    for other in ("stale_states", "key_mismatch", "missing_states")
    if name != other and not (other == "stale_states" and name in MAY_BE_STALE)
]


@pytest.mark.parametrize(("name", "other"), OF_ANOTHER)
def test_other_conditions_are_left_to_their_own_scripts(run, name, other):
    status, printed = run(name, BROKEN[other][0]())

    assert status == 0
    assert "No sign of" in printed


@pytest.mark.parametrize("name", NAMES)
def test_unread_node_is_status_3(run, name):
    cluster = make_cluster(3)
    cluster.unread = {"node3"}
    cluster.agents["node3"] = AgentFacts(started_s=NOW - DAY)

    status, printed = run(name, cluster.twice())

    assert status == 3
    assert "node3" in printed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("error", "status"), [(UsageError, 2), (NotPermittedError, 3)])
def test_what_stops_it_is_a_sentence(monkeypatch, capsys, name, error, status):
    def collect(**_):
        raise error("The cluster says no.")

    monkeypatch.setattr(source, "collect", collect)
    monkeypatch.setattr(sys, "argv", [name])

    with pytest.raises(SystemExit) as stopped:
        SCRIPTS[name].main()

    assert stopped.value.code == status
    assert capsys.readouterr().err == "The cluster says no.\n"


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_what_it_looks_at_and_its_exit_status(monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "argv", [name, "--help"])

    with pytest.raises(SystemExit) as stopped:
        SCRIPTS[name].main()

    printed = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "Exit status: 0" in printed
    assert SCRIPTS[name].__doc__.splitlines()[0] in printed
    assert "--snapshot" in printed


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_enough_for_a_page(name):
    assert len(source_of(name).splitlines()) <= 40


@pytest.mark.parametrize(
    ("name", "phase", "status"),
    [
        ("stale_states", "broken", 1),
        ("kvstore_lease_expired", "broken", 1),
        ("key_mismatch", "broken", 0),
        ("stale_states", "healthy", 0),
        ("rotation_in_progress", "rotating", 0),
    ],
)
def test_it_runs_by_its_path_over_what_real_nodes_recorded(name, phase, status):
    done = subprocess.run(
        [sys.executable, SCRIPTS[name].__file__, "--snapshot", SNAPSHOTS / phase],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("Verdict: ")
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["--no-such-option"], ["--context", "x"]])
def test_it_runs_as_a_module_and_is_called_wrongly_with_2(tmp_path, arguments):
    nowhere = os.environ | {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "runbooks.checks.stale_states", *arguments],
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr
