"""Addresses within the site stay: tickets and other sites link to them."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

from tests.docs.anchors import named, promised


class Text(HTMLParser):
    """The links that stand in a page's own text, menus and tables of contents aside."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.inside = self.in_contents = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        self.inside |= given.get("itemprop") == "articleBody"
        self.inside &= tag != "footer"
        if tag == "a" and self.inside and not self.in_contents:
            self.links.append(given.get("href") or "")
        self.in_contents = tag == "li" and "toctree-" in (given.get("class") or "")


@pytest.fixture(scope="module")
def texts(site):
    return {
        page.relative_to(site).as_posix(): Text(page.read_text("utf-8"))
        for page in site.rglob("*.html")
        if page.name not in {"genindex.html", "404.html"}
    }


def test_headings_that_other_pages_link_to_have_labels_of_their_own(texts, site):
    """A label made from a heading's words would change with them."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    lasting = {entry.uri for kind in inventory.data.values() for entry in kind.values()}
    seen, passing = 0, []
    for page, text in texts.items():
        for link in text.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not parts.path or not parts.fragment:
                continue
            target = (site / page).parent / unquote(parts.path)
            there = target.resolve().relative_to(site.resolve()).as_posix()
            seen += 1
            if f"{there}#{unquote(parts.fragment)}" not in lasting:
                passing.append((page, link))
    assert seen > 10
    assert passing == []


def test_no_address_that_was_promised_has_vanished(texts):
    vanished = []
    for address in promised():
        page, _, label = address.partition("#")
        if page not in texts or label not in texts[page].ids | {""}:
            vanished.append(address)
    assert vanished == [], "a page that moves leaves one behind that leads on"


def test_every_page_and_label_is_promised(site):
    missing = sorted(named(site) - set(promised()))
    assert missing == [], "run: python -m tests.docs.anchors docs/_build/html"
