"""Where the built site is, and which of its files a reader means."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import runbooks
from runbooks.pages.source import UnknownPageError

#: Pages that Sphinx makes, of which nobody asks by name.
_MADE = {"404", "genindex", "py-modindex", "search"}


class NoSiteError(FileNotFoundError):
    """The pages were not built, or are not in this installation; says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the built site, or a section of it.

    Attributes:
        path: The file.
        section: Name of the section, without ``#``; empty for the page's top.
    """

    path: Path
    section: str = ""

    @property
    def uri(self) -> str:
        """Its address for a browser on this machine."""
        return self.path.as_uri() + (f"#{self.section}" if self.section else "")


def site_folder(package: Path | None = None) -> Path:
    """Find the built site.

    Args:
        package: Folder of the Python package; the running one by default.

    Returns:
        What ``make docs`` built in a checkout, or what an installed wheel carries.

    Raises:
        NoSiteError: It is in neither place.
    """
    package = (package or Path(runbooks.__file__).parent).resolve()
    installed = package / "_site"
    built = package.parent / "docs" / "_build" / "html"
    for place in (installed, built):
        if (place / "index.html").is_file():
            return place
    if (package.parent / "conf.py").is_file():
        raise NoSiteError(f"{built} has no pages yet; run `make docs` in the checkout")
    raise NoSiteError(
        f"this installation came without its pages: {installed} is missing. Install a"
        " wheel that `make wheel` built"
    )


def page_names(site: Path) -> list[str]:
    """List the pages of a site.

    Args:
        site: Its folder.

    Returns:
        Paths below it without a suffix, sorted: ``runbooks/kvstore-lease-expired``.
    """
    found = (path.relative_to(site).with_suffix("") for path in site.rglob("*.html"))
    return sorted(
        name.as_posix()
        for name in found
        if not name.parts[0].startswith("_") and name.as_posix() not in _MADE
    )


def find(wanted: str, site: Path) -> Place:
    """Find a page by what a reader calls it.

    Args:
        wanted: Its path, or the last part of it, with ``#section`` if need be; a
            suffix and a leading ``docs/``, as reports print it, don't matter. Empty
            for the first page.
        site: Folder of the built site.

    Raises:
        UnknownPageError: No page, or more than one, is called so.
    """
    name, _, section = wanted.partition("#")
    name = name.strip("/").removeprefix("docs/").strip("/") or "index"
    for suffix in (".html", ".rst", ".md"):
        name = name.removesuffix(suffix)
    names = page_names(site)
    found = (
        [n for n in names if n in {name, f"{name}/index"}]
        or [n for n in names if n.endswith(f"/{name}")]
        or [n for n in names if n.endswith(f"/{name}/index")]
    )
    if len(found) == 1:
        return Place(site / f"{found[0]}.html", section)
    what = "more than one page" if found else "no page"
    listed = found or _resembling(name, names) or names
    lines = "\n".join(f"  {n}" for n in listed)
    raise UnknownPageError(f"{what} is called {wanted!r}; there is:\n{lines}")


def _resembling(name: str, names: list[str]) -> list[str]:
    last = {n: n.removesuffix("/index").rpartition("/")[2] for n in names}
    close = difflib.get_close_matches(name.rpartition("/")[2], last.values())
    return [n for n in names if last[n] in close or name in n]
