"""The lab from outside: what a person sees of a cluster of real kernels."""

from __future__ import annotations

import json

import pytest

from runbooks.lab.heal import heal
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.keys import derive_pair_key, hash_key_bytes, parse_key
from runbooks.xfrm.model import Direction

pytestmark = pytest.mark.lab
NODES = ("node1", "node2", "node3")
PAIRS = [(a, b) for a in NODES for b in NODES if a != b]


def state_between(lab, node, source, destination, direction):
    plan = lab.client.lab
    ends = tuple(plan.esp_address(plan.node(n)) for n in (source, destination))
    (state,) = [
        s
        for s in read_states(lab.client, node)
        if (s.source, s.destination) == ends and s.direction is direction
    ]
    return state


def test_every_node_is_a_kernel_of_its_own(lab):
    boot_ids = {row["boot_id"] for row in lab.status().values()}
    assert len(boot_ids) == 3
    assert lab.run("exec", "node1", "--", "uname", "-n").stdout == "node1\n"


def test_pods_reach_each_other_on_every_pair(lab):
    assert {pair: lab.ping(*pair) for pair in PAIRS} == dict.fromkeys(PAIRS, 5)


def test_states_look_like_real_agents_states(lab):
    for node in NODES:
        states = read_states(lab.client, node)
        assert len(states) == 4
        for state in states:
            assert (state.reqid, state.mode, state.esn) == (1, "tunnel", True)
            assert state.replay_window == 1024
            assert state.algorithm == "rfc4106(gcm(aes))"
            assert state.icv_bits == 128
            if state.direction is Direction.OUT:
                assert state.mark.mask == 0xFFFFFF00
                assert state.mark.value & 0xFF00 == state.spi << 12 | 0xE00
                assert (state.output_mark.value, state.output_mark.mask) == (
                    0xE00,
                    0xFFFFFF00,
                )
            else:
                assert state.mark.mask == 0xFFFF0F00
                assert state.output_mark.value == 0xD00


def test_pair_keys_are_derived_from_the_key_file_and_both_boot_ids(lab):
    line = lab.run("exec", "node1", "--", "cat", "/etc/ipsec/keys").stdout
    key = parse_key(line).key
    plan, boot = lab.client.lab, {n: r["boot_id"] for n, r in lab.status().items()}
    for source, destination in PAIRS:
        pair_key = derive_pair_key(
            key,
            plan.node(source).cilium_ip,
            plan.node(destination).cilium_ip,
            boot[source],
            boot[destination],
        )
        sent = state_between(lab, source, source, destination, Direction.OUT)
        received = state_between(lab, destination, source, destination, Direction.IN)
        assert sent.key_hash == received.key_hash == hash_key_bytes(pair_key)


def test_pod_traffic_leaves_only_as_esp(lab):
    before = {name: row["wire"] for name, row in lab.status().items()}
    for pair in PAIRS:
        lab.ping(*pair)
    after = {name: row["wire"] for name, row in lab.status().items()}
    for name in NODES:
        # Two pairs of five pings, and as many answers.
        assert after[name]["esp"] - before[name]["esp"] >= 20
        assert after[name]["plain"] == 0


def test_the_wire_tap_sees_a_plain_packet(lab):
    """The count of plain packets is not zero because nothing is counted."""
    pod = lab.client.lab.node("node3").pod_ip
    before = lab.status()["node1"]["wire"]["plain"]
    node = lab.client.lab.node("node3").ip
    lab.run("exec", "node1", "--", "ip", "route", "add", f"{pod}/32", "via", node)
    try:
        ping = ["exec", "node1", "--", "ping", "-c", "2", "-W", "1", "-i", "0.2"]
        lab.run(*ping, "-I", lab.client.lab.node("node1").ip, pod, check=False)
    finally:
        lab.run("exec", "node1", "--", "ip", "route", "del", f"{pod}/32")
    assert lab.status()["node1"]["wire"]["plain"] >= before + 1


def test_traffic_arrives_complete_on_every_pair(lab):
    lab.run("traffic", "start", "--rate", "50")
    wait_until(lambda: all(r["sent"] > 100 for r in lab.traffic().values()), "too slow")
    lab.run("traffic", "stop")
    wait_until(
        lambda: all(r["lost"] == 0 for r in lab.traffic().values()),
        "packets were lost in a healthy lab",
        5,
    )


def test_exec_passes_streams_and_status_through(lab):
    done = lab.run(
        "exec", "node1", "--", "sh", "-c", "echo o; echo e >&2; exit 7", check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("o\n", "e\n", 7)


def test_exec_on_a_node_that_is_not_there_names_those_that_are(lab):
    done = lab.run("exec", "node9", "--", "true", check=False)
    assert done.returncode != 0
    assert "has no node 'node9'; it has node1, node2, node3" in done.stderr


def test_nothing_of_the_host_can_be_written(lab):
    done = lab.run("exec", "node1", "--", "touch", "/usr/x", check=False)
    assert "Read-only file system" in done.stderr


def test_an_agent_that_restarts_leaves_its_states_as_they_are(lab):
    before = {(s.mark, s.added_s) for s in read_states(lab.client, "node3")}
    lab.client.ask("agent", node="node3", action="stop", signal="KILL")
    lab.client.ask("agent", node="node3", action="start")
    assert {(s.mark, s.added_s) for s in read_states(lab.client, "node3")} == before
    assert lab.ping("node1", "node3") == 5


def test_cilium_nodes_are_there_and_no_agent_follows_them(lab):
    """In key-value store mode; an agent that starts anew doesn't look, either."""
    config = "jsonpath={.data.identity-allocation-mode} {.data.enable-ipv6}"
    get = ("kubectl", "-n", "kube-system", "get", "configmap", "cilium-config")
    assert lab.command(*get, "-o", config).stdout == "kvstore false"
    names = lab.command("kubectl", "get", "ciliumnodes", "-o", "name").stdout.split()
    assert names == [f"ciliumnode.cilium.io/{name}" for name in NODES]
    before = {(s.mark, s.added_s) for s in read_states(lab.client, "node1")}
    lab.command("kubectl", "delete", "ciliumnode", "node3")
    try:
        lab.client.ask("agent", node="node1", action="stop", signal="KILL")
        lab.client.ask("agent", node="node1", action="start")
        after = {(s.mark, s.added_s) for s in read_states(lab.client, "node1")}
    finally:
        lab.client.ask("agent", node="node3", action="stop", signal="KILL")
        lab.client.ask("agent", node="node3", action="start")
    assert after == before
    made = lab.command("kubectl", "get", "ciliumnode", "node3", "-o", "json").stdout
    assert json.loads(made)["spec"]["bootid"] == lab.status()["node3"]["boot_id"]


def test_cilium_dbg_answers_in_the_words_of_real_agents(lab):
    def dbg(*words):
        return lab.run("exec", "node1", "--", "cilium-dbg", *words).stdout

    text = dbg("encrypt", "status").splitlines()
    assert text[0] == f"Encryption: {'IPsec':<26}"
    assert text[1:3] == ["Decryption interface(s): ", f"Keys in use: {'4':<26}"]
    assert text[3].startswith("Max Seq. Number: 0x")
    encryption = json.loads(dbg("encrypt", "status", "-o", "json"))
    assert encryption["mode"] == "IPsec"
    assert encryption["ipsec"]["keys-in-use"] == 4
    assert json.loads(dbg("status", "-o", "json"))["encryption"]["mode"] == "IPsec"
    assert "KVStore:" in dbg("status")
    assert dbg("version").splitlines()[0].startswith("Client: 1.18")
    lines = dbg("kvstore", "get", "--recursive", "cilium/state/nodes").splitlines()
    entries = dict(line.split(" => ", 1) for line in lines)
    entry = json.loads(entries["cilium/state/nodes/v1/default/node2"])
    assert entry["BootID"] == lab.status()["node2"]["boot_id"]
    assert entry["EncryptionKey"] in lab.status()["node2"]["spis"]


def test_cilium_dbg_says_when_the_agent_is_down(lab):
    lab.client.ask("agent", node="node3", action="stop", signal="KILL")
    try:
        done = lab.run("exec", "node3", "--", "cilium-dbg", "version", check=False)
    finally:
        lab.client.ask("agent", node="node3", action="start")
    assert done.returncode == 1
    assert "Is the agent running?" in done.stderr


def test_a_rotation_loses_no_packet_and_leaves_nothing_of_the_old_key(lab):
    lab.run("traffic", "start", "--rate", "100")
    spi = heal(lab.client)
    lab.run("traffic", "stop")
    assert {tuple(row["spis"]) for row in lab.status().values()} == {(spi,)}
    wait_until(
        lambda: all(r["lost"] == 0 for r in lab.traffic().values()),
        "the rotation lost packets",
        5,
    )


def test_a_key_under_the_same_id_is_refused(lab):
    line = lab.run("exec", "node1", "--", "cat", "/etc/ipsec/keys").stdout.split()
    fields = [line[0], line[1], "00" * 20, line[3]]
    before = {s.key_hash for s in read_states(lab.client, "node1")}
    patch = json.dumps({"stringData": {"keys": " ".join(fields)}})
    secret = ["kubectl", "-n", "kube-system", "patch", "secret", "cilium-ipsec-keys"]
    lab.command(*secret, "-p", patch)
    try:
        log = ["exec", "node1", "--", "cat", "/run/log/cilium-agent.log"]
        wait_until(
            lambda: "requires incrementing the key id" in lab.run(*log).stdout,
            "the agent did not refuse the key",
        )
        assert {s.key_hash for s in read_states(lab.client, "node1")} == before
    finally:
        patch = json.dumps({"stringData": {"keys": " ".join(line)}})
        lab.command(*secret, "-p", patch)


def test_lease_expiry_kills_one_direction_and_counts_it_on_the_receiver(broken_lab):
    lab = broken_lab

    def failed(node):
        # Since boot: other tests' breaks are counted as well.
        return lab.status()[node]["counters"].get("XfrmInStateProtoError", 0)

    before = {node: failed(node) for node in ("node1", "node2")}
    sent = state_between(lab, "node1", "node1", "node2", Direction.OUT)
    kept = state_between(lab, "node2", "node1", "node2", Direction.IN)
    assert kept.seq > 50_000 > sent.oseq
    assert kept.key_hash == sent.key_hash
    assert kept.added_s < sent.added_s
    assert lab.ping("node1", "node2") == 0
    assert lab.ping("node2", "node1") == 0
    assert lab.ping("node1", "node3") == 5
    assert failed("node2") > before["node2"]
    assert failed("node1") == before["node1"]
    later = state_between(lab, "node2", "node1", "node2", Direction.IN)
    assert later.seq == kept.seq
    assert later.integrity_errors > 0


def test_lease_expiry_leaves_one_pair_idle(broken_lab):
    sent = state_between(broken_lab, "node3", "node3", "node2", Direction.OUT)
    kept = state_between(broken_lab, "node2", "node3", "node2", Direction.IN)
    assert sent.oseq == 0
    assert kept.seq > 50_000
