"""The built site is found, and a page by whatever a reader calls it."""

import pytest

from runbooks.pages.site import NoSiteError, find, page_names, site_folder
from runbooks.pages.source import UnknownPageError

PAGES = (
    "index",
    "404",
    "search",
    "lab/index",
    "lab/breaks",
    "reference/check",
    "runbooks/check",
    "runbooks/kvstore-lease-expired",
    "_static/frame",
)


@pytest.fixture
def site(tmp_path):
    for name in PAGES:
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("", "index"),
        ("kvstore-lease-expired", "runbooks/kvstore-lease-expired"),
        ("docs/runbooks/kvstore-lease-expired", "runbooks/kvstore-lease-expired"),
        ("docs/runbooks/kvstore-lease-expired.rst", "runbooks/kvstore-lease-expired"),
        ("runbooks/check.html", "runbooks/check"),
        ("lab", "lab/index"),
        ("lab/", "lab/index"),
        ("index", "index"),
    ],
)
def test_page_is_found_by_its_path_or_the_end_of_it(site, wanted, page):
    assert find(wanted, site).path == site / f"{page}.html"


def test_section_becomes_part_of_the_address(site):
    place = find("breaks#lab-breaks-stale", site)
    assert place.uri == f"{(site / 'lab/breaks.html').as_uri()}#lab-breaks-stale"


def test_name_of_two_pages_is_refused_with_both(site):
    with pytest.raises(UnknownPageError) as refusal:
        find("check", site)
    message = str(refusal.value)
    assert message.startswith("more than one page is called 'check'")
    assert message.splitlines()[1:] == ["  reference/check", "  runbooks/check"]


def test_misspelled_name_is_answered_with_the_likely_page(site):
    with pytest.raises(UnknownPageError) as refusal:
        find("kvstore-leases-expired", site)
    assert str(refusal.value).splitlines()[1:] == ["  runbooks/kvstore-lease-expired"]


def test_unknown_name_is_answered_with_every_page(site):
    with pytest.raises(UnknownPageError) as refusal:
        find("zzz", site)
    assert len(str(refusal.value).splitlines()) == 1 + len(page_names(site))


@pytest.mark.parametrize("wanted", ["../secret", "_static/frame", "404"])
def test_what_is_no_page_of_the_site_is_not_found(site, wanted):
    site.with_name("secret.html").touch()
    with pytest.raises(UnknownPageError):
        find(wanted, site)


def test_installed_site_is_preferred(tmp_path):
    package = tmp_path / "runbooks"
    for place in (package / "_site", tmp_path / "docs" / "_build" / "html"):
        place.mkdir(parents=True)
        (place / "index.html").touch()
    assert site_folder(package) == package / "_site"


def test_checkout_without_a_site_says_how_to_build_it(tmp_path):
    (tmp_path / "conf.py").touch()
    with pytest.raises(NoSiteError, match="run `make docs`"):
        site_folder(tmp_path / "runbooks")


def test_installation_without_a_site_says_what_to_install(tmp_path):
    with pytest.raises(NoSiteError, match=r"_site is missing\. Install a wheel"):
        site_folder(tmp_path / "runbooks")
