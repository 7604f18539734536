"""Find node pairs that an expired key-value store lease has cut off.

Compares both ends of every pair, and for the pairs that are stale looks at the
agents' starts, the lease's time to live and the nodes' keys in the store. Says which
pairs, both numbers, and for which of them the cause can't be told.

Run with ``python -m runbooks.checks.kvstore_lease_expired``; see ``--help``.
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
    diagnosis = narrow(diagnose(samples), Code.KVSTORE_LEASE_EXPIRED)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
