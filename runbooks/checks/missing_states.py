"""Find node pairs of which one end has no XFRM state, or no policy that leads to it.

Looks for the outbound state of every sender and the inbound state of its receiver,
in both samples. Says which node lacks what, and under which addresses and SPI.

Run with ``python -m runbooks.checks.missing_states``; see ``--help``.
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
    """Read the cluster twice, match both ends of every pair, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.MISSING_XFRM_STATE)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
