"""A lab without a key-value store, whose packets of both families travel in VXLAN.

The other lab tests use the other mode and the other datapath, or states of older
versions.
"""

from __future__ import annotations

import json

import pytest

from runbooks.lab.breaks import BREAKS, break_for
from runbooks.lab.heal import heal
from runbooks.lab.plan import Lab, LabError
from runbooks.lab.reading import read_states, wait_until

NODES = ("node1", "node2", "node3")
PAIRS = [(a, b) for a in NODES for b in NODES if a != b]


def check(lab):
    done = lab.command("ipsec-runbooks", "check", "--output", "json", check=False)
    return done.returncode, json.loads(done.stdout)


def cilium_nodes(lab):
    listed = lab.command("kubectl", "get", "ciliumnodes", "-o", "json").stdout
    return {item["metadata"]["name"]: item for item in json.loads(listed)["items"]}


def addresses_of(lab, node):
    return lab.client.lab.addresses(lab.client.lab.node(node))


def states_between(lab, holder, peer):
    addresses = {ip for _, ip in addresses_of(lab, peer)}
    states = read_states(lab.client, holder)
    return [s for s in states if addresses & {s.source, s.destination}]


@pytest.mark.parametrize("option", ["mode", "datapath"])
def test_a_mode_or_datapath_that_is_not_there_is_refused_with_those_that_are(option):
    with pytest.raises(LabError, match=r"is \w+ or \w+, not 'x'"):
        Lab("lab", **{option: "x"})


@pytest.mark.parametrize("name", [n for n, b in BREAKS.items() if len(b.modes) == 1])
def test_a_failure_is_refused_where_it_can_not_happen(name):
    other = {"kvstore": "crd", "crd": "kvstore"}[BREAKS[name].modes[0]]
    with pytest.raises(LabError, match=f"{BREAKS[name].modes[0]} mode only"):
        break_for(Lab("lab", mode=other), name)


@pytest.mark.lab
def test_pods_reach_each_other_and_all_that_leaves_is_esp(crd_lab):
    before = crd_lab.status()
    for version in (4, 6):
        answered = {pair: crd_lab.ping(*pair, version) for pair in PAIRS}
        assert answered == dict.fromkeys(PAIRS, 5)
    after = crd_lab.status()
    for name in NODES:
        assert after[name]["wire"]["esp"] - before[name]["wire"]["esp"] >= 40
        assert after[name]["wire"]["plain"] == 0


@pytest.mark.lab
def test_node_ips_have_states_of_their_own_and_those_carry_the_traffic(crd_lab):
    plan = crd_lab.client.lab
    crd_lab.ping("node1", "node2")
    for holder, peer in PAIRS:
        states = states_between(crd_lab, holder, peer)
        ends = {(s.source, s.destination) for s in states}
        own, others = (addresses_of(crd_lab, node) for node in (holder, peer))
        pairs = {(a[1], b[1]) for a, b in zip(own, others, strict=True)}
        assert ends == pairs | {(b, a) for a, b in pairs}
        assert len(states) == len({s.key_hash for s in states}) == 8
    # VXLAN is of IPv4, whatever is in it.
    crd_lab.ping("node1", "node2", 6)
    sent = {
        s.source: s.oseq for s in states_between(crd_lab, "node1", "node2") if s.oseq
    }
    assert set(sent) == {plan.node("node1").ip}


@pytest.mark.lab
def test_vxlan_that_is_not_encrypted_would_be_counted(crd_lab):
    """The count of plain packets is not zero because nothing is counted."""
    before = crd_lab.status()["node1"]["wire"]["plain"]
    node = crd_lab.client.lab.node("node2").ip
    send = f"echo x > /dev/udp/{node}/8472"
    crd_lab.run("exec", "node1", "--", "bash", "-c", send)
    wait_until(
        lambda: crd_lab.status()["node1"]["wire"]["plain"] == before + 1,
        "VXLAN in plain text was not seen",
        5,
    )


@pytest.mark.lab
def test_what_goes_to_a_node_that_nobody_knows_is_stopped(crd_lab):
    """A pod's packet that gets into the tunnel without a peer's mark."""
    plan = crd_lab.client.lab
    before = crd_lab.status()["node1"]
    gateway = plan.node("node2").cilium_ip
    route = ("10.20.99.0/24", "via", gateway, "dev", "cilium_vxlan", "onlink")
    crd_lab.run("exec", "node1", "--", "ip", "route", "add", *route)
    try:
        ping = ["ping", "-c", "2", "-W", "1", "-i", "0.2", "10.20.99.1"]
        crd_lab.client.run("node1", ping, pod=True)
    finally:
        crd_lab.run("exec", "node1", "--", "ip", "route", "del", "10.20.99.0/24")
    after = crd_lab.status()["node1"]
    assert after["wire"]["plain"] == before["wire"]["plain"]
    blocked = before["counters"].get("XfrmOutPolBlock", 0)
    assert after["counters"]["XfrmOutPolBlock"] >= blocked + 1


@pytest.mark.lab
def test_agents_make_their_cilium_nodes_and_know_of_no_key_value_store(crd_lab):
    status = crd_lab.status()
    nodes = json.loads(crd_lab.command("kubectl", "get", "nodes", "-o", "json").stdout)
    uids = {
        item["metadata"]["name"]: item["metadata"]["uid"] for item in nodes["items"]
    }
    for name, made in cilium_nodes(crd_lab).items():
        assert made["spec"]["bootid"] == status[name]["boot_id"]
        assert made["spec"]["encryption"]["key"] in status[name]["spis"]
        announced = [(a["type"], a["ip"]) for a in made["spec"]["addresses"]]
        assert announced == addresses_of(crd_lab, name)
        assert len(made["spec"]["ipam"]["podCIDRs"]) == 2
        (owner,) = made["metadata"]["ownerReferences"]
        assert owner["uid"] == uids[name]

    def dbg(*words, check=True):
        return crd_lab.run("exec", "node1", "--", "cilium-dbg", *words, check=check)

    config = "jsonpath={.data.identity-allocation-mode} {.data.enable-ipv6}"
    get = ("kubectl", "-n", "kube-system", "get", "configmap", "cilium-config")
    assert crd_lab.command(*get, "-o", config).stdout == "crd true"
    assert dbg("node", "list").stdout.count("custom-resource") == 2
    assert dbg("status").stdout.startswith("KVStore:                 Disabled\n")
    get = dbg("kvstore", "get", "--recursive", "cilium/state/nodes", check=False)
    assert get.returncode == 1
    assert "Unable to setup kvstore" in get.stderr


@pytest.mark.lab
def test_the_agents_token_is_for_its_user_only_and_in_no_log(crd_lab):
    token_file = crd_lab.client.lab.token_file(crd_lab.client.lab.node("node1"))
    assert token_file.stat().st_mode & 0o777 == 0o600
    log = crd_lab.run("exec", "node1", "--", "cat", "/run/log/cilium-agent.log").stdout
    assert "level=info" in log
    assert token_file.read_text() not in log


@pytest.mark.lab
def test_a_rotation_loses_no_packet_of_the_tunnel(crd_lab):
    crd_lab.run("traffic", "start", "--rate", "100")
    spi = heal(crd_lab.client)
    crd_lab.run("traffic", "stop")
    assert {tuple(row["spis"]) for row in crd_lab.status().values()} == {(spi,)}
    for row in crd_lab.traffic().values():
        assert min(family["sent"] for family in row["families"].values()) > 100
    wait_until(
        lambda: all(r["lost"] == 0 for r in crd_lab.traffic().values()),
        "the rotation lost packets",
        5,
    )


@pytest.mark.lab
def test_a_recreated_cilium_node_is_found_and_healed_by_a_rotation(crd_lab):
    crd_lab.run("traffic", "start")
    crd_lab.run("break", "ciliumnode-recreated", "--node", "node2")
    try:
        assert crd_lab.ping("node1", "node2") == 0
        assert crd_lab.ping("node1", "node3") == 5
        status, found = check(crd_lab)
        assert (status, found["verdict"]) == (1, "stale")
        stale = {
            (f["source"], f["destination"]): f["cause"]
            for f in found["findings"]
            if f["code"] == "stale-xfrm-state"
        }
        assert stale == {
            ("node1", "node2"): "ciliumnode-recreated",
            ("node3", "node2"): "ciliumnode-recreated",
        }
    finally:
        crd_lab.run("heal")
        crd_lab.run("traffic", "stop")
    assert check(crd_lab)[0] == 0
    assert crd_lab.ping("node1", "node2") == 5


@pytest.mark.lab
def test_an_agent_that_runs_makes_a_deleted_cilium_node_only_when_its_node_changes(
    crd_lab,
):
    """The last one here: it leaves stale states behind."""

    def times_made() -> int:
        made = "Successfully created CiliumNode resource"
        log = "/run/log/cilium-agent.log"
        return crd_lab.run("exec", "node3", "--", "cat", log).stdout.count(made)

    before = times_made()
    try:
        crd_lab.command("kubectl", "delete", "ciliumnode", "node3")
        wait_until(
            lambda: not states_between(crd_lab, "node1", "node3"),
            "node1 did not drop its states for node3 at once",
            5,
        )
        assert len(states_between(crd_lab, "node3", "node1")) == 8
        assert "node3" not in cilium_nodes(crd_lab)
        assert times_made() == before
    finally:
        crd_lab.command("kubectl", "label", "node", "node3", "lab=again", "--overwrite")
    wait_until(
        lambda: len(states_between(crd_lab, "node1", "node3")) == 8,
        "node3's CiliumNode did not come back",
        10,
    )
    # For the label alone: not while the object was away.
    assert times_made() == before + 1
