"""The built site in a real browser: tabs, pictures, and a phone's width."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.chromium import show_as, start_chromium

RUNBOOK = "runbooks/kvstore-lease-expired.html"
DESKTOP, PHONE = (1280, 900), (390, 844)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site_url(site):
    handler = partial(QuietHandler, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def runbook(browser, site_url):
    browser.set_window_size(*DESKTOP)
    browser.get(f"{site_url}/{RUNBOOK}")
    return browser


def selected_tabs(browser) -> list[str]:
    tabs = browser.find_elements(By.CSS_SELECTOR, '[role=tab][aria-selected="true"]')
    return [tab.text for tab in tabs]


def choose(browser, name: str) -> None:
    tabs = browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
    tab = next(tab for tab in tabs if tab.text == name)
    browser.execute_script("arguments[0].scrollIntoView()", tab)
    tab.click()


def test_choosing_a_way_once_chooses_it_on_the_whole_page(runbook):
    assert set(selected_tabs(runbook)) == {"Ansible"}
    choose(runbook, "kubectl")
    assert set(selected_tabs(runbook)) == {"kubectl"}
    shown = [
        panel.is_displayed() and "kubectl -n" in panel.text
        for panel in runbook.find_elements(
            By.CSS_SELECTOR, "[role=tabpanel]:not([hidden])"
        )
    ]
    assert len(shown) > 1
    assert all(shown)


def test_chosen_way_is_remembered_on_the_next_visit(runbook):
    choose(runbook, "kubectl")
    runbook.refresh()
    WebDriverWait(runbook, 10).until(lambda b: set(selected_tabs(b)) == {"kubectl"})


def test_pictures_load(runbook):
    pictures = runbook.find_elements(By.CSS_SELECTOR, "figure img")
    assert pictures
    for picture in pictures:
        assert int(picture.get_property("naturalWidth")) > 0


def test_command_stands_on_the_first_screen(runbook):
    command = runbook.find_element(By.CSS_SELECTOR, ".highlight-shell-session pre")
    assert command.text.startswith("$ ipsec-runbooks check")
    assert command.rect["y"] + command.rect["height"] < DESKTOP[1]


def test_copy_button_copies_whole_commands_and_nothing_else(runbook):
    button = runbook.execute_script(
        "return [...document.querySelectorAll('.highlight')]"
        ".find(block => block.textContent.includes('agent_of()'))"
        ".querySelector('.copybtn');"
    )
    runbook.execute_script(
        "document.addEventListener('copy', event => {"
        "  window.copied = String(getSelection()) || event.target.value;"
        "});"
        "arguments[0].scrollIntoView({block: 'center'});",
        button,
    )
    ActionChains(runbook).move_to_element(button).click(button).perform()
    copied = runbook.execute_script("return window.copied;")
    assert copied.splitlines() == [
        "agent_of() {",
        "  kubectl -n kube-system get pods -l k8s-app=cilium -o name \\",
        "    --field-selector spec.nodeName=$1",
        "}",
        "kubectl -n kube-system exec $(agent_of node2) -c cilium-agent -- \\",
        "  grep ProtoError /proc/net/xfrm_stat",
    ]


@pytest.fixture
def phone(browser):
    show_as(browser, *PHONE)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("page", ["index.html", RUNBOOK, "reference/check.html"])
def test_page_fits_a_phone(phone, site_url, page):
    phone.get(f"{site_url}/{page}")
    width = phone.execute_script("return document.documentElement.scrollWidth")
    assert width == PHONE[0]
