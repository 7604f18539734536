"""The pairs of a cluster as a square: senders down, receivers across."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from runbooks.diagnose.finding import Code, Diagnosis

#: More nodes than this don't fit a screen; then only affected ones are shown.
LARGEST = 16


class Cell(enum.StrEnum):
    """State of one ordered pair."""

    SAME = "same"
    FINE = "fine"
    STALE = "stale"
    KEYS = "keys differ"
    MISSING = "missing"
    ALARM = "alarm"
    UNREAD = "unread"


_CELL_OF = {
    Code.STALE_XFRM_STATE: Cell.STALE,
    Code.KEY_MISMATCH: Cell.KEYS,
    Code.MISSING_XFRM_STATE: Cell.MISSING,
}


@dataclass(frozen=True, slots=True)
class Matrix:
    """A square of pairs.

    Attributes:
        sources: Names of the rows.
        destinations: Names of the columns.
        cells: Row by row.
        left_out: How many of the cluster's nodes are not shown.
    """

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    left_out: int


def matrix(diagnosis: Diagnosis, largest: int = LARGEST) -> Matrix | None:
    """Lay out the pairs.

    Args:
        diagnosis: The diagnosis.
        largest: Most rows and columns to show.

    Returns:
        All nodes where they fit, else those of broken pairs as far as they do;
        ``None`` if there is nothing to show.
    """
    broken: dict[tuple[str, str], Cell] = {}
    for finding in diagnosis.alarming:
        if finding.source and finding.destination:
            pair = (finding.source, finding.destination)
            broken.setdefault(pair, _CELL_OF.get(finding.code, Cell.ALARM))
    read = {node.name: node.read for node in diagnosis.nodes}
    names = tuple(read)
    if len(names) < 2:
        return None
    if len(names) <= largest:
        sources = destinations = names
    else:
        sources = tuple(sorted({s for s, _ in broken}))[:largest]
        destinations = tuple(sorted({d for _, d in broken}))[:largest]
    if not sources:
        return None

    def cell(source: str, destination: str) -> Cell:
        if source == destination:
            return Cell.SAME
        if (source, destination) in broken:
            return broken[source, destination]
        both = read.get(source) and read.get(destination)
        return Cell.FINE if both else Cell.UNREAD

    return Matrix(
        sources,
        destinations,
        tuple(tuple(cell(s, d) for d in destinations) for s in sources),
        left_out=len(set(names) - {*sources, *destinations}),
    )
