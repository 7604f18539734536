"""Where pages are, in a checkout or in an installed package, and how each is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sybil import Document

import runbooks
from runbooks.pages.session import LANGUAGE, ShellSessionParser, lab_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil.typing import Evaluator

_SUFFIXES = ".rst", ".md"


class UnknownPageError(LookupError):
    """There is no such page; names those that there are."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site, as it was written.

    Attributes:
        name: Path below the site's root, without a suffix:
            ``runbooks/kvstore-lease-expired``.
        path: File with its text.
    """

    name: str
    path: Path

    @property
    def text(self) -> str:
        """What was written."""
        return self.path.read_text("utf-8")

    @property
    def lab(self) -> tuple[str, ...] | None:
        """Options of its lab; ``None`` when it starts its own."""
        return lab_of(self.text)

    @property
    def has_sessions(self) -> bool:
        """Whether there is something to run."""
        return LANGUAGE in self.text

    def parse(self, evaluator: Evaluator) -> Document:
        """Parse the page for its shell sessions.

        Args:
            evaluator: Runs a block.

        Returns:
            The page, ready to be evaluated block by block.

        Raises:
            PageError: A block can't be read.
        """
        markdown = ".md" in self.path.suffixes
        parser = ShellSessionParser(evaluator, markdown=markdown)
        return Document.parse(str(self.path), parser)


def sources_folder(package: Path | None = None) -> Path:
    """Find the folder of the pages' sources.

    Args:
        package: Folder of the Python package; the running one by default.

    Returns:
        ``docs`` of a checkout, or what an installed wheel carries with its site.

    Raises:
        FileNotFoundError: If it is in neither place.
    """
    package = package or Path(runbooks.__file__).parent
    places = package.parent / "docs", package / "_site" / "_sources"
    for place in places:
        if any((place / f"index{suffix}").is_file() for suffix in (".rst", ".rst.txt")):
            return place
    raise FileNotFoundError(
        f"the pages are neither in {places[0]} nor in {places[1]}; install the package"
        " cilium-ipsec-runbooks again, or use it from a checkout"
    )


def pages(folder: Path | None = None) -> Iterator[Page]:
    """Find every page of the site.

    The README is not one of them: it starts by running the tests.

    Args:
        folder: Where the sources are; default: :func:`sources_folder`.

    Yields:
        Pages, sorted by name.
    """
    folder = folder or sources_folder()
    found = {}
    for suffix in _SUFFIXES:
        for path in [*folder.rglob(f"*{suffix}"), *folder.rglob(f"*{suffix}.txt")]:
            place = path.relative_to(folder)
            if not place.parts[0].startswith("_"):
                name = place.as_posix().removesuffix(".txt").removesuffix(suffix)
                found[name] = path
    for name, path in sorted(found.items()):
        yield Page(name, path)


def page(name: str, folder: Path | None = None) -> Page:
    """Find one page.

    Args:
        name: Its path below the site's root, or the last part of it; a suffix and a
            leading ``docs/`` don't matter.
        folder: Where the sources are; default: :func:`sources_folder`.

    Raises:
        UnknownPageError: No page, or more than one, is called so.
    """
    wanted = name.removeprefix("docs/")
    for suffix in (*_SUFFIXES, ".html"):
        wanted = wanted.removesuffix(suffix)
    runnable = [p for p in pages(folder) if p.has_sessions]
    found = [p for p in runnable if p.name == wanted] or [
        p for p in runnable if p.name.endswith(f"/{wanted}")
    ]
    if len(found) != 1:
        what = "more than one page" if found else "no page with commands"
        names = "\n".join(f"  {p.name}" for p in found or runnable)
        raise UnknownPageError(f"{what} is called {name!r}; there is:\n{names}")
    return found[0]
