"""After an interruption the cluster itself is asked what stands."""

import pytest

from runbooks.rotation import patch
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.lease_record import write_record
from runbooks.rotation.lock import LEASE_NAME, Holder, Lock
from runbooks.rotation.objects import Target
from runbooks.rotation.waiting import Pace
from runbooks.runner.interruption import what_stands
from runbooks.runner.progress import Progress

ME = Holder("me@here:7", "")


@pytest.fixture
def target(api):
    return Target(kubeconfig=str(api.kubeconfig))


def holder(fleet):
    lease = fleet.store.get("leases.coordination.k8s.io", LEASE_NAME, "kube-system")
    return lease["spec"].get("holderIdentity") or ""


def test_before_the_patch_nothing_was_changed(target):
    assert what_stands([target], Progress(step="preflight")) == (
        "The key was not changed. Run the command again when you like."
    )


def test_after_the_patch_the_rotation_goes_on_next_time(target, api, fleet):
    cluster = api.connect()
    Lock(cluster, ME).acquire()
    record = patch.draw_and_patch(cluster, 3, ME.name, Pace(5))
    told = what_stands([target], Progress(holder=ME.name, patched=True))
    assert f"Rotation {record.rotation_id} (key ID 3 to 4) is not over" in told
    assert told.endswith("The lock was given back.")
    assert holder(fleet) == ""


def test_patch_that_no_event_told_of_is_found(target, api):
    patch.draw_and_patch(api.connect(), 3, ME.name, Pace(5))
    assert "is not over" in what_stands([target], Progress(step="patch"))


def test_key_files_may_be_written_on_some_nodes_only(api, fleet):
    target = Target(kubeconfig=str(api.kubeconfig), key_files=True)
    cluster = Cluster.connect(target)
    fleet.store.delete("secrets", "cilium-ipsec-keys", "kube-system")
    assert what_stands([target], Progress(step="preflight")).startswith(
        "The key was not"
    )
    Lock(cluster, ME).acquire()
    record = patch.new_record(3, 4, ME.name)
    write_record(cluster, record, ME.name, Pace(5))
    told = what_stands([target], Progress(holder=ME.name, step="patch"))
    assert (
        f"Rotation {record.rotation_id} (key ID 3 to 4) is not over: nodes may" in told
    )
    assert "Run the command again now" in told
    assert told.endswith("The lock was given back.")
    assert "is not over" in what_stands([target], Progress(step="patch"))


def test_finished_rotation_is_called_over(target, api):
    cluster = api.connect()
    record = patch.draw_and_patch(cluster, 3, ME.name, Pace(5))
    patch.finish(cluster, record, Pace(5))
    told = what_stands([target], Progress(step="report", patched=True))
    assert told == "The rotation itself was over already."


def test_lock_of_another_run_is_left_alone(target, api, fleet):
    Lock(api.connect(), Holder("other@there:8", "")).acquire()
    told = what_stands([target], Progress(holder=ME.name))
    assert "The lock could not be given back" in told
    assert holder(fleet) == "other@there:8"


def test_cluster_out_of_reach_is_said(tmp_path):
    gone = Target(kubeconfig=str(tmp_path / "gone.yaml"))
    told = what_stands([gone], Progress(patched=True))
    assert "could not be read (There is no kubeconfig at" in told
    assert "Run the command again" in told
