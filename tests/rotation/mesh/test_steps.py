"""One key for several clusters, or none."""

import pytest

from runbooks.lab.kubeapi import Fault
from runbooks.rotation import patch, spread, steps
from runbooks.rotation.errors import RefusedError, RotationError
from runbooks.rotation.lock import Holder, Lock, acquire
from runbooks.rotation.mesh import steps as mesh_steps
from runbooks.rotation.record import read_record
from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import key_line


def lines_of(fleets):
    return {context: fleet.secret_line for context, fleet in fleets.items()}


def records_of(fleets):
    return [read_record(f.secret["metadata"]["annotations"]) for f in fleets.values()]


def rotate(mesh):
    before = mesh_steps.preflight(mesh)
    record = mesh_steps.patch(mesh, before["key_id"], "me", over=before["over"])
    waits = [
        wait(mesh, record["to_key_id"], 5, 0.01)
        for wait in (spread.propagate, spread.reclaim)
    ]
    assert [wait["failed"] for wait in waits] == [False, False]
    return record, mesh_steps.finish(mesh)


def test_all_clusters_get_the_same_key_and_the_same_record(mesh, fleets):
    record, finished = rotate(mesh)
    east, west = lines_of(fleets).values()
    assert east == west
    assert parse_key(east).key_id == 4
    assert {found.rotation_id for found in records_of(fleets)} == {
        record["rotation_id"]
    }
    assert all(found.finished_at for found in records_of(fleets))
    assert finished["finished_at"]
    nodes = [node for fleet in fleets.values() for node in fleet.nodes.values()]
    assert all(set(node.spis) == {4} for node in nodes)


def test_cluster_that_fails_the_preflight_leaves_all_untouched(mesh, fleets):
    fleets["west"].store.delete("pods", "cilium-aaaa12", "kube-system")
    before = lines_of(fleets)
    with pytest.raises(RefusedError, match=r"^west: No agent runs on node12\."):
        mesh_steps.preflight(mesh)
    assert lines_of(fleets) == before


def test_reasons_of_all_clusters_are_told_at_once(mesh, fleets):
    for fleet in fleets.values():
        fleet.configure(enable_ipsec="false")
    with pytest.raises(RefusedError) as error:
        mesh_steps.preflight(mesh)
    assert [reason.partition(":")[0] for reason in error.value.reasons] == [
        "east",
        "west",
    ]


def test_different_key_ids_are_refused(mesh, fleets):
    fleets["west"].write_secret(key_line(5))
    for node in fleets["west"].nodes.values():
        node.spis = {5: None}
    with pytest.raises(RefusedError, match=r"different key IDs \(east: 3, west: 5\)"):
        mesh_steps.preflight(mesh)


def test_different_algorithms_are_refused(mesh, fleets):
    line = key_line(3).replace("01234567 128", "0123456789abcdef01234567 128")
    fleets["west"].write_secret(line)
    with pytest.raises(RefusedError, match="differ in algorithm or length"):
        mesh_steps.preflight(mesh)


@pytest.mark.parametrize("away", ["east", "west"])
def test_cluster_that_missed_the_patch_gets_the_same_key_next_time(
    mesh, mesh_with, fleets, away
):
    hasty = mesh_with(limit_s=0.05)
    fleets[away].faults.add(Fault(verb="patch", resource="secrets", status=500))
    with pytest.raises(RotationError, match=rf"^{away}: .*brings the same key"):
        mesh_steps.patch(hasty, 3, "me")
    (other,) = set(fleets) - {away}
    drawn = fleets[other].secret_line
    assert parse_key(drawn).key_id == 4
    assert fleets[away].secret_line == key_line(3)

    fleets[away].faults.clear()
    before = mesh_steps.preflight(mesh)
    assert before["resumes"]
    assert f"{away} still lacked the new key" in before["summary"][-1]
    assert mesh_steps.would_patch(mesh, before["key_id"])["patched"] == [away]
    rotate(mesh)
    assert lines_of(fleets) == {"east": drawn, "west": drawn}


def test_rotation_that_one_cluster_calls_over_is_finished_in_the_other(mesh, fleets):
    record = mesh_steps.patch(mesh, 3, "me")
    for wait in (spread.propagate, spread.reclaim):
        wait(mesh, 4, 5, 0.01)
    steps.finish(mesh.sessions["west"])
    line = fleets["east"].secret_line
    again, _ = rotate(mesh)
    assert (again["rotation_id"], again["changed"]) == (record["rotation_id"], False)
    assert lines_of(fleets) == {"east": line, "west": line}
    assert all(found.finished_at for found in records_of(fleets))


def test_keys_that_differ_after_an_interruption_are_refused(mesh, fleets):
    mesh_steps.patch(mesh, 3, "me")
    fleets["west"].write_secret(key_line(4))
    with pytest.raises(RefusedError, match="east and west hold different keys"):
        mesh_steps.preflight(mesh)


def test_different_rotations_under_way_are_refused(mesh):
    for session in mesh.sessions.values():
        patch.draw_and_patch(session.cluster, 3, "me", session.brief)
    with pytest.raises(RefusedError, match="Different rotations are under way"):
        mesh_steps.preflight(mesh)


def test_locks_are_all_taken_or_none(mesh):
    me, other = Holder("me@here:1", ""), Holder("you@there:2", "elsewhere/1/2")
    east, west = (Lock(s.cluster, me) for s in mesh.sessions.values())
    Lock(mesh.sessions["west"].cluster, other).acquire()
    with pytest.raises(RefusedError, match=r"^west: Another rotation runs: you@there"):
        acquire({"east": east, "west": west})
    assert not east.release()
    assert acquire({"east": east}) is None


def test_secret_that_is_changed_meanwhile_ends_the_wait(mesh, fleets):
    mesh_steps.patch(mesh, 3, "me")
    fleets["west"].write_secret(key_line(9))
    with pytest.raises(RotationError, match=r"west: .* holds key ID 9 now"):
        spread.propagate(mesh, 4, 5, 0.01)
