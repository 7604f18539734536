"""Every version's layout is read whole, and no part of it is read as the whole."""

import itertools
from dataclasses import replace

import pytest

from runbooks.xfrm.model import Direction, Mark, hash_key_bytes
from runbooks.xfrm.text import XfrmTextError, parse_policy_text, parse_state_text

from .conftest import RECORDINGS
from .render import VERSIONS, render_state
from .test_text import KEY, STATE

SMALL = replace(STATE, replay_window=64, if_id=9, used_s=STATE.added_s)
LEGACY = replace(SMALL, esn=False, replay_window=32, seq=5)
KINDS = {
    "esn": (SMALL, [KEY]),
    "legacy": (LEGACY, [KEY]),
    "auth and enc": (
        replace(
            SMALL,
            algorithm="hmac(sha256)+cbc(aes)",
            key_hash=f"{hash_key_bytes(KEY)}+{hash_key_bytes(KEY[:16])}",
            dir=Direction.IN,
        ),
        [KEY, KEY[:16]],
    ),
    "no esn, large window": (replace(SMALL, esn=False), [KEY]),
}
RECORDED_POLICIES = (RECORDINGS / "broken/n2/xfrm_policy.txt").read_text()


def without_statistics(state):
    return replace(
        state,
        bytes=0,
        packets=0,
        added_s=None,
        used_s=None,
        replay_window_errors=None,
        replay_errors=None,
        integrity_errors=None,
    )


def expected(state, style):
    if style.unmasked_output_mark:
        state = replace(state, output_mark=Mark(state.output_mark.value, 0xFFFFFFFF))
    if style.key == "hidden":
        state = replace(state, key_hash=None)
    return state if style.detailed else without_statistics(state)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["clear", "hashed", "hidden"])
@pytest.mark.parametrize("detailed", [True, False], ids=["-s", "plain"])
def test_states_of_every_version_are_read(version, kind, key, detailed):
    style = replace(VERSIONS[version], key=key, detailed=detailed)
    state, keys = KINDS[kind]

    read = parse_state_text(render_state(state, keys, style) * 2)

    assert read == [expected(state, style)] * 2


def parsed_or_line(text):
    try:
        return parse_state_text(text)
    except XfrmTextError as refusal:
        return refusal.line


# With af-unspec no selector is printed when it is zero, so that without -s nobody
# can tell whether one was cut off.
@pytest.mark.parametrize(
    ("version", "detailed"),
    [
        (version, detailed)
        for version, style in VERSIONS.items()
        for detailed in (True, False)
        if detailed or "af-unspec" not in style.flags
    ],
)
def test_dump_cut_at_any_byte_is_refused_or_lacks_whole_states(version, detailed):
    style = replace(VERSIONS[version], detailed=detailed)
    kinds = itertools.islice(itertools.cycle(KINDS.values()), len(version), None)
    state, keys = next(kinds)
    text = render_state(state, keys, style)
    whole = [expected(state, style)]
    refused = 0
    for length in range(len(text)):
        part = text + text[:length]
        read = parsed_or_line(part)
        if isinstance(read, int):
            assert 1 <= read <= part.count("\n") + 1
            refused += 1
        else:
            assert read == whole * part.count("src 10.0.0.1 ")
    # Whole are none of the second state, and it all but for what is not kept.
    assert refused >= len(text) - 1 - bool(style.security_context)


def test_markdown_cut_at_any_byte_is_refused():
    text = render_state(SMALL, [KEY], VERSIONS["4.19 if_id"])
    wrapped = f"# ip -s xfrm state\n\n```\n{text}\n```\n"
    assert parse_state_text(wrapped[:-1]) == parse_state_text(text)

    for length in range(1, len(wrapped) - 1):
        with pytest.raises(XfrmTextError):
            parse_state_text(wrapped[:length])


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (RECORDED_POLICIES, 7),
        (
            "src 0.0.0.0/0 dst 10.20.3.0/24 \n"
            "\tsecurity context system_u \n"
            "\tdir out priority 0 ptype main \n"
            "\tmark 0x168d7e00/0xffffff00 \n"
            "\ttmpl src 10.20.2.70 dst 10.20.3.31\n"
            "\t\tproto esp spi 0x00000007 reqid 1 mode tunnel\n"
            "\tcrypto offload parameters: dev eth0 mode packet\n"
            "\tif_id 0x9\n",
            1,
        ),
    ],
    ids=["-s", "plain"],
)
def test_policies_cut_inside_a_line_are_refused(text, least):
    whole = parse_policy_text(text)
    assert len(whole) == least
    for length in range(1, len(text)):
        if text[length - 1] != "\n":
            with pytest.raises(XfrmTextError):
                parse_policy_text(text[:length])


def test_policy_that_lost_its_template_is_refused():
    before, _, _ = RECORDED_POLICIES.partition("\ttmpl src 10.9.0.12")
    assert before.endswith("\tmark 0x168d7e00/0xffffff00 \n")

    with pytest.raises(XfrmTextError, match="cut off"):
        parse_policy_text(before)


def test_interrupted_dump_is_refused_and_says_so():
    text = render_state(SMALL, [KEY], VERSIONS["4.19 if_id"])

    with pytest.raises(XfrmTextError, match="interrupted by a change"):
        parse_state_text(text + "Dump was interrupted and may be inconsistent.\n")


def test_two_states_that_run_into_one_another_are_refused():
    text = render_state(SMALL, [KEY], VERSIONS["4.19 if_id"])
    head, _, body = text.partition("\n")

    with pytest.raises(XfrmTextError, match="run into one another"):
        parse_state_text(f"{head}\n{body}{body}")


def redacted_flags(state):
    style = replace(VERSIONS["5.9 extra_flag"], extra_flags="dont-encap-dscp")
    text = render_state(state, [KEY], style)
    (flags,) = [line for line in text.splitlines(True) if "dont-encap" in line]
    return text.replace(flags, "[redacted]")


def test_redacted_flags_of_anothers_state_do_not_hide_the_node():
    other = replace(SMALL, mark=None)

    assert parse_state_text(redacted_flags(other)) == [other]


def test_redacted_flags_of_ciliums_state_are_refused():
    with pytest.raises(XfrmTextError, match="flags of a state that is Cilium's"):
        parse_state_text(redacted_flags(SMALL))


def test_state_of_mobile_ipv6_needs_no_spi():
    text = (
        "src 2001:db8::1 dst 2001:db8::2\n\tproto hao reqid 0 mode ro\n"
        "\treplay-window 0 \n\tcoa 2001:db8::3\n"
        "\tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n"
        "\tsel src 2001:db8::1/128 dst 2001:db8::2/128 \n"
    )

    (state,) = parse_state_text(text)

    assert (state.spi, state.mode, state.algorithm) == (0, "ro", None)
