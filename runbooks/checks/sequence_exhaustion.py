"""Find senders that run out of sequence numbers.

Looks at the outbound states that are in use and have no extended sequence numbers:
they end at 2^32 packets. Says how much is used and how long the rest lasts at the
present rate. A warning from 75% on, critical in the last hour.

Run with ``python -m runbooks.checks.sequence_exhaustion``; see ``--help``.
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
    """Read the cluster twice, and report senders that near their last number."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.SEQUENCE_EXHAUSTION)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
