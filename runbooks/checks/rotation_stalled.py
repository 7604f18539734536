"""Find nodes that a key rotation has left behind.

Compares the SPIs that the nodes use, for how long, the key IDs that they announce,
and the Secret's if it may be read. Says which node lags, and which of its peers have
removed the old key's states, so that nothing passes between them.

Run with ``python -m runbooks.checks.rotation_stalled``; see ``--help``.
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
    """Read the cluster twice, compare the SPIs of all nodes, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.ROTATION_STALLED)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
