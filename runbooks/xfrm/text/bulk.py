"""States in the layout of ``ip -s xfrm state``, thousands at once.

One regular expression takes a whole state apart in C; what repeats from state to
state (identities, flags, times) is read once, by the line reader; the rest is
converted a column at a time. A state in any other layout is left to the line
reader, which also has the last word on everything that looks odd.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from runbooks.xfrm.text.columns import Columns, OddStateError
from runbooks.xfrm.text.layout import STATE, Groups
from runbooks.xfrm.text.lines import entries
from runbooks.xfrm.text.state import read_entries

if TYPE_CHECKING:
    from runbooks.xfrm.model import XfrmState

#: Few enough that the garbage collector does not look at what a batch throws away.
_BATCH = 256


def read_many(text: str, utc_offset_s: int) -> list[XfrmState]:
    """Read a dump of states.

    Args:
        text: The dump.
        utc_offset_s: What the node's local time is ahead of UTC.

    Returns:
        The states in their order, the same as the line reader's.

    Raises:
        OddStateError: The line reader must read the whole dump.
        XfrmTextError: Likewise; its line number is not that of the dump.
    """
    columns = Columns(utc_offset_s)
    found: list[XfrmState] = []
    between: list[tuple[int, str]] = []
    end = 0
    matches = STATE.finditer(text)
    while batch := list(islice(matches, _BATCH)):
        for position, match in enumerate(batch, start=len(found)):
            start, stop = match.span()
            if start != end:
                between.append((position, text[end:start]))
            end = stop
        rows = [match.groups() for match in batch]
        found += columns.states(Groups(*zip(*rows, strict=True)), len(rows))
    if not found:
        raise OddStateError
    if end != len(text):
        between.append((len(found), text[end:]))
    return _woven(found, between, utc_offset_s) if between else found


def _woven(
    found: list[XfrmState], between: list[tuple[int, str]], utc_offset_s: int
) -> list[XfrmState]:
    """Read what stands between the states found, and put it in its places."""
    left_out = entries("".join(text for _, text in between))
    # The last line of each piece, in the numbering of the pieces joined.
    last_lines = list(accumulate(text.count("\n") for _, text in between))
    places = [bisect_right(last_lines, entry[0].number - 1) for entry in left_out]
    pieces: list[list[XfrmState]] = [[] for _ in between]
    for place, state in zip(places, read_entries(left_out, utc_offset_s), strict=True):
        pieces[place].append(state)
    woven: list[XfrmState] = []
    start = 0
    for (position, _), piece in zip(between, pieces, strict=True):
        woven += found[start:position]
        woven += piece
        start = position
    return woven + found[start:]
