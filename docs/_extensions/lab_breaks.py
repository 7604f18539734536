"""``lab-breaks``: every break that ``ipsec-runbooks lab break`` knows of one kind.

.. lab-breaks:: stale
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from runbooks.lab import breaks
from runbooks.lab.breaks import BREAKS
from runbooks.lab.breaks.condition import Kind
from runbooks.lab.breaks.listing import labs

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

#: The page of the tables themselves.
_OWN_PAGE = "lab/breaks"


def rst_of_breaks(kind: Kind) -> list[str]:
    """Lay out the breaks of a kind.

    Args:
        kind: Which ones.

    Returns:
        Lines of reStructuredText: a table.
    """
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 28 36 36", ""]
    rows = [("``lab break``", "What happens", "What you see")]
    for name, found in BREAKS.items():
        if found.kind is not kind:
            continue
        needed = labs(found)
        what = found.summary[0].upper() + found.summary[1:] + "."
        if found.ways:
            what += " ``--how`` is " + ", ".join(f"``{w}``" for w in found.ways) + "."
        if needed:
            what += f" Needs ``lab up {needed}``."
        amount = f" [{found.amount}]" if found.amount else ""
        page = f" See :doc:`/{found.page}`." if found.page != _OWN_PAGE else ""
        rows.append((f"``{name}{amount}``", what, found.sees + page))
    for row in rows:
        lines += [f"   {'*' if i == 0 else ' '} - {c}" for i, c in enumerate(row)]
    return lines


class LabBreaks(SphinxDirective):
    """The table, wherever a page wants it."""

    required_arguments = 1
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Parse the table."""
        for module in Path(breaks.__file__).parent.rglob("*.py"):
            self.env.note_dependency(str(module))
        lines = rst_of_breaks(Kind(self.arguments[0]))
        container = nodes.section()
        container.document = self.state.document
        nested_parse_with_titles(
            self.state, StringList(lines, source=__file__), container
        )
        return container.children


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("lab-breaks", LabBreaks)
    return {"version": "1", "parallel_read_safe": True}
