"""Every attribute of xfrm.h is read back as written, and refused if cut short."""

import struct

import pytest

from runbooks.xfrm import messages, uapi
from runbooks.xfrm.dump import parse_states
from runbooks.xfrm.messages import MESSAGES, SecretBytes, StateMessage
from runbooks.xfrm.messages.base import XfrmMessage
from runbooks.xfrm.wire import XfrmDumpError

from .replies import RECORDED, attribute, state_reply

BODY = RECORDED[0][16:240]
KEY = SecretBytes(range(20))
ADDRESS = bytes(range(16))
NAME = b"any".ljust(64, b"\0")
TEMPLATE = (ADDRESS, b"\0\0\0\3", 50, 2, ADDRESS, 1, 1, 0, 1, 1, 2, 3)
MIGRATION = (ADDRESS, ADDRESS, ADDRESS, ADDRESS, 50, 1, 0, 1, 2, 10)
LIFETIME = {"bytes": 1, "packets": 2, "add_time_s": 3, "use_time_s": 4}

#: Value of each attribute, and its size in struct terms: what the kernel has.
ATTRIBUTES = {
    "XFRMA_ALG_AUTH": ({"alg_name": NAME, "alg_key_len_bits": 160, "alg_key": KEY}, 88),
    "XFRMA_ALG_CRYPT": (
        {"alg_name": NAME, "alg_key_len_bits": 160, "alg_key": KEY},
        88,
    ),
    "XFRMA_ALG_COMP": (
        {"alg_name": NAME, "alg_key_len_bits": 0, "alg_key": SecretBytes()},
        68,
    ),
    "XFRMA_ENCAP": (
        {
            "encap_type": 2,
            "encap_sport": 4500,
            "encap_dport": 4501,
            "encap_oa": ADDRESS,
        },
        24,
    ),
    "XFRMA_TMPL": ([TEMPLATE, TEMPLATE], 128),
    "XFRMA_SEC_CTX": (
        {
            "len": 12,
            "exttype": 8,
            "ctx_alg": 1,
            "ctx_doi": 1,
            "ctx_len": 4,
            "ctx": b"abcd",
        },
        12,
    ),
    "XFRMA_LTIME_VAL": (LIFETIME, 32),
    "XFRMA_REPLAY_VAL": ({"oseq": 1, "seq": 2, "bitmap": 3}, 12),
    "XFRMA_REPLAY_THRESH": (7, 4),
    "XFRMA_ETIMER_THRESH": (8, 4),
    "XFRMA_SRCADDR": (ADDRESS, 16),
    "XFRMA_COADDR": (ADDRESS, 16),
    "XFRMA_LASTUSED": (1 << 40, 8),
    "XFRMA_POLICY_TYPE": ({"type": 1, "reserved1": 0, "reserved2": 0}, 6),
    "XFRMA_MIGRATE": ([MIGRATION], 76),
    "XFRMA_ALG_AEAD": (
        {
            "alg_name": NAME,
            "alg_key_len_bits": 160,
            "alg_icv_len_bits": 128,
            "alg_key": KEY,
        },
        92,
    ),
    "XFRMA_KMADDRESS": (
        {"local": ADDRESS, "remote": ADDRESS, "reserved": 0, "family": 2},
        40,
    ),
    "XFRMA_ALG_AUTH_TRUNC": (
        {
            "alg_name": NAME,
            "alg_key_len_bits": 160,
            "alg_trunc_len_bits": 96,
            "alg_key": KEY,
        },
        92,
    ),
    "XFRMA_MARK": ({"v": 1, "m": 2}, 8),
    "XFRMA_TFCPAD": (1400, 4),
    "XFRMA_REPLAY_ESN_VAL": (
        {
            "bmp_len": 2,
            "oseq": 1,
            "seq": 2,
            "oseq_hi": 3,
            "seq_hi": 4,
            "replay_window": 64,
            "bmp": b"12345678",
        },
        32,
    ),
    "XFRMA_SA_EXTRA_FLAGS": (1, 4),
    "XFRMA_PROTO": (50, 1),
    "XFRMA_ADDRESS_FILTER": (
        {"saddr": ADDRESS, "daddr": ADDRESS, "family": 2, "splen": 8, "dplen": 9},
        36,
    ),
    "XFRMA_OFFLOAD_DEV": ({"ifindex": -1, "flags": 2}, 8),
    "XFRMA_SET_MARK": (0xE00, 4),
    "XFRMA_SET_MARK_MASK": (0xFFFFFF00, 4),
    "XFRMA_IF_ID": (9, 4),
    "XFRMA_MTIMER_THRESH": (10, 4),
    "XFRMA_SA_DIR": (2, 1),
    "XFRMA_NAT_KEEPALIVE_INTERVAL": (20, 4),
    "XFRMA_SA_PCPU": (3, 4),
    "XFRMA_IPTFS_DROP_TIME": (1, 4),
    "XFRMA_IPTFS_REORDER_WINDOW": (3, 2),
    "XFRMA_IPTFS_INIT_DELAY": (4, 4),
    "XFRMA_IPTFS_MAX_QSIZE": (5, 4),
    "XFRMA_IPTFS_PKT_SIZE": (6, 4),
}
NUMBERS = {name: kind for kind, name, _ in XfrmMessage.nla_map}


def written(name):
    message = StateMessage()
    message["header"].update(type=uapi.XFRM_MSG_NEWSA)
    message.update(family=2, attrs=[(name, ATTRIBUTES[name][0])])
    message.encode()
    return bytes(message.data)


def read_back(raw):
    message = StateMessage(raw)
    message.decode()
    return message


def plain(value):
    """Fields with a value: those of padding have an empty one."""
    if not isinstance(value, dict):
        return value
    return {name: one for name, one in value.items() if one not in ((), [])}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attribute_is_read_back_as_written_in_the_kernels_size(name):
    value, size = ATTRIBUTES[name]
    raw = written(name)

    assert struct.unpack_from("=HH", raw, 240) == (4 + size, NUMBERS[name])
    assert len(raw) == 240 + (4 + size + 3 & ~3)
    assert plain(read_back(raw).attribute(name)) == value


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "XFRMA_TMPL"])
def test_attribute_cut_short_is_refused_by_name(name):
    raw = written(name)
    payload = raw[244 : 244 + ATTRIBUTES[name][1]]

    for size in (len(payload) - 1, len(payload) // 2, 0):
        cut = state_reply(BODY, [(NUMBERS[name], payload[:size])])
        if size == 0 and name == "XFRMA_MIGRATE":
            continue  # None is a number of structures as well.
        with pytest.raises(XfrmDumpError, match=f"{name} is cut short"):
            parse_states(cut)


def test_every_attribute_number_has_one_message_class_entry():
    declared = {name: kind for kind, name, _ in XfrmMessage.nla_map}
    numbers = {
        name: getattr(uapi, name)
        for name in dir(uapi)
        if name.startswith("XFRMA_") and name != "XFRMA_SAD_CNT"
    }

    assert declared == numbers
    assert sorted(numbers.values()) == list(range(1, 42))


@pytest.mark.parametrize("kind", [42, 0x3FFF, 0x8000 | 77])
def test_unknown_attribute_does_no_harm(kind):
    extra = attribute(kind, b"unknown")
    raw = bytearray(RECORDED[0][:520] + extra)
    raw[:4] = struct.pack("=I", len(raw))

    assert parse_states(bytes(raw)) == parse_states(RECORDED[0][:520])


def test_attribute_longer_than_known_is_read_as_far_as_known():
    newer = state_reply(BODY, [(21, struct.pack("=IIQ", 5, 6, 7))])

    (state,) = parse_states(newer)

    assert (state.mark.value, state.mark.mask) == (5, 6)


@pytest.mark.parametrize("length", [0, 3, 300])
def test_impossible_length_of_an_attribute_is_refused(length):
    raw = bytearray(RECORDED[0][:520])
    raw[240:242] = struct.pack("=H", length)

    with pytest.raises(XfrmDumpError, match=f"XFRMA_ALG_AEAD .*{length or 0}"):
        parse_states(bytes(raw))


def test_key_shorter_than_it_says_is_refused_without_being_shown():
    algorithm = struct.pack("=64sII", NAME, 256, 128) + b"not a whole key"

    with pytest.raises(XfrmDumpError, match="87 of 104 bytes") as refusal:
        parse_states(state_reply(BODY, [(18, algorithm)]))

    assert "whole key" not in repr(refusal.value.__dict__) + str(refusal.value)


def test_message_shorter_than_its_structure_is_refused():
    with pytest.raises(XfrmDumpError, match="message has 116 bytes, needs 240"):
        parse_states(state_reply(BODY[:100], []))


#: From the kernel's linux/xfrm.h on a 64-bit machine.
SIZES = {
    "StateMessage": 224,
    "StateIdMessage": 24,
    "StateSpiMessage": 232,
    "StateExpireMessage": 232,
    "StateEventMessage": 48,
    "MappingMessage": 64,
    "PolicyMessage": 168,
    "PolicyIdMessage": 64,
    "PolicyExpireMessage": 176,
    "AcquireMessage": 280,
    "ReportMessage": 60,
    "FlushMessage": 1,
    "DumpMessage": 0,
    "DefaultPolicyMessage": 3,
    "StateCountMessage": 4,
    "PolicyCountMessage": 4,
}


def test_structures_have_the_kernels_sizes():
    found = {
        name: getattr(messages, name).get_size()
        for name in messages.__all__
        if name.endswith("Message") and name not in ("XfrmMessage", "CheckedMessage")
    }

    assert found == SIZES


@pytest.mark.parametrize("kind", MESSAGES)
def test_each_message_of_a_kernel_is_decoded(kind):
    size = MESSAGES[kind].get_size()
    message = MESSAGES[kind](
        struct.pack("=IHHII", 16 + size, kind, 0, 0, 0) + bytes(size)
    )

    message.decode()

    assert message["header"]["type"] == kind
    assert message["attrs"] == []


def test_counts_of_a_kernel_are_read():
    payload = attribute(1, struct.pack("=I", 20000)) + attribute(2, bytes(8))
    raw = struct.pack("=IHHIII", 20 + len(payload), 0x22, 0, 0, 0, 0) + payload
    message = MESSAGES[uapi.XFRM_MSG_NEWSADINFO](raw)

    message.decode()

    assert message.attribute("XFRMA_SAD_CNT") == 20000
