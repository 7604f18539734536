"""``ip xfrm state``, read back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runbooks.xfrm.text.bulk import read_many
from runbooks.xfrm.text.columns import OddStateError
from runbooks.xfrm.text.lines import XfrmTextError, entries
from runbooks.xfrm.text.state import read_entries

if TYPE_CHECKING:
    from runbooks.xfrm.model import XfrmState


def parse_state_text(text: str, *, utc_offset_s: int = 0) -> list[XfrmState]:
    """Read ``ip [-s [-s]] xfrm state``.

    Args:
        text: What it printed, or cilium-bugtool's file of it.
        utc_offset_s: What the node's local time is ahead of UTC, for the times
            that the dump gives without a zone.

    Returns:
        The states in their order; none for a node that has none.

    Raises:
        XfrmTextError: The text is something else, or cut off.
    """
    with contextlib.suppress(OddStateError, XfrmTextError):
        return read_many(text, utc_offset_s)
    return parse_state_lines(text, utc_offset_s=utc_offset_s)


def parse_state_lines(text: str, *, utc_offset_s: int = 0) -> list[XfrmState]:
    """Read the same line by line: slower, in any layout, with exact complaints.

    Args:
        text: What the command printed, or cilium-bugtool's file of it.
        utc_offset_s: What the node's local time is ahead of UTC.

    Returns:
        The states in their order.

    Raises:
        XfrmTextError: The text is something else, or cut off.
    """
    return read_entries(entries(text), utc_offset_s)
