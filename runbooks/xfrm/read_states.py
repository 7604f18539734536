"""Sum up this kernel's XFRM states, quickly: ``python -m runbooks.xfrm.read_states``.

Reads and decodes every state of this network namespace and prints one line of
JSON. Imports nothing that it does not need, so that it starts as quickly as
Python does; with ``python -S`` (and ``PYTHONPATH`` naming the folder that holds
``runbooks``) Python leaves out its own search for packages as well.
"""

from __future__ import annotations

import sys
from collections import Counter

from runbooks.xfrm.columns import HAS_MARK, StateColumns, dump_state_columns
from runbooks.xfrm.wire import XfrmDumpError, XfrmError

#: Bits of a mark that say what Cilium wants done with a packet, and their values.
_ACTION_MASK = 0x0F00
_ACTIONS = {0x0D00: "inbound", 0x0E00: "outbound"}


def summary(columns: StateColumns) -> dict[str, int | dict[str, int]]:
    """Count states by direction and SPI, and the packets that they dropped.

    Args:
        columns: States of one node.

    Returns:
        ``states``; ``spis`` by direction and SPI of the states that carry one of
        Cilium's marks, for example ``{"inbound 3": 12, "outbound 3": 12}``;
        ``replay_errors`` and ``integrity_errors`` in packets.
    """
    spis: dict[str, int] = {}
    marks = (mark & _ACTION_MASK for mark in columns.mark_value)
    kinds = Counter(zip(marks, columns.spi, columns.features, strict=True))
    for (mark, spi, features), count in sorted(kinds.items()):
        direction = _ACTIONS.get(mark)
        if direction and features & HAS_MARK:
            name = f"{direction} {spi}"
            spis[name] = spis.get(name, 0) + count
    return {
        "states": len(columns),
        "spis": spis,
        "replay_errors": sum(columns.replay_errors),
        "integrity_errors": sum(columns.integrity_errors),
    }


def main() -> int:
    """Read, sum up, print.

    Returns:
        Exit status: 0, or 3 if the states could not be read.
    """
    try:
        columns = dump_state_columns()
    except (XfrmError, XfrmDumpError) as error:
        print(error, file=sys.stderr)
        return 3
    # A dictionary of words and numbers is JSON but for its quotation marks.
    print(str(summary(columns)).replace("'", '"'))
    return 0


if __name__ == "__main__":
    sys.exit(main())
