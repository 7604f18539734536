"""Find node pairs that a deleted and recreated CiliumNode has cut off.

Compares both ends of every pair, and for the pairs that are stale compares the age
of the receiver's CiliumNode with that of its own and its peers' states. Says which
pairs, both numbers, and for which of them the cause can't be told.

Run with ``python -m runbooks.checks.ciliumnode_recreated``; see ``--help``.
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
    diagnosis = narrow(diagnose(samples), Code.CILIUMNODE_RECREATED)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
