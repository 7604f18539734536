"""Keys in here are throwaways made up for these tests."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbooks.xfrm.keys import hash_key_bytes
from runbooks.xfrm.model import Direction, Mark, XfrmState
from runbooks.xfrm.text import XfrmTextError, parse_policy_text, parse_state_text

from .conftest import RECORDINGS
from .render import Style, render_state

KEY = bytes(range(20))
U32 = st.integers(0, (1 << 32) - 1)
U64 = st.integers(0, (1 << 64) - 1)
SECONDS = st.integers(1, 4_000_000_000)
MARKS = st.none() | st.builds(Mark, U32, U32)
ADDRESSES = st.tuples(*[st.ip_addresses(v=4).map(str)] * 2) | st.tuples(
    *[st.ip_addresses(v=6).map(str)] * 2
)
STATE = XfrmState(
    source="10.0.0.1",
    destination="10.0.0.2",
    spi=3,
    reqid=1,
    mark=Mark(0x168D3E00, 0xFFFFFF00),
    output_mark=Mark(0xE00, 0xFFFFFF00),
    algorithm="rfc4106(gcm(aes))",
    icv_bits=128,
    key_hash=hash_key_bytes(KEY),
    esn=True,
    replay_window=1024,
    seq=7 << 32 | 5,
    oseq=9,
    bytes=84,
    packets=1,
    added_s=1795390188,
    used_s=None,
    replay_window_errors=1,
    replay_errors=2,
    integrity_errors=3,
)
RECORDED = (RECORDINGS / "broken/n2/xfrm_state.txt").read_text()
RECORDED_POLICIES = (RECORDINGS / "broken/n2/xfrm_policy.txt").read_text()


@st.composite
def states_with_keys(draw):
    keys = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=2))
    esn = draw(st.booleans())
    legacy = not esn and draw(st.booleans())
    numbers = U32 if legacy else U64
    source, destination = draw(ADDRESSES)
    state = XfrmState(
        source=source,
        destination=destination,
        spi=draw(U32),
        reqid=draw(U32),
        mode=draw(st.sampled_from(["tunnel", "transport"])),
        mark=draw(MARKS),
        output_mark=draw(MARKS),
        algorithm=["rfc4106(gcm(aes))", "hmac(sha256)+cbc(aes)"][len(keys) - 1],
        icv_bits=draw(st.sampled_from([96, 128])),
        key_hash="+".join(map(hash_key_bytes, keys)),
        esn=esn,
        replay_window=draw(st.integers(0, 32) if legacy else st.integers(33, 4096)),
        seq=draw(numbers),
        oseq=draw(numbers),
        bytes=draw(U64),
        packets=draw(U64),
        added_s=draw(SECONDS),
        used_s=draw(st.none() | SECONDS),
        replay_window_errors=draw(U32),
        replay_errors=draw(U32),
        integrity_errors=draw(U32),
        if_id=draw(U32),
        dir=draw(st.sampled_from([None, Direction.IN, Direction.OUT])),
    )
    return state, keys


STYLES = st.builds(
    Style,
    output_mark_on_own_line=st.booleans(),
    words_per_line=st.integers(1, 16),
    sequence_on_own_lines=st.booleans(),
    key=st.sampled_from(["clear", "hashed"]),
)


@given(st.lists(states_with_keys(), max_size=3), STYLES)
def test_what_was_printed_is_read_back_in_every_variant(cases, style):
    text = "".join(render_state(state, keys, style) for state, keys in cases)

    assert parse_state_text(text) == [state for state, _ in cases]


@given(states_with_keys(), STYLES)
def test_plain_output_without_statistics_is_read(case, style):
    state, keys = case

    (read,) = parse_state_text(
        render_state(state, keys, replace(style, detailed=False))
    )

    unknown = dict.fromkeys(
        ["added_s", "used_s", "replay_errors", "replay_window_errors"]
    )
    assert read == replace(state, bytes=0, packets=0, integrity_errors=None, **unknown)


def test_output_mark_without_a_mask_sets_all_bits():
    text = render_state(STATE, [KEY], Style(unmasked_output_mark=True))

    assert parse_state_text(text)[0].output_mark == Mark(0xE00, 0xFFFFFFFF)


def test_hidden_keys_leave_no_hash():
    (state,) = parse_state_text(render_state(STATE, [KEY], Style(key="hidden")))

    assert state == replace(STATE, key_hash=None)


def test_redacted_line_that_swallowed_its_end_costs_only_the_algorithm():
    text = render_state(STATE, [KEY], Style())
    redacted = re.sub(r"\taead .*\n", "[redacted]", text)
    assert "[redacted]\tanti-replay" in redacted

    (state,) = parse_state_text(redacted)

    assert state == replace(STATE, algorithm=None, icv_bits=None, key_hash=None)


def test_two_redacted_lines_in_a_row_are_read():
    both = "hmac(sha256)+cbc(aes)"
    text = render_state(replace(STATE, algorithm=both), [KEY, KEY], Style())
    redacted = re.sub(r"\t(auth-trunc|enc) .*\n", "[redacted]", text)
    assert "[redacted][redacted]\tanti-replay" in redacted

    (state,) = parse_state_text(redacted)

    assert (state.algorithm, state.key_hash, state.seq) == (None, None, STATE.seq)


def test_redacted_line_glued_to_the_next_state_does_not_hide_it():
    text = RECORDED.replace("\nsrc ", "\n[redacted]src ", 1)

    assert len(parse_state_text(text)) == 8


def test_one_unknown_key_of_two_leaves_no_hash():
    both = replace(STATE, algorithm="hmac(sha256)+cbc(aes)")
    text = render_state(both, [KEY, KEY], Style()).replace(
        f"enc cbc(aes) 0x{KEY.hex()} (160 bits)", "enc cbc(aes) <<Keys hidden>>"
    )

    (state,) = parse_state_text(text)

    assert (state.algorithm, state.key_hash) == (both.algorithm, None)


def test_times_are_taken_as_local_to_the_zone_given():
    (state,) = parse_state_text(
        render_state(STATE, [KEY], Style()), utc_offset_s=2 * 3600
    )

    assert state.added_s == STATE.added_s - 7200


@pytest.mark.parametrize("empty", ["", "\n", "# ip -s xfrm state\n\n```\n```\n"])
def test_node_without_states_has_none(empty):
    assert parse_state_text(empty) == []
    assert parse_policy_text(empty) == []


def test_bugtool_markdown_is_unwrapped():
    wrapped = f"# ip -s xfrm state\n\n```\n{RECORDED}\n```\n"

    assert parse_state_text(wrapped) == parse_state_text(RECORDED)


def test_windows_line_ends_do_no_harm():
    crlf = RECORDED.replace("\n", "\r\n")

    assert parse_state_text(crlf) == parse_state_text(RECORDED)


def test_failed_command_is_an_error_even_after_states():
    text = f"{RECORDED}> Error while running 'ip -s xfrm state':  exit status 1\n"

    with pytest.raises(XfrmTextError, match="the command failed on the node"):
        parse_state_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "Cannot open netlink socket: Protocol not supported\n",
        '{"states": []}',
        "\tproto esp spi 0x00000003 reqid 1 mode tunnel\n",
        "src\n",
        "src 10.0.0.1 dst node-2\n",
    ],
)
def test_something_else_is_refused_with_its_line(text):
    for parse in (parse_state_text, parse_policy_text):
        with pytest.raises(XfrmTextError, match=r"^line 1 \(it begins ") as refusal:
            parse(text)
        assert refusal.value.line == 1


def test_dump_cut_at_any_line_but_the_last_of_a_state_is_refused():
    lines = RECORDED.splitlines(keepends=True)
    whole = 0
    for count in range(1, len(lines) + 1):
        text = "".join(lines[:count])
        if count == len(lines) or lines[count].startswith("src "):
            whole += 1
            assert len(parse_state_text(text)) == whole
        else:
            with pytest.raises(XfrmTextError, match="cut off"):
                parse_state_text(text)


def test_plain_dump_cut_before_the_end_of_its_sequence_numbers_is_refused():
    text = render_state(STATE, [KEY], Style(detailed=False))
    lines = text.splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if line.startswith("\tsel "))

    for count in range(1, end):
        with pytest.raises(XfrmTextError, match="cut off"):
            parse_state_text("".join(lines[:count]))


@given(st.integers(0, len(RECORDED)))
def test_dump_cut_anywhere_is_refused_or_lacks_whole_states_only(length):
    whole = parse_state_text(RECORDED)
    try:
        found = parse_state_text(RECORDED[:length])
    except XfrmTextError:
        return
    assert found == whole[: len(found)]
    assert len(found) == RECORDED[:length].count("src 10.")


def test_policies_cut_in_the_middle_are_refused():
    lines = RECORDED_POLICIES.splitlines(keepends=True)
    inside = {
        i + 1
        for i, line in enumerate(lines[:-1])
        if not lines[i + 1].startswith("src ")
        and not line.startswith("\t  add ")
        # Behind its mark a policy may end: nothing says that a template follows.
        and not line.startswith("\tmark ")
    }
    assert inside

    for count in inside:
        with pytest.raises(XfrmTextError, match="cut off"):
            parse_policy_text("".join(lines[:count]))


def test_policies_of_sockets_are_left_out():
    text = "src ::/0 dst ::/0 uid 0\n\tsocket in action allow index 3 priority 0\n"

    assert parse_policy_text(text + RECORDED_POLICIES) == parse_policy_text(
        RECORDED_POLICIES
    )


def test_policies_without_statistics_are_read():
    text = (
        "src 0.0.0.0/0 dst 10.20.3.0/24 \n"
        "\tdir out priority 0 ptype main \n"
        "\tmark 0x168d7e00/0xffffff00 \n"
        "\ttmpl src 10.20.2.70 dst 10.20.3.31\n"
        "\t\tproto esp spi 0x00000007 reqid 1 mode tunnel\n"
        "src 0.0.0.0/0 dst 0.0.0.0/0 \n"
        "\tdir out action block priority 100 ptype main \n"
        "\tmark 0xe00/0xf00 \n"
        "src 0.0.0.0/0 dst 0.0.0.0/0 \n"
        "\tdir in priority 0 ptype main \n"
        "\ttmpl src 0.0.0.0 dst 0.0.0.0\n"
        "\t\tproto esp reqid 0 mode tunnel\n"
        "\t\tlevel use \n"
    )
    wanted = {
        policy
        for policy in parse_policy_text(RECORDED_POLICIES)
        if policy.direction is not Direction.FWD
    }

    assert set(parse_policy_text(text)) <= wanted
    assert len(parse_policy_text(text)) == 3


LINES = sorted({*RECORDED.splitlines(), *RECORDED_POLICIES.splitlines()})
PIECES = [
    "[redacted]",
    "\t",
    "src ",
    "0x",
    "stats:",
    "\n",
    "```",
    "-",
    "bitmap-length 9",
]


@example("src ::/0 dst ::/0\n\tdir out priority 0\n\tmark 0 output-mark 0")
@given(
    st.text()
    | st.lists(st.sampled_from(LINES), max_size=40).map("\n".join)
    | st.lists(st.sampled_from(LINES + PIECES) | st.text(max_size=5)).map("".join)
)
def test_any_text_is_read_or_refused_with_a_line(text):
    for parse in (parse_state_text, parse_policy_text):
        try:
            parse(text)
        except XfrmTextError as refusal:
            number = refusal.line
        else:
            number = 1
        assert 1 <= number <= text.count("\n") + 1


@example(39, "\n")
@given(st.integers(0, 39), st.sampled_from([" ", "g", "\t", "", "\n"]))
def test_no_message_quotes_a_key(position, intruder):
    printed = KEY.hex()
    text = render_state(STATE, [KEY], Style())
    broken = printed[:position] + intruder + printed[position + 1 :]

    with pytest.raises(XfrmTextError) as refusal:
        parse_state_text(text.replace(printed, broken))

    message = str(refusal.value)
    assert not any(printed[i : i + 10] in message for i in range(len(printed) - 9))
