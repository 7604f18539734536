"""Every page of the site in a real browser: whole, accessible, and asking nobody."""

from __future__ import annotations

import json
import re
import runpy
from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from pygments.styles import get_style_by_name
from pygments.token import Error, Whitespace
from selenium.webdriver.support.wait import WebDriverWait

from tests.chromium import show_as
from tests.docs.checkout import ROOT

WIDTHS = (390, 820, 1280)
#: The scale of axe-core ends with these two.
GRAVE = {"serious", "critical"}
#: Words of code are many, and their colors have a test of their own.
CODE = ".highlight pre > *"
#: The same on every page: checked on the first one. So are signatures, on the page
#: of commands: the one of the Python API has thousands of them.
MENU, SIGNATURES = ".wy-nav-side", "dt.sig > *"


def checked(page: str) -> dict[str, list[list[str]]]:
    """The parts of a page that axe looks at."""
    left_out = [CODE]
    if page != "index.html":
        left_out.append(MENU)
    if page == "reference/api.html":
        left_out.append(SIGNATURES)
    return {"include": [["html"]], "exclude": [[part] for part in left_out]}


RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(arguments[0], arguments[1]).then(({violations, passes}) => done({
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


def shown_as(scheme: str):
    theme = "return document.documentElement.dataset.theme"
    return lambda browser: browser.execute_script(theme) == scheme


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
            WebDriverWait(browser, 10).until(shown_as(scheme))
            found = browser.execute_async_script(RUN_AXE, checked(page), options)
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


def brightness(color: str) -> float:
    """Relative luminance of a color such as ``#1c222b``, as WCAG defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, brighter = sorted((brightness(one), brightness(other)))
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_wcag_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    ("style", "nth"), [("pygments_style", 0), ("dark_code_style", 1)]
)
def test_words_of_code_stand_out_from_their_ground(style, nth):
    settings = runpy.run_path(str(ROOT / "conf.py"))
    sheet = (ROOT / "docs" / "_static" / "colors.css").read_text("utf-8")
    ground = re.findall(r"--panel: (#[0-9a-f]{6});", sheet)[nth]
    ink = {
        str(token): f"#{look['color']}"
        for token, look in get_style_by_name(settings[style])
        if look["color"] and token not in Error and token is not Whitespace
    }
    ink.pop("Token.Generic.Output")  # colors.css gives it another color.
    faint = {
        name: color for name, color in ink.items() if contrast(color, ground) < 4.5
    }
    assert len(ink) > 20
    assert faint == {}
