"""Programmed states are those that a real agent programs, byte for byte."""

import contextlib
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.messages import (
    PolicyIdMessage,
    PolicyMessage,
    StateIdMessage,
    StateMessage,
)
from runbooks.xfrm.messages.attributes import AeadAlgorithm
from runbooks.xfrm.model import Direction, Mark, XfrmTemplate, hash_key_bytes
from runbooks.xfrm.program import (
    NewPolicy,
    NewState,
    policy_id_message,
    policy_message,
    state_id_message,
    state_message,
)
from runbooks.xfrm.uapi import XFRM_MSG_NEWPOLICY, XFRM_MSG_NEWSA
from runbooks.xfrm.wire import XfrmDumpError, split_messages

from .conftest import RECORDINGS

KEY = bytes(range(20))
MARK = Mark(0x168D3E00, 0xFFFFFF00)
STATES = (RECORDINGS / "broken/n2/xfrm_getsa.nlmsg").read_bytes()
POLICIES = (RECORDINGS / "broken/n2/xfrm_getpolicy.nlmsg").read_bytes()
AEAD = "rfc4106(gcm(aes))"
# struct xfrm_usersa_info: what the kernel counts and not the one who programs.
COUNTED = [(16 + 160, 44), (16 + 204, 4)]


def messages(reply):
    done = 3
    return [raw for kind, _, _, raw in split_messages(reply) if kind != done]


def encoded(message, kind):
    message["header"].update(type=kind, flags=2, sequence_number=1, pid=0)
    message.encode()
    return bytes(message.data)


def attributes(raw, fixed):
    """By type, since the order of attributes carries no meaning."""
    found, offset = {}, 16 + fixed
    while offset < len(raw):
        length = int.from_bytes(raw[offset : offset + 2], "little")
        kind = int.from_bytes(raw[offset + 2 : offset + 4], "little")
        found[kind] = raw[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def without_counts(raw):
    body = bytearray(raw[: 16 + 224])
    for start, length in COUNTED:
        body[start : start + length] = bytes(length)
    return bytes(body[16:])


def test_programmed_state_equals_the_recorded_one_but_for_its_counters():
    for read, raw in zip(parse_states(STATES), messages(STATES), strict=True):
        recorded = attributes(raw, 224)
        new = NewState(
            read.source,
            read.destination,
            read.spi,
            read.algorithm,
            recorded[18][72:],
            read.icv_bits,
            read.mark,
            read.output_mark,
        )
        programmed = encoded(state_message(new), XFRM_MSG_NEWSA)

        assert without_counts(programmed) == without_counts(raw)
        ours = attributes(programmed, 224)
        assert ours.keys() == recorded.keys()
        for kind in ours.keys() - {23}:
            assert ours[kind] == recorded[kind], kind
        # Replay context: bit map length and window; the rest is counting.
        assert ours[23][:4] == recorded[23][:4]
        assert ours[23][20:24] == recorded[23][20:24]
        assert len(ours[23]) == len(recorded[23])


def test_programmed_policy_equals_the_recorded_one_but_for_its_times():
    for read, raw in zip(parse_policies(POLICIES), messages(POLICIES), strict=True):
        new = NewPolicy(
            read.source,
            read.destination,
            read.direction,
            read.action,
            read.priority,
            read.mark,
            *read.templates,
        )
        programmed = encoded(policy_message(new), XFRM_MSG_NEWPOLICY)

        # struct xfrm_userpolicy_info up to the counts, and behind the index.
        assert programmed[16 : 16 + 120] == raw[16 : 16 + 120]
        assert programmed[16 + 152 : 16 + 156] == raw[16 + 152 : 16 + 156]
        assert programmed[16 + 160 : 16 + 168] == raw[16 + 160 : 16 + 168]
        ours, recorded = attributes(programmed, 168), attributes(raw, 168)
        assert ours == {kind: recorded[kind] for kind in ours}
        assert recorded.keys() - ours.keys() <= {16}  # The default policy type.


def test_structures_have_the_kernels_sizes():
    sizes = [224, 24, 168, 64]
    classes = [StateMessage, StateIdMessage, PolicyMessage, PolicyIdMessage]

    assert [one.get_size() for one in classes] == sizes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"esn": True, "replay_window": 1024}),
        ({"esn": False, "replay_window": 0}, {"esn": False, "replay_window": 0}),
        ({"esn": False, "replay_window": 32}, {"esn": False, "replay_window": 32}),
        ({"esn": False, "replay_window": 64}, {"esn": False, "replay_window": 64}),
        ({"mode": "transport", "reqid": 9}, {"mode": "transport", "reqid": 9}),
        ({"output_mark": Mark(0xE00, 0xFF00)}, {"output_mark": Mark(0xE00, 0xFF00)}),
        (
            {
                "algorithm": "hmac(sha256)",
                "encryption_algorithm": "cbc(aes)",
                "encryption_key": bytes(16),
            },
            {
                "algorithm": "hmac(sha256)+cbc(aes)",
                "key_hash": f"{hash_key_bytes(KEY)}+{hash_key_bytes(bytes(16))}",
                "key_bits": 8 * len(KEY) + 128,
            },
        ),
    ],
)
@pytest.mark.parametrize("ends", [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
def test_state_read_back_is_the_state_programmed(ends, changes, expected):
    new = NewState(
        *ends,
        **{"spi": 3, "algorithm": AEAD, "key": KEY, "icv_bits": 128, "mark": MARK}
        | changes,
    )

    (read,) = parse_states(encoded(state_message(new), XFRM_MSG_NEWSA))

    wanted = {
        "source": ends[0],
        "destination": ends[1],
        "spi": 3,
        "reqid": 1,
        "mark": MARK,
        "output_mark": None,
        "algorithm": AEAD,
        "icv_bits": 128,
        "key_hash": hash_key_bytes(KEY),
        "key_bits": 8 * len(KEY),
    } | expected
    assert {name: getattr(read, name) for name in wanted} == wanted


def test_policy_read_back_is_the_policy_programmed():
    template = XfrmTemplate("fd00::1", "fd00::2", 3, 1, "tunnel", optional=True)
    new = NewPolicy(
        "::/0", "fd01::/64", Direction.FWD, priority=2975, mark=MARK, template=template
    )

    (read,) = parse_policies(encoded(policy_message(new), XFRM_MSG_NEWPOLICY))

    assert (read.source, read.destination) == ("::/0", "fd01::/64")
    assert (read.direction, read.priority, read.mark) == (Direction.FWD, 2975, MARK)
    assert read.templates == (template,)


def test_deletion_names_mark_and_mask():
    message = encoded(state_id_message("10.0.0.2", 3, MARK, 50), 0x11)

    assert message[16:20] == bytes([10, 0, 0, 2])
    assert message[32:40] == bytes([0, 0, 0, 3, 2, 0, 50, 0])
    expected = MARK.value.to_bytes(4, "little") + MARK.mask.to_bytes(4, "little")
    assert attributes(message, 24) == {21: expected}


def test_bits_of_an_address_behind_its_prefix_are_kept():
    """Cilium 1.18 makes such policies for IPv6, and the kernel keeps them so."""
    policy = NewPolicy("fd00:9::1/0", "fd00:9::2/0", Direction.OUT)
    (read,) = parse_policies(encoded(policy_message(policy), XFRM_MSG_NEWPOLICY))
    assert (read.source, read.destination) == ("fd00:9::1/0", "fd00:9::2/0")


def test_policy_deletion_names_direction_and_mark():
    drop = NewPolicy("0.0.0.0/0", "0.0.0.0/0", Direction.OUT, mark=Mark(0xE00, 0xF00))
    message = encoded(policy_id_message(drop), 0x14)

    assert message[16 + 60] == 1
    assert attributes(message, 64) == {21: bytes.fromhex("000e0000000f0000")}


def shown(thing):
    return repr(thing) + str(thing)


def test_no_message_or_request_shows_a_key():
    new = NewState("10.0.0.1", "10.0.0.2", 3, AEAD, KEY, 128, MARK)
    message = state_message(new)
    seen = shown(new) + shown(message) + shown(message["attrs"])
    encoded(message, XFRM_MSG_NEWSA)
    seen += shown(message)
    read = StateMessage(bytes(message.data))
    read.decode()
    seen += shown(read.attribute("XFRMA_ALG_AEAD")) + shown(read)

    assert "secret bytes" in seen
    assert repr(KEY)[2:-1] not in seen
    assert KEY.hex() not in seen


def test_key_of_a_message_can_still_be_read_by_name():
    message = state_message(NewState("10.0.0.1", "10.0.0.2", 3, AEAD, KEY, 128, MARK))
    read = StateMessage(encoded(message, XFRM_MSG_NEWSA))
    read.decode()

    assert read.attribute("XFRMA_ALG_AEAD")["alg_key"] == KEY
    assert isinstance(read.attribute("XFRMA_ALG_AEAD"), AeadAlgorithm)
    assert read.attribute("XFRMA_IF_ID") is None


@given(st.integers(1, len(STATES) - 1))
def test_cut_reply_is_refused_or_lacks_whole_states_only(length):
    try:
        found = parse_states(STATES[:length])
    except XfrmDumpError:
        return
    assert found == parse_states(STATES)[: len(found)]
    assert length == 520 * len(found)


@given(st.data())
def test_damaged_reply_raises_nothing_but_its_own_error(data):
    damaged = bytearray(data.draw(st.sampled_from([STATES[:520], POLICIES[:264]])))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
            st.integers(0, 255)
        )
    for parse in (parse_states, parse_policies):
        with contextlib.suppress(XfrmDumpError):
            assert isinstance(parse(bytes(damaged)), list)


def test_reply_of_another_kind_is_refused():
    with pytest.raises(XfrmDumpError, match="unexpected netlink message of type 0x13"):
        parse_states(POLICIES)


def test_attribute_cut_short_is_refused_without_a_log_line(caplog):
    message = bytearray(STATES[:520])
    message[16 + 224 : 16 + 226] = (20).to_bytes(2, "little")
    del message[16 + 224 + 20 :]
    message[:4] = len(message).to_bytes(4, "little")

    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(XfrmDumpError, match="XFRMA_ALG_AEAD is cut short"),
    ):
        parse_states(bytes(message))

    assert not caplog.records


def test_framework_loads_without_the_rest_of_pyroute2_and_leaves_it_whole():
    program = (
        "import sys, runbooks.xfrm.netlink\n"
        "assert 'asyncio' not in sys.modules\n"
        "import pyroute2, pyroute2.netlink\n"
        "assert pyroute2.IPRoute and pyroute2.netlink.nlmsg\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
