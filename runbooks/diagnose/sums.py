"""Nodes of which only the sums of their states were read, since they show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Depth

if TYPE_CHECKING:
    from runbooks.diagnose.view import View
    from runbooks.snapshot import NodeSnapshot


def summed_up(view: View) -> frozenset[str]:
    """Names of the nodes whose states were summed up and not read."""
    return frozenset(
        name
        for name, node in view.nodes.items()
        if node.brief is not None and not node.states_read
    )


def depth_of(view: View) -> Depth:
    """How deep the cluster was read."""
    some_pairs = any(node.peers is not None for node in view.nodes.values())
    return Depth.DEFAULT if some_pairs or summed_up(view) else Depth.AUDIT


def compared(source: NodeSnapshot, destination: NodeSnapshot) -> bool:
    """Whether the states of two nodes were read as far as their pair is concerned."""
    return (source.peers is None or destination.name in source.peers) and (
        destination.peers is None or source.name in destination.peers
    )


def both_compared(view: View, source: str, destination: str) -> bool:
    """The same, and whether both were read at all."""
    return view.read.issuperset((source, destination)) and compared(
        view.nodes[source], view.nodes[destination]
    )
