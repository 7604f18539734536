"""Plain lines decoded all at once: the same rows as digit by digit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.xfrm import compact_lines
from runbooks.xfrm.compact import IN, OUT, ROW, CompactStates, parse_compact
from runbooks.xfrm.compact_lines import decode_plain
from tests.xfrm.compact_text import compact_text, line

ADDRESSES = ("10.0.1.10", "10.0.2.10", "fd00::1")


def numbers(bits):
    return st.one_of(
        st.sampled_from([0, 1, (1 << bits) - 1]), st.integers(0, 2**bits - 1)
    )


@st.composite
def plain_rows(draw):
    """Rows that a plain line holds: no errors, one number, all of it below 2^48."""
    direction = draw(st.sampled_from([IN, OUT]))
    number = draw(numbers(48))
    end = st.integers(0, len(ADDRESSES) - 1)
    return (
        draw(end),
        draw(end),
        draw(st.integers(1, 15)),
        direction,
        draw(st.integers(0, 1)),
        draw(numbers(18)),
        draw(numbers(16)),
        draw(numbers(64)),
        number if direction == IN else 0,
        number if direction == OUT else 0,
        draw(numbers(48)),
        draw(numbers(32)),
        draw(numbers(32)),
        0,
        0,
        0,
    )


def lines_of(rows):
    return [line(dict(zip(ROW.names, row, strict=True))) for row in rows]


@given(st.lists(plain_rows(), min_size=1, max_size=20))
def test_rows_are_those_that_the_lines_were_made_of(rows):
    decoded = decode_plain("\n".join(lines_of(rows)).encode(), len(ADDRESSES))

    assert np.array_equal(decoded, np.array(rows, dtype=ROW))


@given(st.lists(plain_rows(), max_size=20), st.randoms())
def test_addresses_stand_anywhere_between_the_lines(rows, random):
    states = CompactStates(ADDRESSES, np.array(rows, dtype=ROW))
    *lines, end = compact_text(states).splitlines()
    rest = iter([text for text in lines if not text.startswith("@")])
    names = iter([text for text in lines if text.startswith("@")])
    kinds = [text.startswith("@") for text in lines]
    random.shuffle(kinds)
    mixed = [next(names) if is_name else next(rest) for is_name in kinds]

    assert parse_compact("\n".join([*mixed, end])) == states


PLAIN = lines_of([(0, 1, 3, IN, 1, 1024, 7, 9, 10, 0, 10, 5, 6, 0, 0, 0)])[0]


@pytest.mark.parametrize(
    "malformed",
    [
        "-" + PLAIN[1:],
        PLAIN[:5] + "\x00" + PLAIN[6:],
        PLAIN[:20] + "=" + PLAIN[21:],
        PLAIN[:-2] + "==",
        "A" + PLAIN[1:],
        PLAIN[:1] + "AAD" + PLAIN[4:],
        PLAIN[:7] + "///" + PLAIN[10:],
        PLAIN[:13] + "/" + PLAIN[14:],
        PLAIN[:40] + "/" + PLAIN[41:],
        PLAIN[:46] + "/" + PLAIN[47:],
    ],
)
@pytest.mark.parametrize("beside", [[], [PLAIN]])
def test_one_malformed_line_is_left_to_who_can_tell_what_is_wrong(malformed, beside):
    text = "\n".join([*beside, malformed, *beside]).encode()

    assert decode_plain(text, len(ADDRESSES)) is None


def test_plain_lines_are_decoded_at_once(monkeypatch):
    states = CompactStates(ADDRESSES, np.zeros(3, dtype=ROW))
    states.rows["spi"], states.rows["direction"] = 3, IN
    asked = []

    def decode(lines, addresses):
        asked.append(lines)
        return decode_plain(lines, addresses)

    monkeypatch.setattr(compact_lines, "decode_plain", decode)

    assert parse_compact(compact_text(states)) == states
    assert len(asked) == 1
