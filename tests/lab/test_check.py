"""``ipsec-runbooks check`` on real kernels, through the Kubernetes API alone."""

from __future__ import annotations

import json

import pytest

from runbooks.lab.reading import wait_until

pytestmark = pytest.mark.lab

FULL_SPEED = "1000"


def check(lab, *options):
    done = lab.command(
        "ipsec-runbooks", "check", "--output", "json", *options, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_a_healthy_cluster_at_full_speed_is_healthy(lab):
    lab.run("traffic", "start", "--rate", FULL_SPEED)
    before = min(row["sent"] for row in lab.traffic().values())
    try:
        for _ in range(2):
            status, result = check(lab)
            assert (status, result["verdict"], result["findings"]) == (0, "healthy", [])
        after = min(row["sent"] for row in lab.traffic().values())
    finally:
        lab.run("traffic", "stop")
    # The packets flowed while it read.
    assert after - before > 1000


def test_every_node_is_named_as_read(lab):
    _, result = check(lab)
    assert result["schema"] == 1
    assert result["nodes"] == [{"name": f"node{i}", "read": True} for i in (1, 2, 3)]
    assert result["incomplete"] == []


def test_a_node_whose_agent_is_down_is_named_as_unread(crd_lab):
    # Without a lease that expires where a check takes its time.
    crd_lab.client.ask("agent", node="node3", action="stop", signal="KILL")
    try:
        status, result = check(crd_lab)
    finally:
        crd_lab.client.ask("agent", node="node3", action="start")
    assert (status, result["verdict"]) == (3, "unknown")
    assert {"name": "node3", "read": False} in result["nodes"]
    assert any("node3" in sentence for sentence in result["incomplete"])


def test_an_expired_lease_is_found_on_both_pairs_with_its_cause(broken_lab):
    status, result = check(broken_lab)
    assert (status, result["verdict"]) == (1, "stale")
    found = {(f["source"], f["destination"]): f for f in result["findings"]}
    assert set(found) == {("node1", "node2"), ("node3", "node2")}
    for finding in found.values():
        assert finding["code"] == "stale-xfrm-state"
        assert finding["severity"] == "critical"
        assert finding["cause"] == "kvstore-lease-expired"
        assert finding["runbook"] == "kvstore-lease-expired"
        assert finding["spi"] in broken_lab_spis(broken_lab)
        evidence = finding["evidence"]
        assert evidence["inbound_seq"] > 50_000 > evidence["outbound_oseq"]
    busy = found["node1", "node2"]["evidence"]
    assert busy["outbound_oseq"] > 0
    assert busy["failed_delta"] > 0
    idle = found["node3", "node2"]["evidence"]
    assert (idle["outbound_oseq"], idle["failed_delta"]) == (0, 0)


def broken_lab_spis(lab):
    return {spi for row in lab.status().values() for spi in row["spis"]}


def test_the_pages_check_script_finds_it_too(broken_lab):
    done = broken_lab.command(
        "python", "-m", "runbooks.checks.kvstore_lease_expired", check=False
    )
    assert done.returncode == 1
    assert "node1 -> node2" in done.stdout
    assert "node3 -> node2" in done.stdout


def test_a_snapshot_of_the_cluster_checks_the_same(broken_lab, tmp_path):
    broken_lab.command("ipsec-runbooks", "snapshot", "-o", str(tmp_path / "s"))
    status, result = check(broken_lab, "--snapshot", str(tmp_path / "s"))
    assert (status, result["verdict"]) == (1, "stale")
    assert {f["cause"] for f in result["findings"]} == {"kvstore-lease-expired"}
    line = broken_lab.run("exec", "node1", "--", "cat", "/etc/ipsec/keys").stdout
    states = broken_lab.run("exec", "node1", "--", "ip", "xfrm", "state").stdout
    keys = {word for word in states.split() if word.startswith("0x") and len(word) > 30}
    assert len(keys) == 4
    secrets = {key.removeprefix("0x") for key in keys} | {line.split()[2]}
    written = [p.read_text() for p in (tmp_path / "s").rglob("*") if p.is_file()]
    assert written
    assert not [s for s in secrets for text in written if s in text]


def test_broken_pairs_stay_broken_while_packets_flow(broken_lab):
    def lost():
        return broken_lab.traffic()["node1", "node2"]["lost"]

    before = lost()
    wait_until(lambda: lost() > before + 20, "packets towards node2 arrive", 20)
    status, _ = check(broken_lab)
    assert status == 1
