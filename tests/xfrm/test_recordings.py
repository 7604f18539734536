"""The two ways of reading a node agree, and find what is known of it."""

import json

from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.keys import derive_pair_key, hash_key_bytes, parse_key
from runbooks.xfrm.model import Direction, Mark, XfrmTemplate
from runbooks.xfrm.stat import COUNTERS, parse_xfrm_stat
from runbooks.xfrm.text import parse_policy_text, parse_state_text

from .conftest import RECORDINGS


def test_states_from_netlink_and_from_text_are_equal(recording):
    from_text = parse_state_text((recording / "xfrm_state.txt").read_text())
    from_netlink = parse_states((recording / "xfrm_getsa.nlmsg").read_bytes())

    assert from_text == from_netlink
    assert len(from_text) in (8, 16)


def test_policies_from_netlink_and_from_text_are_equal(recording):
    from_text = parse_policy_text((recording / "xfrm_policy.txt").read_text())
    from_netlink = parse_policies((recording / "xfrm_getpolicy.nlmsg").read_bytes())

    assert from_text == from_netlink
    assert len(from_text) in (7, 11)


def test_node_that_kept_its_states_shows_the_storm():
    data = (RECORDINGS / "broken/n2/xfrm_getsa.nlmsg").read_bytes()
    (state,) = [
        state
        for state in parse_states(data)
        if (state.source, state.destination) == ("10.9.0.11", "10.9.0.12")
    ]

    assert state.direction is Direction.IN
    assert (state.spi, state.reqid, state.mode) == (7, 1, "tunnel")
    assert state.mark == Mark(0xBBAE0D00, 0xFFFF0F00)
    assert state.mark.node_id == 0xBBAE
    assert state.output_mark == Mark(0xD00, 0xFFFFFF00)
    assert (state.algorithm, state.icv_bits) == ("rfc4106(gcm(aes))", 128)
    assert (state.esn, state.replay_window) == (True, 1024)
    assert (state.seq, state.oseq) == (1520, 0)
    assert (state.bytes, state.packets) == (127680, 1520)
    assert (state.added_s, state.used_s) == (1795390188, 1795390193)
    assert state.integrity_errors == 20
    assert state.replay_errors == state.replay_window_errors == 0


def test_rotation_shows_both_spis_in_both_directions():
    data = (RECORDINGS / "rotating/n2/xfrm_getsa.nlmsg").read_bytes()

    found = {(state.direction, state.spi) for state in parse_states(data)}

    assert found == {(d, spi) for d in (Direction.IN, Direction.OUT) for spi in (7, 8)}


def test_policies_hold_the_default_drop_and_the_optional_catch_all():
    data = (RECORDINGS / "broken/n2/xfrm_getpolicy.nlmsg").read_bytes()
    policies = parse_policies(data)

    (drop,) = [policy for policy in policies if policy.action == "block"]
    assert (drop.direction, drop.priority) == (Direction.OUT, 100)
    assert drop.mark == Mark(0xE00, 0xF00)
    assert drop.templates == ()
    (forward,) = [p for p in policies if p.direction is Direction.FWD]
    assert forward.priority == 2975
    assert forward.templates == (
        XfrmTemplate("0.0.0.0", "0.0.0.0", 0, 0, "tunnel", True),
    )


def test_every_key_of_a_real_cluster_follows_from_the_key_file():
    recorded = json.loads((RECORDINGS / "healthy-keys.json").read_text())
    key = parse_key(recorded["key"])
    boot_id = {ip: recorded["boot_ids"][n] for ip, n in recorded["nodes"].items()}

    for state in recorded["states"]:
        source, destination = state["source"], state["destination"]
        derived = derive_pair_key(
            key.key, source, destination, boot_id[source], boot_id[destination]
        )
        assert hash_key_bytes(derived) == state["key_hash"], state
    assert len(recorded["states"]) == 24


def test_counters_of_a_real_node_are_all_explained(recording):
    counters = parse_xfrm_stat((recording / "xfrm_stat").read_text())

    assert counters["XfrmInStateProtoError"] == 2056
    assert counters.keys() <= COUNTERS.keys()
