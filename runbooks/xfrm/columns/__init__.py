"""XFRM states of a dump as columns, for sizes where objects are too slow.

The same bytes give the same states as :func:`runbooks.xfrm.dump.parse_states`,
or are refused like there. What a kernel writes is read a column at a time
(:mod:`.layouts`, :mod:`.picking`); anything else takes that slower, declared path.
"""

from __future__ import annotations

from runbooks.xfrm.columns.reader import ColumnReader
from runbooks.xfrm.columns.states import (
    HAS_ESN,
    HAS_MARK,
    HAS_OUTPUT_MARK,
    StateColumns,
)
from runbooks.xfrm.uapi import XFRM_MSG_GETSA
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
    "dump_state_columns",
    "read_state_columns",
]


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
        purpose = "read the XFRM states"
        return wire.dump(XFRM_MSG_GETSA, purpose, ColumnReader).columns()
    finally:
        wire.close()
