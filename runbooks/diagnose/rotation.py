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
    holders: dict[str, set[str]] = {str(spi): set() for spi in sorted(view.spis)}
    for tunnel in view.tunnels:
        if tunnel.outbound:
            holders[str(tunnel.spi)].add(tunnel.source)
    for node in view.nodes.values():
        for spi in node.brief.spis if node.brief else ():
            holders[str(spi)].add(node.name)
    spis = " and ".join(holders)
    yield Finding(
        code=Code.ROTATION_IN_PROGRESS,
        severity=Severity.INFO,
        summary=(
            f"A key rotation is in progress: states under SPI {spis} are in place."
            " The old ones go after the rotation duration."
        ),
        evidence={"nodes_by_spi": {spi: len(nodes) for spi, nodes in holders.items()}},
        runbook=str(Code.ROTATION_IN_PROGRESS),
    )
