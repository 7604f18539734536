"""States in columns, and the text that they come in."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.xfrm.compact import (
    ROW,
    CompactError,
    CompactStates,
    key_number,
    parse_compact,
)
from runbooks.xfrm.model import Mark, XfrmState
from tests.xfrm.compact_text import compact_text

ADDRESSES = ("10.0.1.10", "10.0.2.10", "fd00::1", "fd00::2")


def numbers(bits):
    return st.one_of(
        st.just(0), st.just((1 << bits) - 1), st.integers(0, (1 << bits) - 1)
    )


@st.composite
def compact_states(draw):
    row = st.tuples(
        st.integers(0, len(ADDRESSES) - 1),
        st.integers(0, len(ADDRESSES) - 1),
        st.integers(1, 15),
        st.sampled_from([1, 2]),
        st.integers(0, 1),
        st.integers(0, 4096),
        numbers(16),
        *[numbers(64)] * 4,
        *[numbers(32)] * 5,
    )
    rows = draw(st.lists(row, max_size=20))
    others = draw(st.integers(0, 1000))
    return CompactStates(ADDRESSES, np.array(rows, dtype=ROW), others)


@given(compact_states())
def test_text_gives_the_columns_it_was_made_of(states):
    assert parse_compact(compact_text(states)) == states


@given(compact_states())
def test_objects_and_columns_are_the_same(states):
    again = CompactStates.of_states(states.to_states())

    assert again.to_states() == states.to_states()
    assert len(again) == len(states)


@given(compact_states(), st.data())
def test_text_cut_off_anywhere_is_refused(states, data):
    text = compact_text(states)
    cut = data.draw(st.integers(0, len(text) - 2))
    # What is cut off may be digits of the last number only.
    if text.rfind("=") < cut:
        return
    with pytest.raises(CompactError):
        parse_compact(text[:cut])


LINES = compact_text(
    CompactStates(
        ADDRESSES[:2],
        np.array([(0, 1, 3, 1, 1, 1024, 7, 9, 10, 0, 10, 5, 6, 0, 0, 0)] * 3, ROW),
    )
).splitlines()


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (1, "@10.0.1", "not an address"),
        (2, "@", "not an address"),
        (4, LINES[3][:-1], "another width"),
        (4, "", "another width"),
        (4, "-" + LINES[3][1:], "not a digit"),
        (4, "A" + LINES[3][1:], "an SPI from 1 to 15"),
        (4, LINES[3][:1] + "AAC" + LINES[3][4:], "its source is no address"),
        (4, LINES[3][:4] + "AAC" + LINES[3][7:], "its destination is no address"),
        (4, LINES[3][:7] + "///" + LINES[3][10:], "node_id is too large"),
        (4, LINES[3][:13] + "/" + LINES[3][14:], "key does not fit 64 bits"),
        (4, LINES[3][:40] + "//////" + LINES[3][46:], "added_s is too large"),
        (4, LINES[3][:12] + "é" + LINES[3][13:], "not in ASCII"),
        (6, "= 4 0", "3 states came of 4"),
        (6, "= 3", "cut off"),
        (6, LINES[3], "cut off"),
    ],
)
def test_malformed_line_is_refused_with_its_number(number, line, words):
    lines = [*LINES[: number - 1], line, *LINES[number:]]

    with pytest.raises(CompactError, match=f"^line {number}: .*{words}"):
        parse_compact("\n".join(lines) + "\n")


@pytest.mark.parametrize("text", ["", "\n", "nothing\n"])
def test_something_else_is_refused(text):
    with pytest.raises(CompactError, match="line 1"):
        parse_compact(text)


@given(compact_states())
def test_line_and_its_share_of_the_longest_addresses_are_under_100_bytes(states):
    # What no node reaches is left out: 2^48 packets on a state, or numbers both ways.
    rows = states.rows.copy()
    rows["seq"] >>= np.uint64(16)
    rows["oseq"] >>= np.uint64(16)
    rows["packets"] >>= np.uint64(16)
    rows["seq"][rows["direction"] == 2] = 0
    rows["oseq"][rows["direction"] == 1] = 0
    lines = compact_text(CompactStates((), rows)).splitlines()[:-1]
    # Two states for each peer, whose address has a line of its own.
    share = (len("@2001:0db8:85a3:1234:5678:8a2e:0370:7334\n")) / 2
    assert all(len(line) + 1 + share <= 100 for line in lines)


def test_node_without_states_has_no_rows():
    states = parse_compact("= 0 2\n")

    assert (len(states), states.addresses, states.others) == (0, (), 2)


def test_states_of_others_are_counted_only():
    own = XfrmState("10.0.1.10", "10.0.2.10", 3, mark=Mark(0x00070D00, 0xFFFF0F00))
    others = [
        dataclasses.replace(own, mark=None),
        dataclasses.replace(own, mark=Mark(0x00070F00, 0xFFFF0F00)),
        dataclasses.replace(own, spi=0),
        dataclasses.replace(own, spi=16),
    ]

    states = CompactStates.of_states([own, *others])

    assert (len(states), states.others) == (1, 4)


def test_number_of_a_key_is_made_of_the_first_digits_of_its_hashes():
    one, two = "0123456789abcdef" * 4, "fedcba9876543210" * 4

    assert key_number(one) == 0x0123456789ABCDEF
    assert key_number(f"{one}+{two}") == 0x01234567FEDCBA98
    assert key_number(None) == 0
