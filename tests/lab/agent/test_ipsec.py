"""Which states an agent makes anew, and which it leaves as they are."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from runbooks.lab.agent.ipsec import Ipsec
from runbooks.lab.agent.nodes import Family, Node
from runbooks.lab.agent.shapes import Legacy, Peer, Present
from runbooks.xfrm.keys import IpsecKey
from runbooks.xfrm.model import XfrmPolicy, XfrmState

OWN = Node(
    *("n1", "default", "10.9.0.11", "10.20.1.5", "10.20.1.0/24"),
    spi=3,
    boot_id="1" * 36,
    ipv6=Family("fd00:9::1", "fd00:20:1::5", "fd00:20:1::/64"),
)
PEER = Node(
    *("n2", "default", "10.9.0.12", "10.20.2.5", "10.20.2.0/24"),
    spi=3,
    boot_id="2" * 36,
    ipv6=Family("fd00:9::2", "fd00:20:2::5", "fd00:20:2::/64"),
)
KEY = IpsecKey(3, True, "rfc4106(gcm(aes))", bytes(20), icv_bits=128)
GLOBAL_KEY = replace(KEY, per_tunnel=False)


class Kernel:
    """States and policies as a kernel tells them apart; the source doesn't count."""

    def __init__(self):
        self.made = {}
        self.rules = {}

    def add_state(self, state):
        known_by = (state.destination, state.spi, state.mark)
        if known_by in self.made:
            raise FileExistsError(errno.EEXIST, "File exists")
        self.made[known_by] = state

    def delete_state(self, destination, spi, mark):
        del self.made[destination, spi, mark]

    def states(self):
        return [
            XfrmState(s.source, s.destination, s.spi, mark=s.mark)
            for s in self.made.values()
        ]

    def update_policy(self, policy):
        self.rules[policy.source, policy.destination, policy.mark] = policy

    def delete_policy(self, policy):
        del self.rules[policy.source, policy.destination, policy.mark]

    def policies(self):
        return [
            XfrmPolicy(
                *(p.source, p.destination, p.direction, p.action, p.priority),
                mark=p.mark,
                templates=(p.template,) if p.template else (),
            )
            for p in self.rules.values()
        ]


@pytest.fixture
def kernel():
    return Kernel()


def test_states_that_are_there_stay_as_they_are(kernel):
    ipsec = Ipsec(OWN, kernel, Present(overlay=True))
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    before = {id(state) for state in kernel.made.values()}
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    assert {id(state) for state in kernel.made.values()} == before
    assert len(before) == 8


def test_a_peer_that_has_rebooted_gets_states_of_both_families_with_other_keys(kernel):
    ipsec = Ipsec(OWN, kernel, Present(overlay=False))
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    before = {known_by: state.key for known_by, state in kernel.made.items()}
    again = replace(PEER, boot_id="3" * 36)
    ipsec.ensure_peer(Peer(again, 5), KEY, rebooted=True)
    after = {known_by: state.key for known_by, state in kernel.made.items()}
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_a_reboot_changes_nothing_about_one_key_for_all(kernel):
    ipsec = Ipsec(OWN, kernel, Legacy())
    ipsec.ensure_peer(Peer(PEER, 5), GLOBAL_KEY, rebooted=False)
    before = {id(state) for state in kernel.made.values()}
    again = replace(PEER, boot_id="3" * 36)
    ipsec.ensure_peer(Peer(again, 5), GLOBAL_KEY, rebooted=True)
    assert {id(state) for state in kernel.made.values()} == before


@pytest.mark.parametrize("shape", [Present(overlay=True), Legacy()])
def test_a_peer_that_goes_takes_its_states_and_policies_of_both_families_along(
    kernel, shape
):
    ipsec = Ipsec(OWN, kernel, shape)
    other = replace(
        PEER,
        node_ip="10.9.0.13",
        cilium_ip="10.20.3.5",
        pod_cidr="10.20.3.0/24",
        ipv6=Family("fd00:9::3", "fd00:20:3::5", "fd00:20:3::/64"),
    )
    ipsec.ensure_peer(Peer(other, 6), KEY, rebooted=False)
    states, policies = set(kernel.made), set(kernel.rules)
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    assert set(kernel.made) > states
    ipsec.forget_node_id(5)
    assert set(kernel.made) == states
    assert set(kernel.rules) == policies


def test_old_keys_go_from_both_families_and_the_catch_alls_stay(kernel):
    ipsec = Ipsec(OWN, kernel, Present(overlay=True))
    ipsec.ensure_base_policies()
    ipsec.ensure_peer(Peer(PEER, 5), replace(KEY, key_id=4), rebooted=False)
    states, policies = set(kernel.made), set(kernel.rules)
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    assert ipsec.old_spis(4) == {3}
    ipsec.reclaim(4, keep={3})
    assert len(kernel.made) == 16
    ipsec.reclaim(4, keep=set())
    assert set(kernel.made) == states
    assert set(kernel.rules) == policies


def test_a_state_of_another_source_in_its_place_is_left_with_its_policy(kernel):
    Ipsec(OWN, kernel, Present(overlay=False)).ensure_peer(
        Peer(PEER, 5), KEY, rebooted=False
    )
    rules, made = dict(kernel.rules), dict(kernel.made)
    moved = replace(OWN, cilium_ip="10.20.1.105")
    Ipsec(moved, kernel, Present(overlay=False)).ensure_peer(
        Peer(PEER, 5), KEY, rebooted=False
    )
    assert kernel.rules == rules
    (new,) = [s for known_by, s in kernel.made.items() if known_by not in made]
    assert (new.source, new.destination) == (PEER.cilium_ip, moved.cilium_ip)


def test_a_peer_at_another_address_gets_an_outbound_state_beside_the_old_one(kernel):
    ipsec = Ipsec(OWN, kernel, Present(overlay=False))
    ipsec.ensure_peer(Peer(PEER, 5), KEY, rebooted=False)
    moved = replace(PEER, cilium_ip="10.20.2.105")
    ipsec.ensure_peer(Peer(moved, 5), KEY, rebooted=False)
    ends = {(s.source, s.destination) for s in kernel.made.values() if s.spi == 3}
    assert (OWN.cilium_ip, moved.cilium_ip) in ends
    assert (moved.cilium_ip, OWN.cilium_ip) not in ends
    (policy,) = [p for (_, to, _), p in kernel.rules.items() if to == PEER.pod_cidr]
    assert policy.template.destination == moved.cilium_ip
