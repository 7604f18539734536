"""Several clusters are looked at as one; what lies between them counts."""

import math

import pytest

from runbooks.diagnose.finding import Code, Verdict
from runbooks.rotation import spread, steps
from runbooks.rotation.errors import RotationError, TransientError
from runbooks.rotation.mesh import steps as mesh_steps
from runbooks.rotation.mesh.clusters import joined
from runbooks.rotation.mesh.clusters import meshed as meshed_pairs
from runbooks.rotation.mesh.diagnosis import diagnose_mesh
from runbooks.snapshot import Samples

BOTH = {frozenset(("east", "west"))}


def test_pairs_between_meshed_clusters_have_to_be_there(mesh, meshed):
    mesh_steps.patch(mesh, 3, "me")
    # The inbound state from a node of the other cluster never comes back.
    meshed["east"].nodes["node1"].remade_at[11] = math.inf
    result = spread.propagate(mesh, 4, 0.1, 0.01)
    assert result["failed"]
    assert result["pending"] == [
        "east/node1 (inbound from west/node11 under SPI 4)",
    ]


def test_nodes_of_meshed_clusters_are_named_with_their_cluster(mesh, meshed, lines):
    mesh_steps.patch(mesh, 3, "me")
    meshed["west"].nodes["node12"].stuck = True
    assert spread.propagate(mesh, 4, 0.1, 0.01)["failed"]
    assert "waiting for west/node12 (" in lines[0]


@pytest.mark.usefixtures("meshed")
def test_meshed_clusters_are_told_from_their_states(mesh):
    snapshot = mesh.states()
    addresses = {
        context: session.cluster.addresses()
        for context, session in mesh.sessions.items()
    }
    assert meshed_pairs(snapshot, addresses) == BOTH


def test_clusters_that_share_addresses_are_not_taken_for_a_mesh(mesh):
    one = mesh.sessions["east"]
    snapshot = joined({"east": one.reader.states(), "west": one.reader.states()})
    addresses = one.cluster.addresses()
    assert meshed_pairs(snapshot, {"east": addresses, "west": addresses}) == set()


@pytest.mark.usefixtures("meshed")
def test_pair_that_is_stale_between_clusters_is_found(mesh, fleets):
    fleets["east"].nodes["node1"].stale_from = {11}
    found = {c: s.reader.assess() for c, s in mesh.sessions.items()}
    samples = Samples(mesh.states(), mesh.states())
    diagnosis = diagnose_mesh(
        {context: each.diagnosis for context, each in found.items()}, samples, BOTH
    )
    assert diagnosis.verdict is Verdict.STALE
    assert [(f.code, f.source, f.destination) for f in diagnosis.findings] == [
        (Code.STALE_XFRM_STATE, "west/node11", "east/node1")
    ]


def test_verification_looks_at_every_cluster(mesh):
    verified = steps.verify(mesh, 0.1, {"west/node11": {"XfrmInStateProtoError": -7}})
    assert verified["healthy"]
    assert verified["dropped"] == {"west/node11": {"XfrmInStateProtoError": 7}}


def test_cluster_that_cannot_be_read_is_named(mesh, monkeypatch):
    def away(**_options):
        raise TransientError("the cluster (connection refused)")

    monkeypatch.setattr(mesh.sessions["west"].reader, "assess", away)
    with pytest.raises(RotationError, match=r"^west: the cluster \(connection"):
        mesh.assess()


def test_context_with_slashes_keeps_its_nodes_apart(mesh):
    snapshot = joined({"arn:aws:eks:x/one": mesh.sessions["east"].reader.states()})
    assert "arn:aws:eks:x/one/node1" in snapshot.nodes
