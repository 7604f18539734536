"""The built site in a real browser, as a reader uses it."""

from __future__ import annotations

import base64

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.chromium import show_as

RUNBOOK = "runbooks/kvstore-lease-expired.html"
OTHER = "reference/findings.html"
DESKTOP, PHONE = (1280, 900), (390, 844)
#: The colors that a page has, and what is painted before its scripts are done.
GROUND = "return getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(20, 24, 30)"


@pytest.fixture(autouse=True)
def nothing_remembered(browser, site_url):
    show_as(browser, *DESKTOP)
    prefer(browser, "light")
    browser.get(site_url + "404.html")
    browser.execute_script("localStorage.clear(); sessionStorage.clear()")


def prefer(browser, scheme: str, **features: str) -> None:
    wanted = {"prefers-color-scheme": scheme, **features}
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": n, "value": v} for n, v in wanted.items()]},
    )


@pytest.fixture
def runbook(browser, site_url):
    browser.get(site_url + RUNBOOK)
    return browser


def selected_tabs(browser) -> set[str]:
    tabs = browser.find_elements(By.CSS_SELECTOR, '[role=tab][aria-selected="true"]')
    return {tab.text for tab in tabs}


def choose(browser, name: str) -> None:
    tabs = browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
    tab = next(tab for tab in tabs if tab.text == name)
    browser.execute_script("arguments[0].scrollIntoView()", tab)
    tab.click()


# Tabs


def test_choosing_a_way_once_chooses_it_on_the_whole_page(runbook):
    assert selected_tabs(runbook) == {"Ansible"}
    choose(runbook, "kubectl")
    assert selected_tabs(runbook) == {"kubectl"}
    shown = [
        panel.is_displayed() and "kubectl -n" in panel.text
        for panel in runbook.find_elements(
            By.CSS_SELECTOR, "[role=tabpanel]:not([hidden])"
        )
    ]
    assert len(shown) > 1
    assert all(shown)


def test_way_chosen_on_one_page_is_the_one_that_another_shows(
    browser, site, site_url, runbook
):
    ways = "[...document.querySelectorAll('[role=tablist]')].map(list => ({"
    ways += "names: [...list.children].map(tab => tab.textContent),"
    ways += "chosen: list.querySelector('[aria-selected=true]').textContent}))"
    choose(runbook, "kubectl")
    pages = [p.relative_to(site).as_posix() for p in site.rglob("*.html")]
    tabbed = [p for p in pages if "sphinx-tabs-tab" in (site / p).read_text("utf-8")]
    for page in sorted(tabbed, reverse=True):
        browser.get(site_url + page)
        lists = browser.execute_script(f"return {ways}")
        assert lists
        for way in lists:
            assert way["chosen"] == "kubectl" or "kubectl" not in way["names"], page


# Copying


def copied(browser, text: str) -> str:
    """Press the copy button of the block that has a text."""
    button = browser.execute_script(
        "return [...document.querySelectorAll('.highlight')]"
        ".find(b => b.textContent.includes(arguments[0]) && b.offsetParent)"
        ".querySelector('.copybtn');",
        text,
    )
    browser.execute_script(
        "document.addEventListener('copy', event => {"
        "  window.copied = String(getSelection()) || event.target.value;"
        "});"
        "arguments[0].scrollIntoView({block: 'center'});",
        button,
    )
    ActionChains(browser).move_to_element(button).click(button).perform()
    return browser.execute_script("return window.copied;")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_copy_button_copies_whole_commands_and_nothing_else(runbook, scheme):
    prefer(runbook, scheme)
    assert copied(runbook, "agent_of()").splitlines() == [
        "agent_of() {",
        "  kubectl -n kube-system get pods -l k8s-app=cilium -o name \\",
        "    --field-selector spec.nodeName=$1",
        "}",
        "kubectl -n kube-system exec $(agent_of node2) -c cilium-agent -- \\",
        "  grep ProtoError /proc/net/xfrm_stat",
    ]


def test_copy_button_works_in_a_tab_that_was_hidden(runbook):
    choose(runbook, "Python")
    assert copied(runbook, "runbooks.checks.kvstore_lease_expired\n").strip() == (
        "python -m runbooks.checks.kvstore_lease_expired"
    )


# Colors


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_page_has_the_colors_that_the_system_prefers(browser, site_url, scheme, ground):
    prefer(browser, scheme)
    browser.get(site_url + RUNBOOK)
    assert browser.execute_script(GROUND) == ground


def test_chosen_colors_are_there_on_other_pages_before_anything_is_painted(
    browser, site_url
):
    browser.get(site_url + RUNBOOK)
    button = browser.find_element(By.CSS_SELECTOR, ".theme-choice")
    assert button.accessible_name == "Switch to dark colors"
    button.click()
    assert browser.execute_script(GROUND) == DARK
    assert button.accessible_name == "Switch to light colors"

    watch = "Page.addScriptToEvaluateOnNewDocument"
    script = (
        "addEventListener('DOMContentLoaded', () => {"
        "  window.ground = getComputedStyle(document.body).backgroundColor;"
        "}, {once: true, capture: true});"
    )
    watching = browser.execute_cdp_cmd(watch, {"source": script})["identifier"]
    browser.get(site_url + OTHER)
    browser.execute_cdp_cmd(
        "Page.removeScriptToEvaluateOnNewDocument", {"identifier": watching}
    )
    assert browser.execute_script("return window.ground") == DARK


def test_choosing_back_follows_the_system_again(browser, site_url):
    browser.get(site_url + "index.html")
    button = browser.find_element(By.CSS_SELECTOR, ".theme-choice")
    button.click()
    button.click()
    assert browser.execute_script(GROUND) == LIGHT
    prefer(browser, "dark")
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(GROUND) == DARK)


def test_pictures_load(runbook):
    pictures = runbook.find_elements(By.CSS_SELECTOR, "figure img")
    assert pictures
    for picture in pictures:
        assert int(picture.get_property("naturalWidth")) > 0


# Search


def first_result(browser, site_url, words: str) -> str:
    browser.get(site_url + "index.html")
    browser.find_element(By.NAME, "q").send_keys(words, "\n")
    finished = "Search finished"
    WebDriverWait(browser, 10).until(
        lambda b: finished in b.find_element(By.ID, "search-results").text
    )
    result = browser.find_element(By.CSS_SELECTOR, "#search-results ul.search li a")
    return result.get_attribute("href").removeprefix(site_url)


ERRORS = "reference/xfrm-errors.html"


@pytest.mark.parametrize("words", ["XfrmInStateProtoError", "xfrminstateprotoerror"])
def test_search_for_an_errors_name_finds_the_page_about_it_first(
    browser, site_url, words
):
    assert first_result(browser, site_url, words).startswith(ERRORS)


def test_search_for_a_findings_code_finds_its_runbook_first(browser, site_url):
    assert first_result(browser, site_url, "kvstore-lease-expired").startswith(RUNBOOK)


def test_search_works_from_a_folder_without_a_server(browser, site):
    browser.get_log("browser")
    root = site.as_uri() + "/"
    found = first_result(browser, root, "XfrmInStateProtoError")
    assert found.startswith(ERRORS)
    assert browser.get_log("browser") == []


# Paper


def test_paper_shows_every_tab_and_nothing_to_click(runbook):
    runbook.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = [".wy-nav-side", ".wy-nav-top", ".copybtn", ".theme-choice", ".headerlink"]
    try:
        panels = runbook.find_elements(By.CSS_SELECTOR, "[role=tabpanel]")
        shown = [panel.is_displayed() for panel in panels]
        names = [panel.get_attribute("data-name") for panel in panels]
        clickable = [
            name
            for name in hidden
            for found in runbook.find_elements(By.CSS_SELECTOR, name)
            if found.is_displayed()
        ]
        after = runbook.execute_script(
            "return getComputedStyle(document.querySelector("
            "'.rst-content a.reference'), '::after').content"
        )
        paper = runbook.execute_cdp_cmd("Page.printToPDF", {})["data"]
    finally:
        runbook.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(shown) >= 6
    assert all(shown)
    assert set(names) == {"Ansible", "Python", "kubectl"}
    assert clickable == []
    assert after == "none"
    assert base64.b64decode(paper).startswith(b"%PDF")


# The first screen, a phone, an address that leads nowhere


def test_command_stands_on_the_first_screen(runbook):
    command = runbook.find_element(By.CSS_SELECTOR, ".highlight-shell-session pre")
    assert command.text.startswith("$ ipsec-runbooks check")
    assert command.rect["y"] + command.rect["height"] < DESKTOP[1]


def test_menu_of_a_phone_opens_with_a_keyboard(browser, site_url):
    show_as(browser, *PHONE)
    browser.get(site_url + RUNBOOK)
    menu = browser.find_element(By.CSS_SELECTOR, ".menu-button")
    assert menu.accessible_name == "Menu"
    side = browser.find_element(By.CSS_SELECTOR, ".wy-nav-side")
    assert side.rect["x"] + side.rect["width"] <= 0
    menu.send_keys("\n")
    WebDriverWait(browser, 10).until(lambda _: side.rect["x"] == 0)


@pytest.mark.parametrize("address", ["nothing.html", "runbooks/older/nothing/"])
def test_address_that_leads_nowhere_shows_ways_on_at_any_depth(
    browser, site_url, address
):
    browser.get(site_url + address)
    assert browser.find_element(By.TAG_NAME, "h1").text == "Page not found"
    assert browser.execute_script(GROUND) == LIGHT
    browser.find_element(By.CSS_SELECTOR, "[itemprop=articleBody] a").click()
    assert browser.current_url == site_url + "index.html"
