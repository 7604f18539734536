"""Find node pairs that hold different keys under the same SPI.

Compares the hashes of the keys of both ends of every pair; the keys stay on the
nodes. Says which pairs, in which directions, and whether the boot IDs agree: if they
do, the key was changed without a new key ID.

Run with ``python -m runbooks.checks.key_mismatch``; see ``--help``.
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
    """Read the cluster twice, compare the keys of every pair, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.KEY_MISMATCH)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
