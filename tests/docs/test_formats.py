"""The site as one page and as a book, from the pages that were read for HTML."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from tests.docs.checkout import ROOT
from tests.docs.serve import BASE_URL

PAGE = "runbooks/kvstore-lease-expired"
CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
PACKAGE = "{http://www.idpf.org/2007/opf}"
XHTML = "{http://www.w3.org/1999/xhtml}"


def build(builder, site, output):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
            *("-b", builder, "-d", str(site / ".doctrees"), "-c", str(ROOT)),
            *(str(ROOT / "docs"), str(output)),
        ],
        # With the same configuration no page is read anew.
        env=os.environ | {"DOCS_BASE_URL": BASE_URL},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def book(site, tmp_path_factory):
    output = build("epub", site, tmp_path_factory.mktemp("epub"))
    with zipfile.ZipFile(output / "cilium-ipsec-runbooks.epub") as archive:
        yield archive


@pytest.fixture(scope="module")
def package(book):
    """The book's own list of what is in it."""
    container = ElementTree.fromstring(book.read("META-INF/container.xml"))
    place = container.find(f".//{CONTAINER}rootfile").get("full-path")
    return ElementTree.fromstring(book.read(place))


@pytest.fixture(scope="module")
def pages(book, package):
    """Every page of the book, by its name; a reader refuses one that is no XML."""
    found = {}
    for item in package.iter(f"{PACKAGE}item"):
        if item.get("media-type") == "application/xhtml+xml":
            name = item.get("href")
            try:
                found[name] = ElementTree.fromstring(book.read(name))
            except ElementTree.ParseError as error:
                pytest.fail(f"{name}: {error}")
    return found


def test_book_says_first_what_it_is(book):
    first = book.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert book.read("mimetype") == b"application/epub+zip"


def test_everything_that_the_book_lists_is_in_it(book, package, pages):
    listed = {item.get("href") for item in package.iter(f"{PACKAGE}item")}
    assert listed <= {*book.namelist()}
    assert f"{PAGE}.xhtml" in pages


def test_links_within_the_book_lead_somewhere(book, pages):
    anchors = {
        name: {"", *(element.get("id") for element in page.iter())}
        for name, page in pages.items()
    }
    broken = []
    for name, page in pages.items():
        for link in page.iter(f"{XHTML}a"):
            parts = urlsplit(link.get("href", ""))
            if parts.scheme:
                continue
            target = resolve(name, unquote(parts.path))
            if target in pages and unquote(parts.fragment) not in anchors[target]:
                broken.append((name, link.get("href")))
            if target not in pages and target not in book.namelist():
                broken.append((name, link.get("href")))
    assert broken == []


def resolve(page: str, link: str) -> str:
    if not link:
        return page
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / link).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def test_pictures_of_the_book_are_in_it(book, pages):
    pictures = [
        resolve(name, picture.get("src"))
        for name, page in pages.items()
        for picture in page.iter(f"{XHTML}img")
    ]
    assert pictures
    assert {*pictures} <= {*book.namelist()}


def test_one_page_holds_every_page(site, tmp_path):
    one = (build("singlehtml", site, tmp_path) / "index.html").read_text("utf-8")
    for name in (PAGE, "lab/index", "reference/findings"):
        title = (site / f"{name}.html").read_text("utf-8").split("<h1>")[1]
        assert title.split("<")[0] in one
    assert (tmp_path / "_static" / "versions.js").is_file()
