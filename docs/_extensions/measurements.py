"""``measurements``: all tables that benchmarks and repetitions wrote, on one page.

    .. measurements::

Each file in ``reference/measurements`` becomes a section with a label,
``measurement-bytes`` for ``bytes.rst``; none is a page of its own. Before them stands
a table with the command that makes each anew, from the test that writes it. A table
that a new benchmark writes is shown without being named anywhere.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

_FOLDER = "reference/measurements"
_PAGE = f"{_FOLDER}/index"
#: Folders of tests that write tables, and their targets of make.
_TARGETS = {"bench": "bench", "soak": "soak"}
_DAY = re.compile(r"(?m)^Measured on (\d{4}-\d\d-\d\d): ")


def tables(source: Path) -> list[Path]:
    """Find the tables.

    Args:
        source: Folder of the site's sources.

    Returns:
        Their files, sorted.
    """
    return sorted(p for p in (source / _FOLDER).glob("*.rst") if p.stem != "index")


def commands(root: Path) -> dict[str, str]:
    """Find out which command writes which table.

    Args:
        root: Folder of the repository.

    Returns:
        Commands by the table's name, which the test gives as the first argument of
        ``write_table``.
    """
    found = {}
    for folder, target in _TARGETS.items():
        for path in sorted((root / "tests" / folder).rglob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Name("write_table"), args=[ast.Constant(str(name)), *_]
                    ):
                        test = path.relative_to(root)
                        found[name] = f"make {target} PYTEST_ARGS={test}"
    return found


def overview(found: Sequence[Path], written_by: dict[str, str]) -> Iterator[str]:
    """Lay out what is measured, when it was, and how to do it again.

    Raises:
        LookupError: No test writes a table, so nobody could reproduce it.
    """
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 36 18 46", "")
    yield from ("   * - Measurement", "     - Date", "     - Command")
    for path in found:
        if path.stem not in written_by:
            raise LookupError(f"no test writes {path}")
        day = _DAY.search(path.read_text(encoding="utf-8"))
        yield f"   * - :ref:`measurement-{path.stem}`"
        yield f"     - {day[1] if day else 'unknown'}"
        yield f"     - ``{written_by[path.stem]}``"
    yield ""


def sections(found: Sequence[Path]) -> Iterator[str]:
    """Yield the tables' lines, each with its label."""
    for path in found:
        yield from (f".. _measurement-{path.stem}:", "")
        # A comment between a label and its heading would take the label away.
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from (line for line in lines if not re.match(r"\.\. \w[^:]* ", line))
        yield ""


class Measurements(SphinxDirective):
    """All tables, where the page wants them."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Parse every table as a section of this page."""
        source = Path(self.env.srcdir)
        found = tables(source)
        for path in found:
            self.env.note_dependency(str(path))
        written_by = commands(source.parent)
        lines = [*overview(found, written_by), *sections(found)]
        container = nodes.section()
        container.document = self.state.document
        content = StringList(lines, source=str(source / _FOLDER))
        nested_parse_with_titles(self.state, content, container)
        return list(container.children)


def keep_tables_from_being_pages(app: Sphinx, config: Config) -> None:
    """Leave the tables out of the pages that Sphinx reads."""
    config.exclude_patterns += [f"{_FOLDER}/{p.name}" for p in tables(Path(app.srcdir))]


def page_is_outdated(
    app: Sphinx,
    env: BuildEnvironment,
    _added: set[str],
    _changed: set[str],
    _removed: set[str],
) -> Sequence[str]:
    """Read the page anew when a table came or went, which no dependency shows."""
    source = Path(app.srcdir)
    shown = {(source / p).resolve() for p in env.dependencies.get(_PAGE, ())}
    there = {p.resolve() for p in tables(source)}
    return [_PAGE] if there - shown else []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx."""
    app.add_directive("measurements", Measurements)
    app.connect("config-inited", keep_tables_from_being_pages)
    app.connect("env-get-outdated", page_is_outdated)
    return {"version": "1", "parallel_read_safe": True}
