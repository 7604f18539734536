"""Find node pairs that a recreated key-value store has cut off, or is about to.

Compares both ends of every pair, and for the pairs that are stale looks at which
agent restarted when. Where the store can be read and has lost the nodes' keys, it
says so before an agent restarts, while nothing is broken.

Run with ``python -m runbooks.checks.kvstore_recreated``; see ``--help``.
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
    diagnosis = narrow(diagnose(samples), Code.KVSTORE_RECREATED)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
