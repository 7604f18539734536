"""Terminal recordings: what the page shows is what was printed, and it plays."""

from __future__ import annotations

import json
import sys

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.chromium import show_as
from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from cast import html_of, lines_of

RECORD = ROOT / "docs" / "pictures" / "demo.cast"


def recording(*events, version=2):
    head = {"version": version, "width": 80, "height": 24}
    return "\n".join(json.dumps(line) for line in (head, *events))


def test_line_appears_with_its_first_character():
    lines = lines_of(
        recording([0.5, "o", "a"], [0.9, "o", "b\r\nc\r\n"], [1.0, "o", "\r\nd"])
    )
    assert [(line.at_s, line.text.plain) for line in lines] == [
        (0.5, "ab"),
        (0.9, "c"),
        (1.0, ""),
        (1.0, "d"),
    ]


def test_long_waits_are_cut_short():
    lines = lines_of(recording([0.5, "o", "a\n"], [60.5, "o", "b\n"]))
    assert [line.at_s for line in lines] == [0.5, 2.0]


def test_step_stays_until_it_can_have_been_read():
    step = "[  1.0 s] 2. Look\n"
    lines = lines_of(recording([0, "o", "a\n" * 10], [0.1, "o", step]))
    assert lines[-1].is_step
    assert lines[-1].at_s == pytest.approx(2.1)


def test_what_was_typed_is_sent_to_nobody():
    assert (
        lines_of(recording([0.1, "i", "typed"], [0.2, "o", "a"]))[0].text.plain == "a"
    )


@pytest.mark.parametrize("text", ["\x1b[2Kx", "a\rb", "\x1b[1A", "\x1b[?25l"])
def test_recording_that_moves_the_cursor_is_refused(text):
    with pytest.raises(ValueError, match="moves the cursor"):
        lines_of(recording([0.1, "o", text]))


def test_recording_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version 2"):
        lines_of(recording(version=3))


def test_colors_become_classes_and_text_stays_text():
    (line,) = lines_of(recording([0.1, "o", "\x1b[1;31mSTALE\x1b[0m <b> & c"]))
    assert html_of([line]) == (
        '<span data-at="0.1">'
        '<span class="bold color-1">STALE</span> &lt;b&gt; &amp; c\n</span>'
    )


def test_recorded_demo_tells_the_whole_story():
    lines = lines_of(RECORD.read_text("utf-8"))
    text = "\n".join(line.text.plain for line in lines)
    assert "The demo succeeded" in text
    for part in ("0 received", "Verdict: stale", "3 received", "Verdict: healthy"):
        assert part in text
    assert sum(line.is_step for line in lines) == 10
    assert lines[-1].at_s < 120


# In a browser


@pytest.fixture
def cast(browser, site_url):
    show_as(browser, 1280)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(site_url + "lab/index.html")
    return browser.find_element(By.CSS_SELECTOR, ".cast")


def shown(cast) -> list[str]:
    lines = cast.find_elements(By.CSS_SELECTOR, "[data-at]:not([hidden])")
    return [line.get_attribute("textContent") for line in lines]


def press(cast, name: str) -> None:
    cast.find_element(By.CSS_SELECTOR, name).click()


def test_whole_text_is_there_before_anybody_plays(cast):
    lines = shown(cast)
    assert "1. Start three nodes" in lines[0]
    assert "The demo succeeded" in lines[-1]


def test_cast_plays_from_its_begin_pauses_and_goes_on(cast, browser):
    whole = len(shown(cast))
    press(cast, ".cast-play")
    WebDriverWait(browser, 20).until(lambda _: 1 < len(shown(cast)) < whole)
    play = cast.find_element(By.CSS_SELECTOR, ".cast-play")
    assert play.text == "Pause"
    press(cast, ".cast-play")
    assert play.text == "Play"
    place = cast.find_element(By.CSS_SELECTOR, ".cast-place")
    paused_at = float(place.get_property("value"))
    assert 0 < paused_at < float(place.get_property("max"))
    press(cast, ".cast-play")
    WebDriverWait(browser, 20).until(
        lambda _: float(place.get_property("value")) > paused_at
    )
    press(cast, ".cast-play")


def test_cast_can_be_sought_with_a_keyboard(cast):
    place = cast.find_element(By.CSS_SELECTOR, ".cast-place")
    place.send_keys(Keys.HOME)
    assert shown(cast) == []
    assert place.get_attribute("aria-valuetext").startswith("0:00 of ")
    place.send_keys(Keys.END)
    assert "The demo succeeded" in shown(cast)[-1]


def test_steps_are_shown_whole_one_by_one(cast):
    press(cast, ".cast-on")
    first = shown(cast)
    assert "1. Start three nodes" in first[0]
    assert not any("2. Packets flow" in line for line in first)
    press(cast, ".cast-on")
    second = shown(cast)
    assert any("2. Packets flow" in line for line in second)
    assert second[: len(first)] == first
    press(cast, ".cast-back")
    assert shown(cast) == first


@pytest.mark.usefixtures("cast")
def test_nothing_moves_for_whom_motion_is_too_much(browser):
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [still]})
    browser.refresh()
    again = browser.find_element(By.CSS_SELECTOR, ".cast")
    assert not again.find_element(By.CSS_SELECTOR, ".cast-play").is_displayed()
    press(again, ".cast-on")
    assert "1. Start three nodes" in shown(again)[0]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
