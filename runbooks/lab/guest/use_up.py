"""Takes the numbers of this kernel's outbound states away, but for a few.

``python -m runbooks.lab.guest.use_up LEFT``: what would take 2^32 packets. Each
outbound state of Cilium's has LEFT numbers left to send with.
"""

from __future__ import annotations

import sys

from runbooks.xfrm.model import Direction
from runbooks.xfrm.netlink import XfrmSocket

_LAST = (1 << 32) - 1


def main() -> int:
    """Set the numbers, and say of how many states."""
    left = int(sys.argv[1])
    with XfrmSocket() as xfrm:
        outbound = [s for s in xfrm.states() if s.direction is Direction.OUT]
        for state in outbound:
            try:
                xfrm.set_last_sent(state, _LAST - left)
            except ValueError as error:
                print(error, file=sys.stderr)
                return 1
    print(len(outbound))
    return 0


if __name__ == "__main__":
    sys.exit(main())
