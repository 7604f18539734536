"""Every page of the site in a real browser: whole, accessible, and asking nobody."""

from __future__ import annotations

import json
from importlib.resources import files
from urllib.parse import urlsplit

import pytest

from tests.chromium import show_as

WIDTHS = (390, 820, 1280)
#: The scale of axe-core ends with these two.
GRAVE = {"serious", "critical"}
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, arguments[0]).then(({violations, passes}) => done({
  passes: passes.map(rule => rule.id),
  violations: violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html]),
}));
"""


@pytest.fixture(scope="module")
def pages(site):
    found = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    return [page for page in found if not page.startswith("_")]


def prefer(browser, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def requested(browser) -> list[str]:
    messages = [json.loads(e["message"]) for e in browser.get_log("performance")]
    return [
        m["message"]["params"]["request"]["url"]
        for m in messages
        if m["message"]["method"] == "Network.requestWillBeSent"
    ]


def test_pages_fit_every_screen_without_errors_and_ask_no_other_host(
    browser, site_url, pages
):
    here = urlsplit(site_url).netloc
    prefer(browser, "light")
    requested(browser)
    browser.get_log("browser")
    problems, asked = [], set()
    for page in pages:
        show_as(browser, WIDTHS[0])
        browser.get(site_url + page)
        for width in WIDTHS:
            show_as(browser, width)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            if wide != width:
                problems.append((page, f"{wide} wide on a screen of {width}"))
        urls = [url for url in requested(browser) if not url.startswith("data:")]
        asked |= {urlsplit(url).path for url in urls}
        foreign = [url for url in urls if urlsplit(url).netloc != here]
        errors = [entry["message"] for entry in browser.get_log("browser")]
        problems += [(page, what) for what in foreign + errors]
    assert len(asked) > len(pages)
    assert problems == []


@pytest.mark.timeout(600)
def test_pages_are_accessible_in_light_and_in_dark(browser, site_url, pages):
    axe = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    # Of all rules only those about colors can differ in the dark.
    rules = {
        "light": {"resultTypes": ["violations"]},
        "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
    }
    show_as(browser, WIDTHS[-1])
    problems, passed = [], set()
    for page in pages:
        for scheme, options in rules.items():
            prefer(browser, scheme)
            if scheme == "light":
                browser.get(site_url + page)
                browser.execute_script(axe)
            found = browser.execute_async_script(RUN_AXE, options)
            passed |= {(scheme, rule) for rule in found["passes"]}
            problems += [
                (page, scheme, rule, html)
                for rule, impact, html in found["violations"]
                if impact in GRAVE
            ]
    prefer(browser, "light")
    assert {("light", "color-contrast"), ("dark", "color-contrast")} <= passed
    assert ("light", "scrollable-region-focusable") in passed
    assert problems == []
