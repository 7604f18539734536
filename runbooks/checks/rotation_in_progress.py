"""Tell whether a key rotation is in progress.

Looks at the SPIs of all states: more than one is in use from the moment the first
node has the new key until the last one has removed the old.

Run with ``python -m runbooks.checks.rotation_in_progress``; see ``--help``.
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
    """Read the cluster twice, and report the SPIs in use."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.ROTATION_IN_PROGRESS)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
