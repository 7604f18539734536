"""The check script that the runbook page shows."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from runbooks.checks import kvstore_lease_expired
from runbooks.collect.errors import NotPermittedError, UsageError
from tests.diagnose.cluster_builder import make_cluster

SCRIPT = Path(kvstore_lease_expired.__file__)


@pytest.mark.parametrize(("broken", "status"), [(False, 0), (True, 1)])
def test_it_exits_like_the_check(monkeypatch, capsys, broken, status):
    cluster = make_cluster(3)
    if broken:
        cluster.break_node("node2")
    monkeypatch.setattr(kvstore_lease_expired, "collect", lambda **_: cluster.twice())

    assert kvstore_lease_expired.main() == status
    assert "Verdict" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "status"), [(UsageError, 2), (NotPermittedError, 3)])
def test_what_stops_it_is_a_sentence(monkeypatch, capsys, error, status):
    def collect(**_):
        raise error("The cluster says no.")

    monkeypatch.setattr(kvstore_lease_expired, "collect", collect)

    assert kvstore_lease_expired.main() == status
    assert capsys.readouterr().err == "The cluster says no.\n"


@pytest.mark.parametrize("call", [["-m", kvstore_lease_expired.__name__], [SCRIPT]])
def test_it_runs_as_a_module_and_by_its_path(tmp_path, call):
    nowhere = os.environ | {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, *call],
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "kubeconfig" in done.stderr


def test_it_is_short_enough_for_a_page():
    assert len(SCRIPT.read_text().splitlines()) <= 60
    assert "main" in runpy.run_path(str(SCRIPT))
