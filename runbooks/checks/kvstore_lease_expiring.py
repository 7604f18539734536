"""Find nodes whose lease in the key-value store is about to expire.

Looks for agents that are down, or cut off from the store, while their peers have
states for them, and for leases that nobody renews. Says how long is left: a node that
comes back later than that finds its pairs stale.

Run with ``python -m runbooks.checks.kvstore_lease_expiring``; see ``--help``.
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
    """Read the cluster twice, look for leases that nobody renews, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.KVSTORE_LEASE_EXPIRING)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
