"""What could leave unencrypted is told from what is merely dropped."""

from dataclasses import replace

import pytest

from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Severity
from runbooks.snapshot import AgentFacts
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy
from tests.diagnose.cluster_builder import NOW, make_cluster

SHAPES = [{}, {"tunnel": True}, {"ipv6": True}, {"dual": True, "tunnel": True}]


def leads_to(policy, ips):
    return any(template.destination in ips for template in policy.templates)


def without_block(cluster, node="node2", where=("0.0.0.0/0", "::/0")):
    cluster.policies[node] = [
        p
        for p in cluster.policies[node]
        if p.action != "block" or p.destination not in where
    ]
    return cluster


def without_policy(cluster, node="node2", peer="node1"):
    ips = cluster.ips[peer]
    cluster.policies[node] = [p for p in cluster.policies[node] if not leads_to(p, ips)]
    return cluster


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reading", ["once", "twice"])
def test_policies_of_a_healthy_node_are_nothing(shape, reading):
    cluster = make_cluster(3, **shape).make_policies()

    assert diagnose(getattr(cluster, reading)(), audit=True).findings == ()


def test_policies_that_were_not_read_are_nothing():
    assert diagnose(make_cluster(3).twice(), audit=True).findings == ()


@pytest.mark.parametrize("shape", SHAPES)
def test_node_without_the_block_is_a_warning(shape):
    cluster = without_block(make_cluster(3, **shape).make_policies())

    (finding,) = diagnose(cluster.twice()).findings

    assert finding.code is Code.PLAINTEXT_FALLBACK
    assert finding.severity is Severity.WARNING
    assert finding.node == "node2"


def as_of_very_many(node):
    """What a pod with too many policies tells of them."""
    few = tuple(p for p in node.policies if p.destination.endswith("/0"))
    assert len(few) < len(node.policies)
    led_to = frozenset(
        template.destination
        for policy in node.policies
        if policy.direction is Direction.OUT and policy.action == "allow"
        for template in policy.templates
    )
    return replace(node, policies=few, led_to=led_to)


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("led", [True, False])
def test_very_many_policies_tell_the_same_in_short(blocks, led):
    cluster = make_cluster(3).make_policies()
    if not blocks:
        without_block(cluster)
    if not led:
        without_policy(cluster)
    samples = cluster.twice()
    told = diagnose(samples).findings
    nodes = samples.first.nodes
    nodes = {**nodes, "node2": as_of_very_many(nodes["node2"])}
    samples = replace(samples, first=replace(samples.first, nodes=nodes))

    assert diagnose(samples).findings == told
    assert len(told) == (0 if blocks and led else 1)


def test_block_of_one_family_does_not_guard_the_other():
    cluster = make_cluster(3, dual=True).make_policies()
    without_block(cluster, where=("::/0",))

    (finding,) = diagnose(cluster.twice()).findings

    assert finding.evidence["block_missing_for"] == ["IPv6"]


@pytest.mark.parametrize("mark", [None, Mark(0xE00, 0xFFFFFF00), Mark(0xD00, 0xF00)])
def test_block_of_something_else_is_not_the_block(mark):
    cluster = make_cluster(3).make_policies()
    cluster.policies["node2"] = [
        replace(p, mark=mark) if p.action == "block" else p
        for p in cluster.policies["node2"]
    ]

    assert [f.code for f in diagnose(cluster.twice()).findings] == [
        Code.PLAINTEXT_FALLBACK
    ]


def test_pair_without_policy_and_block_sends_plain_text():
    cluster = without_policy(without_block(make_cluster(3).make_policies()))

    (finding,) = diagnose(cluster.twice()).findings

    assert finding.code is Code.PLAINTEXT_FALLBACK
    assert finding.severity is Severity.CRITICAL
    assert finding.evidence["peers_without_policy"] == ["node1"]
    assert "unencrypted" in finding.summary


def test_pair_without_policy_behind_the_block_loses_its_packets():
    cluster = without_policy(make_cluster(3).make_policies())
    cluster.counters = {"node2": {"XfrmOutPolBlock": 5}}

    def rise():
        cluster.counters = {"node2": {"XfrmOutPolBlock": 9}}

    (finding,) = diagnose(cluster.twice(rise)).findings

    assert finding.code is Code.MISSING_XFRM_STATE
    assert (finding.source, finding.destination) == ("node2", "node1")
    assert finding.evidence["missing"] == "policy"


def test_state_that_is_younger_than_its_policy_can_be_is_nothing():
    cluster = without_policy(make_cluster(3).make_policies())
    cluster.renew("node2", "node1", NOW - 1)
    cluster.renew("node1", "node2", NOW - 1)

    assert diagnose(cluster.twice()).alarming == ()


def test_left_over_state_of_an_old_address_needs_no_policy():
    cluster = make_cluster(2).make_policies()
    where, state = next(
        (w, s) for w, s in cluster.states.items() if w[4] is Direction.OUT
    )
    cluster.foreign = {where[0]: [replace(state, destination="10.99.0.5")]}

    assert diagnose(cluster.twice()).findings == ()


def test_version_that_never_made_the_block_is_no_alarm():
    cluster = make_cluster(2).make_policies()
    for name in cluster.names:
        without_block(cluster, name)
        cluster.agents[name] = AgentFacts(version="1.13.1")

    assert diagnose(cluster.twice()).findings == ()
    assert {f.severity for f in diagnose(cluster.twice(), audit=True).findings} == {
        Severity.INFO
    }


def test_policies_of_others_neither_guard_nor_alarm():
    cluster = make_cluster(2).make_policies()
    theirs = XfrmPolicy("10.0.0.0/8", "172.16.0.0/12", Direction.OUT, "block", 1)
    cluster.policies["node1"].append(theirs)

    assert diagnose(cluster.twice(), audit=True).findings == ()
