"""How much a browser loads for a page."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes of a page without its fonts.
LARGEST_PAGE = 300_000
_FONTS = {".eot", ".otf", ".ttf", ".woff", ".woff2"}
#: What servers of pages compress, GitHub Pages and Read the Docs among them.
_TEXT = {".css", ".html", ".js", ".json", ".svg", ".txt"}


@dataclass(frozen=True, slots=True)
class PageSize:
    """Sizes of a page, in bytes and without fonts.

    Attributes:
        document: The HTML file, uncompressed.
        unpacked: All that a first visit loads, uncompressed.
        sent: The same as it crosses the network: text is packed by gzip.
    """

    document: int
    unpacked: int
    sent: int


class _Resources(HTMLParser):
    """What a page loads without being asked."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in {"img", "script", "source", "video", "audio", "embed", "iframe"}:
            self.links.append(given.get("src") or "")
        if tag == "object":
            self.links.append(given.get("data") or "")
        kinds = {*(given.get("rel") or "").split()}
        if tag == "link" and kinds & {"stylesheet", "icon", "preload", "modulepreload"}:
            self.links.append(given.get("href") or "")


def loaded_by(page: Path) -> set[Path]:
    """Give every file that a page makes a browser load, itself included.

    Args:
        page: A page; a style sheet brings what it names as well.

    Returns:
        Their paths, without fonts.
    """
    found: set[Path] = set()
    waiting = [page.resolve()]
    while waiting:
        path = waiting.pop()
        font = path.suffix in _FONTS or "fonts" in path.parent.parts
        if path in found or font or not path.is_file():
            continue
        found.add(path)
        waiting += _named_by(path)
    return found


@cache
def _named_by(path: Path) -> list[Path]:
    links: list[str] = []
    if path.suffix == ".html":
        links = _Resources(path.read_text("utf-8")).links
    elif path.suffix == ".css":
        links = re.findall(r"""url\(\s*['"]?([^'")]+)""", path.read_text("utf-8"))
    parts = [urlsplit(link) for link in links]
    return [
        (path.parent / unquote(part.path)).resolve()
        for part in parts
        if part.path and not part.scheme
    ]


@cache
def _sent(path: Path) -> int:
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in _TEXT else len(content)


def page_sizes(site: Path) -> dict[str, PageSize]:
    """Measure every page as a first visit loads it.

    Args:
        site: Folder of the built site.

    Returns:
        Sizes by the page's path.
    """
    return {
        page.relative_to(site).as_posix(): PageSize(
            document=page.stat().st_size,
            unpacked=sum(path.stat().st_size for path in loaded_by(page)),
            sent=sum(_sent(path) for path in loaded_by(page)),
        )
        for page in sorted(site.rglob("*.html"))
        if not page.relative_to(site).parts[0].startswith("_")
    }
