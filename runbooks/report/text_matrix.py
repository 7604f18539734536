"""The matrix of pairs for a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from runbooks.report.matrix import Cell, matrix

if TYPE_CHECKING:
    from rich.console import Console

    from runbooks.diagnose.finding import Diagnosis
    from runbooks.report.matrix import Matrix

CORNER = "from \\ to"
_WORDS = {
    Cell.SAME: ("-", "dim"),
    Cell.FINE: ("ok", "green"),
    Cell.STALE: ("STALE", "bold red"),
    Cell.KEYS: ("KEYS", "bold red"),
    Cell.MISSING: ("GONE", "bold red"),
    Cell.ALARM: ("!", "yellow"),
    Cell.UNREAD: ("?", "yellow"),
}
_LETTERS = {Cell.FINE: ".", Cell.STALE: "S", Cell.KEYS: "K", Cell.MISSING: "G"}
_MEANINGS = {
    Cell.SAME: "the node itself",
    Cell.FINE: "nothing wrong",
    Cell.STALE: "stale",
    Cell.KEYS: "keys differ",
    Cell.MISSING: "a state is gone",
    Cell.ALARM: "see below",
    Cell.UNREAD: "not read",
}


def print_matrix(console: Console, diagnosis: Diagnosis) -> None:
    """Print the pairs: with words if they fit the console, else with letters."""
    square = matrix(diagnosis)
    if square is None:
        return
    console.print()
    if _width_with_words(square) <= console.width:
        console.print(_table(square, square.destinations, _WORDS))
    else:
        _print_with_letters(console, square)
    if square.left_out:
        console.print(f"and {square.left_out} more nodes with a broken pair")
    if square.healthy:
        console.print(f"and {square.healthy} healthy nodes")


def _width_with_words(square: Matrix) -> int:
    first = max(map(len, (CORNER, *square.sources)))
    return first + sum(2 + max(len(name), 5) for name in square.destinations)


def _table(
    square: Matrix, columns: tuple[str, ...], cells: dict[Cell, tuple[str, str]]
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(CORNER, style="bold", overflow="fold")
    for name in columns:
        table.add_column(name, justify="center", no_wrap=True)
    for name, row in zip(square.sources, square.cells, strict=True):
        table.add_row(name, *(Text(*cells[cell]) for cell in row))
    return table


def _print_with_letters(console: Console, square: Matrix) -> None:
    letters = {
        cell: (_LETTERS.get(cell, word), style)
        for cell, (word, style) in _WORDS.items()
    }
    numbers = tuple(str(n) for n in range(1, len(square.destinations) + 1))
    table = _table(square, numbers, letters)
    table.padding = (0, 1, 0, 0)
    console.print(table)
    named = zip(numbers, square.destinations, strict=True)
    console.print("to: " + ", ".join(f"{number} {name}" for number, name in named))
    shown = {cell for row in square.cells for cell in row}
    legend = [
        f"{letters[cell][0]} {_MEANINGS[cell]}" for cell in _WORDS if cell in shown
    ]
    console.print(", ".join(legend))
