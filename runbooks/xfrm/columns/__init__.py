"""XFRM states of a dump as columns, for sizes where objects are too slow.

The same bytes give the same states as :func:`runbooks.xfrm.dump.parse_states`,
or are refused like there. What a kernel writes is read a column at a time
(:mod:`.layouts`, :mod:`.picking`); anything else takes that slower, declared path.
"""

from __future__ import annotations

import sys

from runbooks.xfrm.columns.reader import ColumnReader
from runbooks.xfrm.columns.states import (
    HAS_ESN,
    HAS_MARK,
    HAS_OUTPUT_MARK,
    StateColumns,
)
from runbooks.xfrm.uapi import (
    NLA_HEADER,
    NLMSG_HEADER,
    XFRM_MSG_GETSA,
    XFRM_MSG_GETSADINFO,
    XFRMA_SAD_CNT,
)
from runbooks.xfrm.wire import XfrmWire

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HAS_ESN",
    "HAS_MARK",
    "HAS_OUTPUT_MARK",
    "ColumnReader",
    "StateColumns",
    "dump_columns",
    "dump_state_columns",
    "read_state_columns",
]

#: Memory is set aside for this many states at most; more of them still fit.
_COUNT_MAX = 200_000


def read_state_columns(
    data: bytes | bytearray | memoryview | Iterable[bytes | bytearray | memoryview],
) -> StateColumns:
    """Read the reply to XFRM_MSG_GETSA into columns.

    Args:
        data: NEWSA messages, one behind the other; NLMSG_DONE may follow. Or
            several such pieces, each of whole messages.

    Returns:
        The states in the kernel's order, keys replaced by their hashes.

    Raises:
        XfrmDumpError: The bytes are something else, or cut short.
    """
    pieces = [data] if isinstance(data, bytes | bytearray | memoryview) else data
    reader = ColumnReader()
    for piece in pieces:
        reader.extend(piece)
    return reader.columns()


def dump_state_columns() -> StateColumns:
    """Read all XFRM states of this kernel and network namespace into columns.

    Returns:
        The states in the kernel's order.

    Raises:
        XfrmError: The kernel refused, or the states kept changing.
        XfrmDumpError: The answer is not a dump of states.
    """
    wire = XfrmWire()
    try:
        return dump_columns(wire)
    finally:
        wire.close()


def dump_columns(wire: XfrmWire) -> StateColumns:
    """Read all XFRM states through a socket into columns.

    Args:
        wire: The socket.

    Returns:
        The states in the kernel's order.

    Raises:
        XfrmError: The kernel refused, or the states kept changing.
        XfrmDumpError: The answer is not a dump of states.
    """
    purpose = "read the XFRM states"
    expected = _count(wire.request(XFRM_MSG_GETSADINFO, bytes(4), purpose))
    reader = wire.dump(XFRM_MSG_GETSA, purpose, lambda: ColumnReader(expected))
    return reader.columns()


def _count(reply: bytes) -> int:
    """How many states there are, told by NEWSADINFO; 0 if it does not tell."""
    # Behind the header and flags; the kernel writes the count first.
    start = NLMSG_HEADER.size + 4
    if len(reply) < start + 8:
        return 0
    if NLA_HEADER.unpack_from(reply, start) != (8, XFRMA_SAD_CNT):
        return 0
    return min(int.from_bytes(reply[start + 4 : start + 8], sys.byteorder), _COUNT_MAX)
