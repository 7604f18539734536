"""The check as an operator runs it."""

import pytest

from tests.collect.test_etcd import etcd  # noqa: F401 - a fixture


def test_healthy_cluster_passes(playbooks, fleet):
    playbooks.act_as("ipsec-check")
    version = fleet.store.version
    run = playbooks.run("check-ipsec.yml")
    assert run.status == 0, run.out
    assert "Verdict: healthy" in run.task("Show the verdict")
    assert fleet.store.version == version


def test_stale_pair_is_shown_and_fails_the_run(playbooks, fleet):
    fleet.nodes["node2"].stale_from = {1}
    run = playbooks.run("check-ipsec.yml")
    assert run.status == 2, run.out
    assert "stale-xfrm-state  node1 -> node2" in run.task("Show the verdict")
    assert "stale: 3 nodes, 1 finding." in run.task("Fail if a pair")


def test_api_that_is_no_api_has_a_sentence(playbooks, tmp_path):
    run = playbooks.run(
        "check-ipsec.yml", f"--extra-vars=ipsec_kubeconfig={tmp_path}/x"
    )
    assert run.status == 2
    assert "There is no kubeconfig" in run.out


def test_audit_and_etcd_are_variables(playbooks, etcd):  # noqa: F811
    run = playbooks.run(
        "check-ipsec.yml",
        "-eipsec_check_audit=true",
        f"-eipsec_check_etcd_endpoint={etcd}",
    )
    assert run.status == 0, run.out
    assert "holds nothing of Cilium" in run.task("Show the verdict")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ipsec_check_etcd_endpoint=etcd-0", "endpoint"),
        ("ipsec_check_etcd_cert=/dev/null", "need an --etcd-endpoint"),
    ],
)
def test_access_to_etcd_that_can_not_be_has_a_sentence(playbooks, given, said):
    run = playbooks.run("check-ipsec.yml", f"-e{given}")
    assert run.status == 2
    assert said in run.out
    assert "Traceback" not in run.out
