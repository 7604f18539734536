"""Dumps of states as kernels write them, and as they don't."""

import struct

from hypothesis import strategies as st

from runbooks.xfrm.uapi import NLMSG_HEADER, XFRM_MSG_NEWSA

from .conftest import RECORDINGS

RECORDED = [
    (RECORDINGS / node / "n2/xfrm_getsa.nlmsg").read_bytes()
    for node in ("broken", "rotating")
]


def attribute(kind, payload):
    """One attribute, padded."""
    return (
        struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)
    )


def state_reply(body, attributes, kind=XFRM_MSG_NEWSA, flags=2):
    """One message from the 224 bytes of a state and its attributes."""
    rest = body + b"".join(attribute(*one) for one in attributes)
    return NLMSG_HEADER.pack(16 + len(rest), kind, flags, 1, 0) + rest


def algorithm(name, key, *lengths):
    return struct.pack(
        f"=64s{1 + len(lengths)}I", name.encode(), 8 * len(key), *lengths
    ) + bytes(key)


u32 = st.integers(0, 2**32 - 1).map(lambda number: struct.pack("=I", number))
names = st.sampled_from(["rfc4106(gcm(aes))", "hmac(sha256)", "cbc(aes)", "", "a+b"])
keys = st.sampled_from([16, 20, 20, 32, 36, 0, 1, 19]).flatmap(
    lambda size: st.binary(min_size=size, max_size=size)
)
#: Payloads by type of attribute: whole, of all sorts.
PAYLOADS = {
    1: st.builds(algorithm, names, keys),
    2: st.builds(algorithm, names, keys),
    3: st.builds(algorithm, names, keys),
    4: st.binary(min_size=24, max_size=24),
    8: st.binary(max_size=8).map(
        lambda text: struct.pack("=HHBBH", 8 + len(text), 8, 1, 1, len(text)) + text
    ),
    10: st.binary(min_size=12, max_size=12),
    15: st.binary(min_size=8, max_size=8),
    18: st.builds(algorithm, names, keys, st.sampled_from([0, 64, 96, 128])),
    20: st.builds(algorithm, names, keys, st.sampled_from([0, 96, 128, 2**32 - 1])),
    21: st.binary(min_size=8, max_size=8),
    22: u32,
    23: st.tuples(st.integers(0, 4), st.binary(min_size=20, max_size=20)).map(
        lambda one: struct.pack("=I", one[0]) + one[1] + bytes(4 * one[0])
    ),
    24: u32,
    27: st.just(b""),
    28: st.binary(min_size=8, max_size=8),
    29: u32,
    30: u32,
    31: u32,
    33: st.integers(0, 4).map(lambda number: bytes([number])),
    35: u32,
    # Numbers that no kernel has given out yet.
    77: st.binary(max_size=6),
    0x3FF0: st.binary(max_size=6),
}


@st.composite
def shapes(draw):
    """Types of attributes of one state, mostly as a kernel has them."""
    kernels = draw(st.booleans())
    if kernels:
        return draw(
            st.sampled_from(
                [
                    (18, 23, 21, 29, 30),
                    (18, 23, 21, 29, 30, 33),
                    (15, 27, 18, 23, 21, 29, 30),
                    (18, 10, 21),
                    (20, 1, 2, 23, 21, 29, 30, 31),
                    (1, 2, 10, 21, 29),
                    (18, 23, 28, 31, 33),
                ]
            )
        )
    return tuple(draw(st.lists(st.sampled_from(sorted(PAYLOADS)), max_size=8)))


@st.composite
def molds(draw):
    """What states of one layout share: attributes, algorithms, kind of address."""
    return (
        draw(shapes()),
        {kind: draw(PAYLOADS[kind]) for kind in (1, 2, 3, 18, 20, 23, 33)},
        struct.pack(
            "=HBB",
            draw(st.sampled_from([2, 2, 2, 2, 10, 10, 10, 7])),
            draw(st.sampled_from([1, 1, 0, 5, 200])),
            draw(st.integers(0, 255)),
        ),
    )


@st.composite
def states(draw, mold):
    """One message of a mold; now and then not quite of it."""
    shape, shared, kind = mold
    own = draw(st.integers(0, 7)) == 0
    body = draw(st.binary(min_size=212, max_size=212)) + kind
    flags = draw(st.sampled_from([0, 128])) if own else 128
    body += bytes([flags]) + draw(st.sampled_from([bytes(7), bytes(7), b"paddedx"]))
    attributes = []
    for number in shape:
        payload = shared.get(number)
        if payload is None or own:
            payload = draw(PAYLOADS[number])
        elif number == 23:
            payload = (
                payload[:4] + draw(st.binary(min_size=20, max_size=20)) + (payload[24:])
            )
        attributes.append((number, payload))
    return state_reply(body, attributes)


@st.composite
def dumps(draw):
    """Several states, of a few molds in any order."""
    chosen = st.sampled_from(draw(st.lists(molds(), min_size=1, max_size=3)))
    messages = [draw(states(draw(chosen))) for _ in range(draw(st.integers(0, 8)))]
    if draw(st.booleans()):
        messages.append(NLMSG_HEADER.pack(20, 3, 2, 1, 0) + bytes(4))
    return b"".join(messages)


@st.composite
def damaged(draw, sources):
    """A dump with bytes changed, or cut off."""
    data = bytearray(draw(sources))
    for _ in range(draw(st.integers(0, 4))):
        if data:
            # Lengths and types stand early in a message, and do the most harm.
            place = draw(st.integers(0, len(data) - 1))
            data[place] = draw(st.sampled_from([0, 1, 4, 8, 0x40, 0x80, 255]))
    cut = draw(st.integers(0, len(data)))
    return bytes(data if draw(st.booleans()) else data[:cut])
