import pytest

from runbooks.xfrm.stat import XfrmStatError, parse_xfrm_stat


def test_counters_that_a_newer_kernel_adds_are_read():
    assert parse_xfrm_stat("XfrmInError \t3\nXfrmInIptfsError 4\n") == {
        "XfrmInError": 3,
        "XfrmInIptfsError": 4,
    }


def test_bugtool_markdown_is_unwrapped():
    text = "# cat /proc/net/xfrm_stat\n\n```\nXfrmInError 3\n```\n"

    assert parse_xfrm_stat(text) == {"XfrmInError": 3}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no counters"),
        ("cat: /proc/net/xfrm_stat: No such file", "line 1 is not a counter"),
        ("XfrmInError 3\nXfrmInNoStates", "line 2 is not a counter"),
        ("XfrmInError -3", "line 1 is not a counter"),
        ("XfrmInError ³", "line 1 is not a counter"),
        ("XfrmInError 3\nXfrmInError 3\n", "twice"),
        ("XfrmInError 3\nXfrmInNoStates 1", "line 2 has no end"),
        ("# cat x\n\n```\nXfrmInError 3\n", "line 5: the block is cut off"),
        ("XfrmInError " + "9" * 5000 + "\n", "line 1 is not a counter"),
        ("cat: x> Error while running 'cat'", "failed on the node"),
        ("> Error while running 'cat'", "failed on the node"),
    ],
)
def test_what_is_not_xfrm_stat_is_refused_with_its_line(text, problem):
    with pytest.raises(XfrmStatError, match=problem):
        parse_xfrm_stat(text)
