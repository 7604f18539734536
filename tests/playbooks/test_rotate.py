"""The rotation as an operator runs it."""

import base64
import json

from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import KEY_HEX, key_line


def test_rotation_ends_with_one_new_key_and_a_summary(playbooks, fleet):
    run = playbooks.rotate()
    assert run.status == 0, run.out
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
    assert "Gave up after 1 s" in waiting
    assert "It stopped: Gave up after 1 s" in run.task("Sum up")
    fleet.nodes["node2"].stuck = False
    line = fleet.secret_line
    again = playbooks.rotate()
    assert again.status == 0, again.out
    assert "was interrupted. This run goes on with it" in again.out
    assert fleet.secret_line == line


def everything_written(playbooks, run):
    yield run.out.encode()
    for path in playbooks.folder.rglob("*"):
        # The made-up kernels and the kubeconfigs are the test's own.
        if path.is_file() and "nodes" not in path.relative_to(playbooks.folder).parts:
            yield path.read_bytes()


def forms(key):
    yield from (key, key.hex().encode(), key.hex().upper().encode())
    yield base64.b64encode(key)
    line = key_line(3).replace(KEY_HEX, key.hex())
    for key_id in (3, 4):
        encoded = base64.b64encode(line.replace("3+", f"{key_id}+").encode())
        yield encoded[24:64]


def test_no_key_reaches_any_output_or_file(playbooks, fleet):
    fleet.nodes["node2"].stuck = True
    run = playbooks.rotate("-vvvv", "--diff", "--extra-vars=rotation_propagate_limit=1")
    assert run.status == 2
    old, new = bytes.fromhex(KEY_HEX), parse_key(fleet.secret_line).key
    assert old != new
    leaks = [
        written[:80]
        for written in everything_written(playbooks, run)
        for key in (old, new)
        for form in forms(key)
        if form in written
    ]
    assert leaks == []
