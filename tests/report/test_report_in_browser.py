"""The HTML report in a real browser: whole on any screen, and asking nobody."""

import json
from importlib.resources import files

import pytest
from selenium.webdriver.common.by import By

from runbooks.diagnose import diagnose
from runbooks.report.html import to_html
from runbooks.snapshot import AgentFacts
from tests.chromium import show_as, start_chromium
from tests.diagnose.cluster_builder import NOW, make_cluster
from tests.report.test_large_reports import NODES
from tests.report.test_large_reports import diagnosis as large_diagnosis

WIDTHS = (320, 800, 1440)


def stale():
    """A broken node, an unread one, and agents of two versions."""
    cluster = make_cluster(4, tunnel=True).break_node("node2")
    cluster.unread = {"node4"}
    cluster.agents["node3"] = AgentFacts(version="1.17.4")

    def send():
        for peer in ("node1", "node3"):
            cluster.lose(peer, "node2", 40, "integrity_errors")
        for name in cluster.names:
            cluster.read_at[name] = NOW + 2.0

    return diagnose(cluster.twice(send))


REPORTS = {
    "stale": stale,
    "archive": lambda: diagnose(make_cluster(12).break_node("node7").once()),
    "healthy": lambda: diagnose(make_cluster(3).twice()),
    "thousand": lambda: large_diagnosis(
        [(NODES[i], NODES[i + 1]) for i in range(60)], unread={NODES[999]}
    ),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for name, made in REPORTS.items():
        page = folder / f"{name}.html"
        page.write_text(to_html(made()), encoding="utf-8")
        written[name] = page.as_uri()
    return written


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = start_chromium(tmp_path_factory.mktemp("chromium"), log=True)
    yield browser
    browser.quit()


def look(browser, *, dark=False, media=""):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": media, "features": [scheme]}
    )


def requests(browser):
    messages = [json.loads(e["message"]) for e in browser.get_log("performance")]
    return [
        m["message"]["params"]["request"]["url"]
        for m in messages
        if m["message"]["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_report_fits_every_screen_and_asks_nobody(browser, pages, name):
    requests(browser)
    for width in WIDTHS:
        show_as(browser, width)
        browser.get(pages[name])
        shown = browser.execute_script("return document.documentElement.scrollWidth")
        assert shown == width
    assert set(requests(browser)) == {pages[name]}
    assert browser.get_log("browser") == []


def test_matrix_of_a_thousand_nodes_fits_on_paper(browser, pages):
    show_as(browser, 718)  # A4 within Chromium's margins
    look(browser, media="print")
    browser.get(pages["thousand"])
    shown = browser.execute_script("return document.documentElement.scrollWidth")
    look(browser)
    assert shown == 718


@pytest.mark.parametrize(
    ("name", "dark"),
    [("stale", False), ("stale", True), ("archive", True)],
)
def test_report_is_accessible(browser, pages, name, dark):
    show_as(browser, WIDTHS[0])
    look(browser, dark=dark)
    browser.get(pages[name])
    axe = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run().then(({passes, violations}) => done({passes, violations}));"
    )
    violations = found["violations"]
    look(browser)
    passed = {rule["id"] for rule in found["passes"]}
    assert passed >= {"color-contrast", "heading-order", "scrollable-region-focusable"}
    assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []


def test_cell_of_a_broken_pair_leads_to_its_numbers(browser, pages):
    show_as(browser, WIDTHS[1])
    browser.get(pages["stale"])
    cells = browser.find_elements(By.CSS_SELECTOR, ".pairs .cell-stale a")
    assert [cell.text for cell in cells] == ["stale", "stale"]

    cells[1].click()

    shown = browser.find_element(By.CSS_SELECTOR, ":target")
    assert shown.find_element(By.TAG_NAME, "h4").text == "node3 → node2"
    picture = shown.find_element(By.TAG_NAME, "svg")
    assert picture.rect["width"] > 200
    assert "3,000" in picture.accessible_name


def test_picture_shows_what_was_read_and_where_it_would_heal(browser, pages):
    browser.get(pages["stale"])
    figure = browser.find_element(By.TAG_NAME, "figure")
    dots = figure.find_elements(By.CSS_SELECTOR, ".sent-read")

    assert len(dots) == 2
    assert figure.find_elements(By.CSS_SELECTOR, ".heals")
    assert "from 0 to 40" in figure.text
    assert "At 20 packets a second" in figure.text
    assert "heal by itself in 2 minutes: 2,960 more packets" in figure.text
