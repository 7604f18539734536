"""The check as an operator runs it."""


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
