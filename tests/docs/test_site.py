"""The built site: no broken link, nothing from elsewhere, pictures with words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.checkout import ROOT
from tests.docs.serve import BASE_URL, PREFIX


class Html(HTMLParser):
    """What a page links to, shows, and can be linked to by."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("id"):
            self.anchors.add(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in {"script", "img"} and given.get("src"):
            self.resources.append(given["src"])
        if tag == "link" and given.get("rel") == "stylesheet":
            self.resources.append(given["href"])
        if tag == "img":
            self.pictures.append(given)


@pytest.fixture(scope="session")
def html(site):
    """Every page of the site, by path."""
    return {page: Html(page.read_text("utf-8")) for page in site.rglob("*.html")}


def test_links_within_the_site_lead_somewhere(html, site):
    broken = []
    for page, content in html.items():
        for link in content.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = unquote(parts.path)
            # Only the page that is shown at any depth names its links from the root.
            below = page.parent
            if page.name == "404.html":
                assert path.startswith(PREFIX)
                below, path = site, path.removeprefix(PREFIX)
            target = (below / path).resolve()
            target = target if parts.path else page
            if target not in html:
                if not target.is_file():
                    broken.append((page.name, link))
            elif unquote(parts.fragment) not in html[target].anchors:
                broken.append((page.name, link))
    assert broken == []


def test_pages_load_nothing_from_elsewhere(html):
    foreign = [
        resource
        for content in html.values()
        for resource in content.resources
        if urlsplit(resource).netloc
    ]
    assert foreign == []


def test_pictures_exist_and_say_in_words_what_they_show(html):
    pictures = [
        (page, picture)
        for page, content in html.items()
        for picture in content.pictures
    ]
    assert pictures
    for page, picture in pictures:
        assert (page.parent / picture["src"]).is_file()
        assert len(picture.get("alt") or "") > 40


def test_text_of_the_first_page_leads_to_every_runbook():
    first = (ROOT / "docs/index.rst").read_text("utf-8")
    labels = {
        page.stem: re.findall(r"(?m)^\.\. _(runbook-.+):$", page.read_text("utf-8"))
        for page in (ROOT / "docs/runbooks").glob("*.rst")
    }
    assert all(len(found) == 1 for name, found in labels.items() if name != "index")
    assert [
        name for name, found in labels.items() if found and f"`{found[0]}`" not in first
    ] == []


@pytest.mark.parametrize(
    "name", ["kvstore-lease-expired", "kvstore-recreated", "ciliumnode-recreated"]
)
def test_runbook_answers_in_the_order_of_an_incident(site, name):
    page = Path(site, f"runbooks/{name}.html").read_text("utf-8")
    headings = (
        "Who is affected",
        "What you see",
        "Why it happens",
        "Detect",
        "Mitigate",
        "Verify",
        "Prevent",
    )
    places = [page.index(f"<h2>{heading}<") for heading in headings]
    assert places == sorted(places)


def test_site_map_lists_the_pages_where_they_are_published(site):
    root = ET.parse(site / "sitemap.xml").getroot()
    listed = {where.text for where in root.iter() if where.tag.endswith("}loc")}
    made = {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    missing = {BASE_URL + page for page in made} - listed
    assert listed <= {BASE_URL + page for page in made}
    assert missing == {
        BASE_URL + page for page in ("404.html", "genindex.html", "search.html")
    }


def test_whoever_links_to_a_page_shows_its_title_and_a_card(site):
    page = Path(site, "runbooks/kvstore-lease-expired.html").read_text("utf-8")
    card = re.search(f'property="og:image" content="{BASE_URL}([^"]+)"', page)
    assert card is not None
    assert Path(site, card[1]).read_bytes().startswith(b"\x89PNG")
    assert 'property="og:title" content="Key-value store lease expired"' in page
    canonical = f'rel="canonical" href="{BASE_URL}runbooks/kvstore-lease-expired.html"'
    assert canonical in page
