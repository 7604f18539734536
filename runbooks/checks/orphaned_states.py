"""Find XFRM states that lead to or from an address that no node has.

Compares the addresses of all states with those of the CiliumNodes. Left-overs are
harmless until an address is used again, so they are no reason to act.

Run with ``python -m runbooks.checks.orphaned_states``; see ``--help``.
Exit status: 0 nothing to act on, whatever it says, 2 called wrongly, 3 not every
node could be read.
"""

from __future__ import annotations

import sys

from runbooks.checks.source import read
from runbooks.diagnose import diagnose, narrow
from runbooks.diagnose.finding import Code
from runbooks.report import report


def main() -> int:
    """Read the cluster twice, and report states without a node."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples, audit=True), Code.ORPHANED_XFRM_STATE)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
