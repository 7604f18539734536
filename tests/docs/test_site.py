"""The built site: no broken link, nothing from elsewhere, pictures with words."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.checkout import ROOT


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


def test_links_within_the_site_lead_somewhere(html):
    broken = []
    for page, content in html.items():
        for link in content.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve()
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
    runbooks = {page.stem for page in (ROOT / "docs/runbooks").glob("*.rst")}
    assert runbooks - {"index"} == {
        name for name in runbooks if f":ref:`runbook-{name}`" in first
    }


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
