"""Find node pairs whose XFRM states no longer belong together, whatever the cause.

Compares both ends of every pair: a receiver that has seen a higher sequence number
than its sender has reached, under the same SPI and key, drops what it gets. Says
which pairs, both numbers, and the cause as far as the cluster tells it.

Run with ``python -m runbooks.checks.stale_states``; see ``--help``.
Exit status: 0 not affected, 1 affected, 2 called wrongly, 3 not every node could be
read and the others are not affected.
"""

from __future__ import annotations

import sys

from runbooks.checks.source import read
from runbooks.diagnose import diagnose, narrow
from runbooks.diagnose.finding import Code
from runbooks.report import report


def main() -> int:
    """Read the cluster twice, compare both ends of every pair, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.STALE_XFRM_STATE)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
