"""Whether the key is being replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View


def rotation_in_progress(view: View) -> Iterable[Finding]:
    """Tell that the nodes hold more than one key."""
    if len(view.spis) < 2:
        return
    spis = " and ".join(str(spi) for spi in view.senders)
    yield Finding(
        code=Code.ROTATION_IN_PROGRESS,
        severity=Severity.INFO,
        summary=(
            f"A key rotation is in progress: states under SPI {spis} are in place."
            " The old ones go after the rotation duration."
        ),
        evidence={"nodes_by_spi": {str(s): len(n) for s, n in view.senders.items()}},
        runbook=str(Code.ROTATION_IN_PROGRESS),
    )
