"""The repair as an operator runs it."""

import pytest


@pytest.fixture
def stale(fleet):
    fleet.nodes["node2"].stale_from = {1}
    return fleet


def test_repair_asks_for_confirmation_and_shows_what_it_would_delete(playbooks, stale):
    version = stale.store.version
    run = playbooks.run("repair-stale-states.yml")
    assert run.status == 2, run.out
    assert "ip xfrm state delete src 10.0.1.10" in run.task("Show what is stale")
    refusal = run.task("Refuse to delete states without confirmation")
    assert "Cilium's documentation names only one cure" in refusal
    assert "set repair_confirm: true" in refusal
    assert (stale.deleted, stale.store.version) == ([], version)


def test_check_mode_shows_the_same_and_deletes_nothing(playbooks, stale):
    version = stale.store.version
    run = playbooks.run("repair-stale-states.yml", "--check")
    assert run.status == 0, run.out
    assert "ip xfrm state delete src 10.0.1.10" in run.task("Show what is stale")
    assert (stale.deleted, stale.store.version) == ([], version)


def test_confirmed_repair_heals_the_pair_and_gives_the_lock_back(playbooks, stale):
    run = playbooks.run("repair-stale-states.yml", "--extra-vars=repair_confirm=true")
    assert run.status == 0, run.out
    assert [node for node, _ in stale.deleted] == ["node2"]
    assert "No pair is stale." in run.out
    lease = stale.store.get(
        "leases.coordination.k8s.io", "cilium-ipsec-rotation", "kube-system"
    )
    assert not lease["spec"].get("holderIdentity")
    playbooks.act_as("ipsec-check")
    assert playbooks.run("check-ipsec.yml").status == 0


def test_healthy_cluster_needs_no_confirmation_and_no_lock(playbooks, fleet):
    version = fleet.store.version
    run = playbooks.run("repair-stale-states.yml")
    assert run.status == 0, run.out
    assert "There is no stale state to delete." in run.out
    assert fleet.store.version == version
