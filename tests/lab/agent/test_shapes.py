"""What agents of each version make, without a kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.lab.agent.nodes import Family, Node
from runbooks.lab.agent.shapes import Legacy, Peer, Present, outbound_policy, states
from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.keys import IpsecKey
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy

ROTATING = (
    Path(__file__).parents[2] / "recordings" / "kvstore-lease-expired" / "rotating/n2"
)
CILIUM_IPS = {1: "10.20.1.5", 2: "10.20.2.70", 3: "10.20.3.31"}


def node(index, *, ipv6=True):
    return Node(
        name=f"n{index}",
        cluster="default",
        node_ip=f"10.9.0.1{index}",
        cilium_ip=CILIUM_IPS[index],
        pod_cidr=f"10.20.{index}.0/24",
        spi=7,
        boot_id=f"{index}" * 36,
        ipv6=Family(f"fd00:9::{index}", f"fd00:20:{index}::5", f"fd00:20:{index}::/64")
        if ipv6
        else None,
    )


def key(key_id, *, per_tunnel=True):
    return IpsecKey(key_id, per_tunnel, "rfc4106(gcm(aes))", bytes(20), icv_bits=128)


def as_read(policy):
    """A policy to be programmed as the kernel would tell of it."""
    return XfrmPolicy(
        policy.source,
        policy.destination,
        policy.direction,
        policy.action,
        policy.priority,
        policy.mark,
        (policy.template,) if policy.template else (),
    )


def known_by(state):
    fields = ("source", "destination", "spi", "mark", "output_mark", "reqid", "mode")
    kept = ("esn", "replay_window", "algorithm", "icv_bits")
    return tuple(getattr(state, field) for field in (*fields, *kept))


def all_states(shape, own, peers, keys):
    return [
        state
        for peer in peers
        for tunnel in shape.tunnels(own, peer.node)
        for k in keys
        for state in states(shape, own, peer, tunnel, k)
    ]


def all_policies(shape, own, peers, keys):
    made = {as_read(policy) for policy in shape.own_policies(own)}
    for peer in peers:
        made |= {as_read(p) for p in shape.inbound_policies(own, peer.node)}
        for tunnel in shape.tunnels(own, peer.node):
            made |= {as_read(outbound_policy(tunnel, peer, k.key_id)) for k in keys}
    return made


@pytest.fixture
def recorded_peers():
    found = parse_states((ROTATING / "xfrm_getsa.nlmsg").read_bytes())
    ids = {s.destination: s.mark.node_id for s in found if s.direction == "out"}
    return [Peer(node(i, ipv6=False), ids[f"10.9.0.1{i}"]) for i in (1, 3)]


def test_a_rotation_has_the_recorded_states_of_both_keys(recorded_peers):
    made = all_states(
        Present(overlay=True), node(2, ipv6=False), recorded_peers, (key(7), key(8))
    )
    found = parse_states((ROTATING / "xfrm_getsa.nlmsg").read_bytes())
    assert len(made) == 16
    assert {known_by(s) for s in made} == {known_by(s) for s in found}


def test_a_rotation_has_the_recorded_policies_of_both_keys(recorded_peers):
    made = all_policies(
        Present(overlay=True), node(2, ipv6=False), recorded_peers, (key(7), key(8))
    )
    found = parse_policies((ROTATING / "xfrm_getpolicy.nlmsg").read_bytes())
    assert len(found) == 11
    assert made == set(found)


@pytest.mark.parametrize(
    ("shape", "ipv6", "count"),
    [
        (Present(overlay=False), False, 2),
        (Present(overlay=True), False, 4),
        (Present(overlay=False), True, 4),
        (Present(overlay=True), True, 8),
        (Legacy(), False, 2),
        (Legacy(), True, 4),
    ],
)
def test_states_per_peer(shape, ipv6, count):
    own, peer = node(1, ipv6=ipv6), Peer(node(2, ipv6=ipv6), 9)
    assert len(all_states(shape, own, [peer], [key(3)])) == count


def test_a_peer_without_ipv6_has_the_states_of_ipv4_alone():
    peer = Peer(node(2, ipv6=False), 9)
    made = all_states(Present(overlay=True), node(1), [peer], [key(3)])
    assert {s.destination for s in made} == {
        *("10.9.0.11", "10.9.0.12", "10.20.1.5", "10.20.2.70")
    }


def test_both_ends_of_a_pair_have_one_key_of_their_own():
    one, two = node(1), node(2)
    shape = Present(overlay=True)
    ours = all_states(shape, one, [Peer(two, 5)], [key(3)])
    theirs = all_states(shape, two, [Peer(one, 6)], [key(3)])
    by_ends = {(s.source, s.destination): s.key for s in ours}
    assert by_ends == {(s.source, s.destination): s.key for s in theirs}
    assert len(set(by_ends.values())) == 8


def test_a_reboot_of_either_end_makes_another_key():
    shape, peer = Present(overlay=False), node(2)
    again = replace(peer, boot_id="9" * 36)
    before, after = (
        {s.key for s in all_states(shape, node(1), [Peer(n, 5)], [key(3)])}
        for n in (peer, again)
    )
    assert not before & after


def test_a_legacy_key_without_plus_is_for_all_without_esn_and_window():
    """Source: ``getNodeIPsecKey`` and ``ipSecNewState`` of Cilium 1.15."""
    made = all_states(Legacy(), node(1), [Peer(node(2), 5)], [key(3, per_tunnel=False)])
    assert {(s.key, s.esn, s.replay_window) for s in made} == {(bytes(20), False, 0)}
    assert {s.mark for s in made} == {
        Mark(0x50D00, 0xFFFF0F00),
        Mark(0x53E00, 0xFFFFFF00),
    }


def test_a_legacy_key_with_plus_is_for_pairs_with_esn_and_a_window():
    made = all_states(Legacy(), node(1), [Peer(node(2), 5)], [key(3)])
    assert {(s.esn, s.replay_window) for s in made} == {(True, 1024)}
    assert len({s.key for s in made}) == 4


def test_a_present_key_without_plus_is_for_pairs_all_the_same():
    shape = Present(overlay=False)
    plain, plus = (
        [s.key for s in all_states(shape, node(1), [Peer(node(2), 5)], [k])]
        for k in (key(3, per_tunnel=False), key(3))
    )
    assert plain == plus


def test_legacy_policies_are_those_of_1_15():
    """Source: ``_ipSecReplacePolicyInFwd`` and ``ipSecReplacePolicyOut`` there."""
    one, two = node(1, ipv6=False), Peer(node(2, ipv6=False), 5)
    made = all_policies(Legacy(), one, [two], [key(3)])
    told = {
        (
            p.direction,
            p.source,
            p.destination,
            p.action,
            p.priority,
            p.mark,
            *(
                (t.source, t.destination, t.spi, t.reqid, t.optional)
                for t in p.templates
            ),
        )
        for p in made
    }
    any_ip, anywhere, own = "0.0.0.0", "0.0.0.0/0", "10.20.1.5"
    inward, out = (Direction.IN, anywhere, "10.20.1.0/24", "allow", 0), Direction.OUT
    assert told == {
        (out, anywhere, anywhere, "block", 100, Mark(0xE00, 0xF00)),
        (
            *(out, anywhere, "10.20.2.0/24", "allow", 0, Mark(0x53E00, 0xFFFFFF00)),
            (own, "10.20.2.70", 3, 1, False),
        ),
        (
            *(Direction.FWD, anywhere, anywhere, "allow", 2975, None),
            (any_ip, own, 0, 1, True),
        ),
        (*inward, Mark(0x200, 0xF00), (any_ip, own, 0, 1, True)),
        (*inward, Mark(0xD00, 0xF00), ("10.20.2.70", own, 0, 1, False)),
    }
