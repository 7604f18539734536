"""Find node pairs that an expired key-value store lease has cut off.

Run with ``python -m runbooks.checks.kvstore_lease_expired``; the kubeconfig is
the current one. Exit status: 0 not affected, 1 affected, 2 called wrongly,
3 not every node could be read.
"""

from __future__ import annotations

import sys

from runbooks.collect import collect
from runbooks.collect.errors import CollectError, UsageError
from runbooks.diagnose import diagnose, narrow
from runbooks.diagnose.finding import Code
from runbooks.report import report


def main() -> int:
    """Read the cluster twice, compare both ends of every pair, and report."""
    try:
        samples = collect(interval_s=1.0)
    except CollectError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, UsageError) else 3
    diagnosis = narrow(diagnose(samples), Code.KVSTORE_LEASE_EXPIRED)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
