"""States read many at once are those that the line reader reads."""

import re
from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbooks.xfrm.text import XfrmTextError, parse_state_text
from runbooks.xfrm.text.bulk import read_many
from runbooks.xfrm.text.columns import OddStateError
from runbooks.xfrm.text.states import parse_state_lines

from .render import VERSIONS, Style, render_state
from .test_text import KEY, RECORDED, STATE, STYLES, states_with_keys

DETAILED = [
    name
    for name, style in VERSIONS.items()
    if not (style.signed_mark or style.above_context or style.below_context)
    and not style.security_context
]
ODD_PIECES = [
    *"0x[]>#\r\t -:9fg\0é²",
    "[redacted]",
    "> Error while running 'ip'",
    "Dump was interrupted and may be inconsistent.\n",
    "```\n",
    "\nsrc ",
    "\tstats:\n",
    "(ERROR truncated)",
    "\tsecurity context a \n",
]


def whole(states):
    """Every field, those that equality leaves out included."""
    return [tuple(getattr(state, f.name) for f in fields(state)) for state in states]


def read_or_complaint(read, text):
    try:
        return whole(read(text))
    except XfrmTextError as refusal:
        return str(refusal)


@given(
    st.lists(states_with_keys(), min_size=1, max_size=5),
    st.sampled_from(DETAILED).map(VERSIONS.get),
    st.sampled_from(["clear", "hashed"]),
    st.sampled_from([0, 7200, -3600]),
)
def test_usual_layouts_are_read_many_at_once(cases, style, key, offset_s):
    style = replace(style, key=key)
    text = "".join(render_state(state, keys, style) for state, keys in cases)

    assert whole(read_many(text, offset_s)) == whole(
        parse_state_lines(text, utc_offset_s=offset_s)
    )


@given(st.lists(st.tuples(states_with_keys(), STYLES | st.just(Style())), max_size=8))
def test_layouts_in_any_mixture_keep_their_order(cases):
    text = "".join(render_state(state, keys, style) for (state, keys), style in cases)

    assert whole(parse_state_text(text)) == whole(parse_state_lines(text))


@pytest.mark.parametrize("places", [(0,), (3,), (7,), (0, 1, 4, 7), range(8)])
def test_states_of_others_stand_where_they_stood(places):
    states = re.split(r"(?m)^(?=src )", RECORDED)[1:]
    for place in places:
        states[place] = states[place].replace(
            "\tanti-replay", "\tlastused 2026-11-22 23:29:48\n\tanti-replay"
        )

    assert parse_state_text("".join(states)) == parse_state_lines(RECORDED)


def test_recorded_states_need_no_line_reader():
    hashed = re.sub("0x[0-9a-f]{40}", f"[hash:{STATE.key_hash}]", RECORDED)

    for text in (RECORDED, hashed):
        assert whole(read_many(text, 0)) == whole(parse_state_lines(text))


def test_markdown_around_many_states_is_taken_off():
    wrapped = f"# ip -s xfrm state\n\n```\n{RECORDED}\n```\n"

    assert read_many(wrapped, 0) == parse_state_lines(RECORDED)


def test_title_without_its_block_is_cut_off():
    with pytest.raises(XfrmTextError, match="cut off"):
        parse_state_text("# ip -s xfrm state\n")
    with pytest.raises(XfrmTextError, match="cut off"):
        parse_state_text(f"# ip -s xfrm state\n\n```\n{RECORDED}")


@example(RECORDED.index("23:29:48"), 0, "é")
@given(
    st.integers(0, len(RECORDED)),
    st.integers(0, 40),
    st.sampled_from(ODD_PIECES) | st.text(max_size=3),
)
def test_both_readers_agree_on_a_damaged_dump(place, length, piece):
    damaged = RECORDED[:place] + piece + RECORDED[place + length :]

    assert read_or_complaint(parse_state_text, damaged) == read_or_complaint(
        parse_state_lines, damaged
    )


@given(st.data())
def test_both_readers_agree_on_shuffled_lines(data):
    lines = RECORDED.splitlines(keepends=True)[:44]
    lines = data.draw(st.permutations(lines[:22])) + lines[22:]
    text = "".join(lines)

    assert read_or_complaint(parse_state_text, text) == read_or_complaint(
        parse_state_lines, text
    )


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("160 bits", "161 bits"),
        ("replay-window 1 replay", "replay-wind 1 replay"),
        ("84(bytes)", f"{1 << 64}(bytes)"),
        ("bitmap-length 32", "bitmap-length 33"),
        (f"0x{KEY.hex()}", f"0x{KEY.hex()[:-1]}"),
        ("rfc4106(gcm(aes))", "rfc4106\u00a0gcm"),
        ("10.0.0.1 ", "10.0.0.01 "),
        (" 128\n", "\n"),
    ],
)
def test_state_that_contradicts_itself_is_left_to_the_line_reader(what, instead):
    text = render_state(STATE, [KEY], Style())
    assert what in text
    damaged = text.replace(what, instead, 1)

    with pytest.raises((OddStateError, XfrmTextError)):
        read_many(damaged, 0)
    with pytest.raises(XfrmTextError, match=r"^line \d+ "):
        parse_state_text(damaged)
