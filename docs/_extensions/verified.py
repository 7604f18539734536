"""When each page's commands were last run: in its foot, and all on one page.

Whoever runs pages (the tests, ``ipsec-runbooks docs run``) records it next to the
build: see :mod:`runbooks.pages.verified`. A record holds for the very text that was
run: a page that was never run, or that changed since, says so.

.. verified-pages::

stands on the page that ``verified_page`` names.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from runbooks.pages.source import Page
from runbooks.pages.source import pages as all_pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata


@dataclass(frozen=True, slots=True)
class Verified:
    """What is known of a page's last run.

    Attributes:
        name: Name of the page.
        blocks: Blocks that were run; 0 when it never was.
        commands: Commands in them.
        duration_s: How long they took.
        date: Day of the run; ``None`` when it never was.
        version: What it was run with.
        changed: Whether the page has changed since.
        exempt: Line and reason of each block that isn't run, as the page is now.
    """

    name: str
    blocks: int = 0
    commands: int = 0
    duration_s: float = 0.0
    date: datetime.date | None = None
    version: str = ""
    changed: bool = False
    exempt: tuple[tuple[int, str], ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether the page as it is now was run and was as it says."""
        return self.date is not None and not self.changed

    @property
    def when(self) -> str:
        """Day of the run as people write it, or what it is missing for."""
        if self.date is None:
            return "never"
        return f"{self.date.day} {self.date:%B %Y}"

    @property
    def figures(self) -> str:
        """How much was run, and for how long."""
        commands = counted(self.commands, "command")
        blocks = counted(self.blocks, "block")
        return f"{commands} in {blocks}, {self.duration_s:.0f} s"

    @property
    def sentence(self) -> str:
        """What the page's foot says."""
        if self.date is None:
            return "Not verified yet: no run of this page's commands is on record."
        if self.changed:
            return (
                "Not verified yet: the page has changed since its commands ran, "
                f"on {self.when}."
            )
        return f"Verified on {self.when} with {self.version}: {self.figures}."


def counted(number: int, what: str) -> str:
    """A number and what it counts: ``1 block``, ``2 blocks``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def verified_pages(pages: Iterable[Page], path: Path) -> Iterator[Verified]:
    """Say of each page that has commands what is known of their last run.

    Args:
        pages: The pages.
        path: The record, as :func:`runbooks.pages.verified.record` writes it; none is
            read when there is none.

    Yields:
        One by one, in the order of the pages.
    """
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for page in pages:
        if not any(page.parse(lambda _: None).examples()):
            continue
        exempt = exempt_blocks(page)
        entry = content.get("pages", {}).get(page.name)
        if entry is None:
            yield Verified(page.name, exempt=exempt)
            continue
        now = hashlib.sha256(page.path.read_bytes()).hexdigest()
        yield Verified(
            name=page.name,
            blocks=entry["blocks"] - len(entry["blocks_not_run"]),
            commands=entry["commands"],
            duration_s=entry["duration_s"],
            date=datetime.date.fromisoformat(entry["date"]),
            version=entry.get("version", content["version"]),
            changed=now != entry.get("source_sha256"),
            exempt=exempt,
        )


class Summary(nodes.General, nodes.Element):
    """Stands for the tables until all pages are read."""


class VerifiedPages(SphinxDirective):
    """The directive; takes nothing."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Leave the place; the tables follow when the page is written."""
        return [Summary()]


def exempt_blocks(page: Page) -> tuple[tuple[int, str], ...]:
    """Line and reason of each block of a page that isn't run."""
    examples = page.parse(lambda _: None).examples()
    return tuple((e.line, e.parsed.skipped) for e in examples if e.parsed.skipped)


def included_files(env: BuildEnvironment) -> Iterator[tuple[str, Page]]:
    """Find files such as the README that pages show as a part of theirs.

    Yields:
        Name of the page, and the file.
    """
    for name in sorted(env.found_docs):
        for dependency in sorted(env.dependencies.get(name, ())):
            path = Path(env.srcdir, dependency).resolve()
            outside = not path.is_relative_to(Path(env.srcdir).resolve())
            if outside and path.suffix == ".md":
                yield name, Page(path.name, path)


def table_row(cells: list[nodes.Node]) -> nodes.row:
    """Lay out a row, a cell for each inline node."""
    paragraphs = [nodes.paragraph("", "", cell) for cell in cells]
    return nodes.row("", *(nodes.entry("", paragraph) for paragraph in paragraphs))


def table(heads: list[str], rows: list[list[nodes.Node]]) -> nodes.table:
    """Lay out a table.

    Args:
        heads: Of its columns.
        rows: Inline nodes, one for each cell.
    """
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    head, body = nodes.thead(), nodes.tbody()
    titles: list[nodes.Node] = [nodes.Text(text) for text in heads]
    head += table_row(titles)
    body += [table_row(cells) for cells in rows]
    group += [head, body]
    return nodes.table("", group, classes=["docutils"])


def summary(app: Sphinx, docname: str, known: Iterable[Verified]) -> list[nodes.Node]:
    """The tables: every page with its last run, every exempt block with its reason.

    Args:
        app: Sphinx, to link to the pages.
        docname: The page that shows the tables.
        known: Of each page.
    """

    def link(name: str) -> nodes.Node:
        title = app.env.titles[name].astext() if name in app.env.titles else name
        if name not in app.env.titles:
            return nodes.Text(title)
        uri = app.builder.get_relative_uri(docname, name)
        return nodes.reference("", title, refuri=uri, internal=True)

    runs, exempt = [], []
    for one in known:
        last = one.when + (", changed since" if one.changed else "")
        cells = map(nodes.Text, (last, one.figures if one.date else ""))
        version = nodes.literal("", one.version) if one.version else nodes.Text("")
        runs.append([link(one.name), *cells, version])
        for line, reason in one.exempt:
            cell = nodes.Text(f"line {line}")
            exempt.append([link(one.name), cell, nodes.Text(reason)])
    for name, file in included_files(app.env):
        for line, reason in exempt_blocks(file):
            cell = nodes.Text(f"{file.name}, line {line}")
            exempt.append([link(name), cell, nodes.Text(reason)])
    heads = ["Page", "Last run", "What was run", "With version"]
    made: list[nodes.Node] = [table(heads, runs)]
    if exempt:
        made.append(
            nodes.paragraph(text="These blocks are shown, and not run by the tests:")
        )
        made.append(table(["Page", "Block", "Why it is not run"], exempt))
    else:
        made.append(nodes.paragraph(text="No block is exempt."))
    return made


class Feet:
    """What is known of every page in one build, and where it is shown."""

    def __init__(self) -> None:
        self.known: dict[str, Verified] = {}

    def read(self, app: Sphinx) -> None:
        """Read the record before anything is built."""
        pages = (page for page in all_pages(Path(app.srcdir)) if page.has_sessions)
        found = verified_pages(pages, Path(app.config.verified_record))
        self.known = {one.name: one for one in found}

    def outdated(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Name the pages to write anew, since what is known of them is new."""
        shown: dict[str, str] = getattr(env, "verified_shown", {})
        now = {name: repr(one) for name, one in self.known.items()}
        setattr(env, "verified_shown", now)  # noqa: B010  Sphinx keeps it.
        names = {*shown, *now}
        changed = [name for name in names if shown.get(name) != now.get(name)]
        if changed:
            changed.append(app.config.verified_page)
        return [name for name in changed if name in env.found_docs]

    def fill(self, app: Sphinx, doctree: nodes.document, docname: str) -> None:
        """Put the tables into their place."""
        for place in list(doctree.findall(Summary)):
            place.replace_self(summary(app, docname, self.known.values()))

    def add_to_foot(
        self, app: Sphinx, page: str, _template: str, context: dict[str, Any], _: object
    ) -> None:
        """Hand the page's template what its foot says."""
        one = self.known.get(page)
        if one is not None:
            context["verified"] = {
                "fresh": one.fresh,
                "sentence": one.sentence,
                "summary": app.config.verified_page,
            }


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    feet = Feet()
    app.add_config_value("verified_record", "verified.json", "", str)
    app.add_config_value("verified_page", "verified", "html", str)
    app.add_node(Summary)
    app.add_directive("verified-pages", VerifiedPages)
    app.connect("builder-inited", feet.read)
    app.connect("env-updated", feet.outdated)
    app.connect("doctree-resolved", feet.fill)
    app.connect("html-page-context", feet.add_to_foot)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
