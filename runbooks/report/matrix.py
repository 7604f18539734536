"""The pairs of a cluster as a square: senders down, receivers across."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Groups = tuple[tuple[str, ...], ...]

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
        sources: The rows: a node each, or several that have the same cells.
        destinations: The columns, likewise.
        cells: Row by row.
        healthy: How many nodes are not shown since nothing alarming is known of them.
        left_out: How many nodes with a broken pair are not shown, for lack of room.
    """

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    healthy: int
    left_out: int


def matrix(diagnosis: Diagnosis, largest: int = LARGEST) -> Matrix | None:
    """Lay out the pairs.

    Args:
        diagnosis: The diagnosis.
        largest: Most rows and columns to show.

    Returns:
        All nodes where they fit, else those of broken pairs; if those don't fit
        either, alike ones are together;
        ``None`` if there is nothing to show.
    """
    broken: dict[tuple[str, str], Cell] = {}
    alarming: set[str | None] = set()
    for finding in diagnosis.alarming:
        alarming |= {finding.source, finding.destination, finding.node}
        if finding.source and finding.destination:
            pair = (finding.source, finding.destination)
            broken.setdefault(pair, _CELL_OF.get(finding.code, Cell.ALARM))
    read = {node.name: node.read for node in diagnosis.nodes}

    def cell(source: str, destination: str) -> Cell:
        if source == destination:
            return Cell.SAME
        if (source, destination) in broken:
            return broken[source, destination]
        both = read.get(source) and read.get(destination)
        return Cell.FINE if both else Cell.UNREAD

    names = tuple(read)
    rows: Groups = tuple((name,) for name in names)
    columns = rows
    if len(names) < 2:
        return None
    if len(names) > largest:
        rows, columns = _collapsed(broken, cell, largest)
    if not rows:
        return None
    shown = {n for group in (*rows[:largest], *columns[:largest]) for n in group}
    return Matrix(
        tuple(map(_label, rows[:largest])),
        tuple(map(_label, columns[:largest])),
        tuple(
            tuple(_of_groups(cell, row, column) for column in columns[:largest])
            for row in rows[:largest]
        ),
        healthy=sum(read[n] for n in names if n not in shown and n not in alarming),
        left_out=len({n for pair in broken for n in pair} - shown),
    )


def broken_first(square: Matrix) -> Matrix:
    """Move the rows and columns with a broken pair to where one looks first."""
    well = {Cell.SAME, Cell.FINE, Cell.UNREAD}
    rows = sorted(
        range(len(square.sources)), key=lambda row: set(square.cells[row]) <= well
    )
    columns = sorted(
        range(len(square.destinations)),
        key=lambda column: {cells[column] for cells in square.cells} <= well,
    )
    return replace(
        square,
        sources=tuple(square.sources[row] for row in rows),
        destinations=tuple(square.destinations[column] for column in columns),
        cells=tuple(tuple(square.cells[r][c] for c in columns) for r in rows),
    )


def _collapsed(
    broken: Mapping[tuple[str, str], Cell],
    cell: Callable[[str, str], Cell],
    largest: int,
) -> tuple[Groups, Groups]:
    """The nodes of broken pairs; where they are too many, alike ones together."""
    sources = sorted({source for source, _ in broken})
    destinations = sorted({destination for _, destination in broken})
    rows: Groups = tuple((name,) for name in sources)
    columns: Groups = tuple((name,) for name in destinations)
    if len(sources) > largest:
        rows = _alike(sources, destinations, cell)
    if len(destinations) <= largest:
        return rows, columns
    columns = _alike(
        destinations,
        [group[0] for group in rows] + [group[-1] for group in rows],
        lambda destination, source: cell(source, destination),
    )
    return rows, columns


def _alike(
    names: Iterable[str], others: Iterable[str], cell: Callable[[str, str], Cell]
) -> Groups:
    """Group names by their cells; a node's own cell fits any others."""
    others = tuple(others)
    groups: dict[tuple[Cell, ...], list[str]] = {}
    for name in names:
        cells = [cell(name, other) for other in others]
        rest = {found for found in cells if found is not Cell.SAME}
        if len(rest) == 1:
            cells = [*rest] * len(cells)
        groups.setdefault(tuple(cells), []).append(name)
    return tuple(map(tuple, groups.values()))


def _of_groups(
    cell: Callable[[str, str], Cell], row: Sequence[str], column: Sequence[str]
) -> Cell:
    """The cell of all pairs of two groups, whose own ones don't count."""
    pairs = ((source, destination) for source in row for destination in column)
    return next(
        (cell(*pair) for pair in pairs if pair[0] != pair[1]),
        Cell.SAME,
    )


def _label(group: Sequence[str]) -> str:
    return group[0] if len(group) == 1 else f"{group[0]} and {len(group) - 1} more"
