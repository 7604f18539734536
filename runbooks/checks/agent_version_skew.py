"""Tell whether all agents run one version of Cilium.

Traffic passes all the same; a rotation has to wait until they do.

Run with ``python -m runbooks.checks.agent_version_skew``; see ``--help``.
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
    """Read the cluster twice, and report the agents' versions."""
    samples = read(__doc__)
    diagnosis = narrow(diagnose(samples), Code.AGENT_VERSION_SKEW)
    report(diagnosis)
    return diagnosis.exit_code


if __name__ == "__main__":
    sys.exit(main())
