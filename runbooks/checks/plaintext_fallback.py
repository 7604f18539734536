"""Find nodes from which packets could leave unencrypted.

Looks at the XFRM policies of every node: the one that blocks what is to be encrypted
and isn't, and one for each peer. Without the former, a missing one of the latter means
plain text.

Run with ``python -m runbooks.checks.plaintext_fallback``; see ``--help``.
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
    """Read the cluster twice, look at every policy, and report."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.PLAINTEXT_FALLBACK)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
