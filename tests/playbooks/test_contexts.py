"""One run of the playbook for several clusters."""

import json

import pytest

from runbooks.xfrm.keys import parse_key
from tests.playbooks.conftest import FleetPods, merged_kubeconfig
from tests.rotation.api_server import Api
from tests.rotation.fleet import Fleet

CONTEXTS = "--extra-vars={rotation_contexts: [east, west]}"


@pytest.fixture
def west(fleet, api, playbooks, tmp_path):
    """A second cluster, meshed with the first, and a kubeconfig for both."""
    folder = tmp_path / "west"
    folder.mkdir()
    made = Fleet(folder, duration_s=0.5, first=11)
    fleet.meshed_with, made.meshed_with = [made], [fleet]
    server = Api(made, FleetPods(made, folder / "nodes").run)
    both = {"east": api.kubeconfig, "west": server.kubeconfig}
    path = merged_kubeconfig(both, tmp_path / "both.yaml")
    playbooks.environment["KUBECONFIG"] = str(path)
    yield made
    server.close()


def test_mesh_is_rotated_with_one_key(playbooks, fleet, west):
    run = playbooks.rotate(CONTEXTS)
    assert run.status == 0, run.out
    assert fleet.secret_line == west.secret_line
    assert parse_key(west.secret_line).key_id == 4
    summary = run.task("Sum up")
    assert "key ID 3 to 4 on 6 nodes (east/node1, " in summary
    report = json.loads(next(playbooks.reports.glob("*.json")).read_text())
    assert set(report["timeline"]["west/node12"]) == {"propagate", "reclaim"}
    assert report["finished_at"]


def test_cluster_that_refuses_leaves_the_others_untouched(playbooks, fleet, west):
    west.configure(enable_ipsec="false")
    versions = fleet.store.version, west.store.version
    run = playbooks.rotate(CONTEXTS)
    assert run.status == 2
    assert "west: IPsec is not enabled in this cluster" in run.out
    assert (fleet.store.version, west.store.version) == versions


def test_check_mode_tells_of_all_clusters_and_changes_none(playbooks, fleet, west):
    versions = fleet.store.version, west.store.version
    run = playbooks.rotate(CONTEXTS, "--check", "--diff")
    assert run.status == 0, run.out
    assert "Would go from key ID 3 to 4 on 6 nodes." in run.task("Sum up")
    assert (fleet.store.version, west.store.version) == versions


@pytest.mark.usefixtures("west")
def test_cluster_that_is_named_twice_is_refused(playbooks):
    run = playbooks.rotate("--extra-vars={rotation_contexts: [east, east]}")
    assert run.status == 2
    assert "Contexts east and east lead to the same cluster." in run.out


@pytest.mark.usefixtures("west")
def test_context_that_is_not_there_is_named(playbooks):
    run = playbooks.rotate("--extra-vars={rotation_contexts: [east, north]}")
    assert run.status == 2
    assert "north" in run.out
