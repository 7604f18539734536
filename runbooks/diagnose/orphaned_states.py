"""States that lead to or from an address that no node has."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View


def orphaned_states(view: View) -> Iterable[Finding]:
    """Find left-overs of nodes, or of addresses, that are gone.

    They are harmless until an address is used again, so they are told in audits
    only; and never on a cluster mesh, whose other clusters' nodes have no
    CiliumNode here.
    """
    cluster = view.samples.first.cluster
    if not cluster.cilium_nodes or in_mesh(cluster.config.get("cluster-id")):
        return
    addresses: dict[tuple[str, int], set[str]] = defaultdict(set)
    for stray in view.strays:
        addresses[stray.node, stray.spi].add(stray.address)
    for (node, spi), peers in sorted(addresses.items()):
        shown = ", ".join(sorted(peers)[:3]) + (", ..." if len(peers) > 3 else "")
        yield Finding(
            code=Code.ORPHANED_XFRM_STATE,
            severity=Severity.INFO,
            summary=(
                f"{node} keeps XFRM states under SPI {spi} for {shown}, which no"
                " CiliumNode has: left-overs of a node or address that is gone."
            ),
            node=node,
            spi=spi,
            evidence={"addresses": sorted(peers)},
            runbook=str(Code.ORPHANED_XFRM_STATE),
            audit=True,
        )


def in_mesh(cluster_id: str | None) -> bool:
    """Whether a cluster ID is one that only members of a mesh have."""
    return cluster_id not in {None, "", "0"}
