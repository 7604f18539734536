"""The rotation as an operator runs it."""

import json

from runbooks.xfrm.keys import parse_key


def test_rotation_ends_with_one_new_key_and_a_summary(playbooks, fleet, tmp_path):
    probe = {"rotation_probe_command": ["touch", str(tmp_path / "probed")]}
    run = playbooks.rotate(f"--extra-vars={json.dumps(probe)}")
    assert run.status == 0, run.out
    assert (tmp_path / "probed").exists()
    assert parse_key(fleet.secret_line).key_id == 4
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
    summary = run.task("Sum up")
    assert "key ID 3 to 4 on 3 nodes (node1, node2, node3)" in summary
    assert "Verdict before: healthy; after: healthy." in summary
    report = json.loads(next(playbooks.reports.glob("*.json")).read_text())
    assert set(report["timeline"]["node2"]) == {"propagate", "reclaim"}
    assert report["finished_at"]


def test_check_mode_changes_nothing_and_says_what_would_happen(playbooks, fleet):
    version = fleet.store.version
    run = playbooks.rotate("--check", "--diff")
    assert run.status == 0, run.out
    assert fleet.store.version == version
    assert "-3" in run.out
    assert "+4" in run.out
    assert "Would go from key ID 3 to 4 on 3 nodes." in run.task("Sum up")
    assert not playbooks.reports.exists()


def test_refusal_changes_nothing_and_names_the_node(playbooks, fleet):
    fleet.store.delete("pods", "cilium-aaaa3", "kube-system")
    version = fleet.store.version
    run = playbooks.rotate()
    assert run.status == 2
    assert "No agent runs on node3." in run.out
    assert fleet.store.version == version


def test_lagging_node_is_named_while_it_lags_and_at_the_limit(playbooks, fleet):
    fleet.nodes["node2"].stuck = True
    run = playbooks.rotate("--extra-vars=rotation_propagate_limit=1")
    assert run.status == 2
    waiting = run.task("Wait until every node has both directions")
    assert "waiting for node2 (" in waiting
    assert "Gave up after" in waiting
    assert "It stopped: Gave up after" in run.task("Sum up")


def test_agents_that_do_not_watch_the_key_file_are_restarted(playbooks, fleet):
    fleet.need_restarts()
    refused = playbooks.rotate()
    assert refused.status == 2
    assert "Set rotation_restart_agents: true" in refused.out

    playbooks.grant("rbac-restart.yml")
    run = playbooks.rotate("--extra-vars=rotation_restart_agents=true")
    assert run.status == 0, run.out
    assert fleet.restarted == ["node1", "node2", "node3"]
    assert "restarting the agent of node2" in run.task("Restart the agents that")
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())


def test_known_bug_is_accepted_by_its_name_only(playbooks):
    run = playbooks.rotate("--extra-vars={rotation_accept_known_bugs: [all]}")
    assert run.status == 2
    assert "cilium-44335, cilium-42721" in run.out


def test_drops_that_a_rotation_does_not_explain_fail_the_run(playbooks, fleet):
    fleet.drops_with_key[4] = 7
    run = playbooks.rotate()
    assert run.status == 2
    failure = run.task("Fail if packets were dropped")
    assert "XfrmInStateProtoError rose by 7 on node1, which a rotation" in " ".join(
        failure.split()
    )
    # It is over all the same: the next run draws a key of its own.
    assert parse_key(fleet.secret_line).key_id == 4
    assert playbooks.rotate("--check").status == 0
