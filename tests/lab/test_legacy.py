"""States of versions before keys per pair, and what a ``+`` makes of them.

Native routing and both families: ESP travels over IPv6 here, too.
"""

from __future__ import annotations

import json

import pytest

from runbooks.lab.heal import heal
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.keys import hash_key_bytes, parse_key

pytestmark = pytest.mark.lab
NODES = ("node1", "node2")
PAIRS = [("node1", "node2"), ("node2", "node1")]
KEY_FILE = "/etc/ipsec/keys"


def key_file(lab):
    return parse_key(lab.run("exec", "node1", "--", "cat", KEY_FILE).stdout)


def send_during(lab, change):
    """What was lost on each pair of what both families sent during a change."""
    lab.run("traffic", "start", "--rate", "50")
    changed = change()
    lab.run("traffic", "stop")
    families = [row["families"] for row in lab.traffic().values()]
    assert min(f[name]["sent"] for f in families for name in ("ipv4", "ipv6")) > 100
    wait_until(
        lambda: all(row["lost"] == 0 for row in lab.traffic().values()),
        "packets were lost",
        5,
    )
    return changed


def test_states_have_one_key_no_esn_and_no_window(legacy_lab):
    key = key_file(legacy_lab)
    assert not key.per_tunnel
    for node in NODES:
        states = read_states(legacy_lab.client, node)
        assert len(states) == 4
        shapes = {(s.esn, s.replay_window, s.key_hash) for s in states}
        assert shapes == {(False, 0, hash_key_bytes(key.key))}
    dbg = legacy_lab.run("exec", "node1", "--", "cilium-dbg", "version").stdout
    assert dbg.startswith("Client: 1.15.")


def test_pods_reach_each_other_and_all_that_leaves_is_esp(legacy_lab):
    before = legacy_lab.status()
    for version in (4, 6):
        answered = {pair: legacy_lab.ping(*pair, version) for pair in PAIRS}
        assert answered == dict.fromkeys(PAIRS, 5)
    after = legacy_lab.status()
    for name in NODES:
        assert after[name]["wire"]["esp"] - before[name]["wire"]["esp"] >= 20
        assert after[name]["wire"]["plain"] == 0
    used = [s for s in read_states(legacy_lab.client, "node1") if s.oseq]
    assert {":" in s.source for s in used} == {True, False}


def test_the_wire_tap_sees_a_plain_packet_of_ipv6(legacy_lab):
    """The count of plain packets is not zero because nothing is counted."""
    plan = legacy_lab.client.lab.node("node2")
    before = legacy_lab.status()["node1"]["wire"]["plain"]
    route = ("-6", "route", "{}", f"{plan.pod_ip6}/128", "via", plan.ip6)
    legacy_lab.run("exec", "node1", "--", "ip", *[w.format("add") for w in route])
    try:
        ping = ["exec", "node1", "--", "ping", "-c", "1", "-W", "1", plan.pod_ip6]
        legacy_lab.run(*ping, check=False)
    finally:
        legacy_lab.run("exec", "node1", "--", "ip", *[w.format("del") for w in route])
    assert legacy_lab.status()["node1"]["wire"]["plain"] > before


def test_a_rotation_keeps_the_format_and_loses_nothing(legacy_lab):
    before = key_file(legacy_lab)
    spi = send_during(legacy_lab, lambda: heal(legacy_lab.client))
    after = key_file(legacy_lab)
    assert (after.key_id, after.per_tunnel) == (spi, False)
    assert after.key != before.key
    states = read_states(legacy_lab.client, "node1")
    shapes = {(s.spi, s.esn, s.key_hash) for s in states}
    assert shapes == {(spi, False, hash_key_bytes(after.key))}


def test_the_playbook_moves_to_keys_per_pair_and_loses_nothing(legacy_lab, tmp_path):
    """The last one here: from now on states have ESN."""
    options = ("-e", f"rotation_per_tunnel_keys=true rotation_report_dir={tmp_path}")
    send_during(
        legacy_lab, lambda: legacy_lab.playbook("rotate-ipsec-key.yml", *options)
    )
    key = key_file(legacy_lab)
    assert key.per_tunnel
    states = read_states(legacy_lab.client, "node1")
    assert {(s.esn, s.replay_window) for s in states} == {(True, 1024)}
    assert len({s.key_hash for s in states}) == 4
    done = legacy_lab.command("ipsec-runbooks", "check", "--output", "json")
    assert json.loads(done.stdout)["verdict"] == "healthy"
