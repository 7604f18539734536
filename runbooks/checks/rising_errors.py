"""Find nodes that drop packets in XFRM right now.

Compares /proc/net/xfrm_stat of both samples: totals since boot say nothing about
now. Says which counters rose on which node, and what each means.

Run with ``python -m runbooks.checks.rising_errors``; see ``--help``.
Exit status: 0 not affected, 1 affected, 2 called wrongly, 3 not every node could be
read and the others are not affected.
"""

from __future__ import annotations

import sys

from runbooks.checks.source import read
from runbooks.diagnose import diagnose, narrow
from runbooks.diagnose.finding import Code
from runbooks.diagnose.rising_errors import rising_errors
from runbooks.report import report


def main() -> int:
    """Read the counters twice, and report what rose in between."""
    samples = read(__doc__)
    found = diagnose(samples, rules=[rising_errors])
    diagnosis = narrow(found, Code.XFRM_ERRORS_RISING)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
