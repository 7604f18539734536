"""What a node's states sum up to, read back."""

import pytest

from runbooks.xfrm.brief import (
    BriefError,
    FailingState,
    StateAges,
    StateSums,
    parse_brief,
)
from runbooks.xfrm.model import Direction

TEXT = """\
+ 4 out 2 2 0 0 0 0 9 5
+ 3 in 999 998 2 1 12 4000 88123456 471100
* 3 1767322000 1767322010 999
* 4 1767323000 1767323000 1
* 4 1767329000 1767329000 1
! 3 in fd00::0:2 10.0.1.10 0 12 4000 1767322000
~ 1001 7
"""


def test_every_line_is_read():
    brief = parse_brief(TEXT)

    assert brief.sums == (
        StateSums(3, Direction.IN, 999, 998, 2, 1, 12, 4000, 88123456, 471100),
        StateSums(4, Direction.OUT, 2, 2, number_sum=9, number_max=5),
    )
    assert brief.ages == (
        StateAges(3, 1767322000, 1767322010, 999),
        StateAges(4, 1767329000, 1767329000, 1),
        StateAges(4, 1767323000, 1767323000, 1),
    )
    assert brief.failing == (
        FailingState(3, Direction.IN, "fd00::2", "10.0.1.10", 0, 12, 4000, 1767322000),
    )
    assert (brief.states, brief.others) == (1001, 7)
    assert brief.spis == {3, 4}
    assert brief.newest_spi == 4


@pytest.mark.parametrize("end", range(1, TEXT.rindex("~") + 1))
def test_text_cut_off_before_its_last_line_is_refused(end):
    with pytest.raises(BriefError, match="line "):
        parse_brief(TEXT[:end])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+ 16 in 1 1 0 0 0 0 9 5", "no key ID"),
        ("+ 3 fwd 1 1 0 0 0 0 9 5", "neither inbound nor outbound"),
        ("+ 3 in 1 1 0 0 0 0 9 -5", "a number is malformed"),
        ("+ 3 in 1 1 0 0 0 0 9", "not what a pod makes"),
        ("+ 3 in 1 1 0 0 0 0 9 5", "lines are missing"),
        ("! 3 in 10.0.1 10.0.1.10 0 12 4000 1767322000", "not an address"),
        ("~ 1001 7", "not what a pod makes"),
    ],
)
def test_malformed_line_is_refused(line, words):
    with pytest.raises(BriefError, match=words):
        parse_brief(f"{line}\n{TEXT}")
