"""Drawn pictures in a real browser: whole on a phone, dark on a dark page."""

from __future__ import annotations

import base64
import zlib

import pytest
from selenium.webdriver.common.by import By

from tests.chromium import show_as

PHONE_WIDTH = 390


@pytest.fixture(scope="module")
def phone(browser, site):
    show_as(browser, PHONE_WIDTH)
    browser.get((site / "runbooks/kvstore-lease-expired.html").as_uri())
    return browser


def brightness_at(browser, x: float, y: float) -> int:
    """Sum of red, green and blue of one pixel of the page."""
    clip = {"x": x, "y": y, "width": 1, "height": 1, "scale": 1}
    asked = {"clip": clip, "captureBeyondViewport": True}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", asked)
    png = base64.b64decode(shot["data"])
    at, packed = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    # A line of one pixel: a byte for the filter, which has nothing to filter by.
    return sum(zlib.decompress(packed)[1:4])


def test_phone_shows_pictures_whole(phone):
    pictures = phone.find_elements(By.CSS_SELECTOR, "figure img.drawn")
    assert pictures
    for picture in pictures:
        assert picture.rect["x"] >= 0
        assert picture.rect["x"] + picture.rect["width"] <= PHONE_WIDTH
        assert picture.rect["width"] > 0.8 * PHONE_WIDTH


def test_picture_is_dark_where_the_page_is(phone):
    picture = phone.find_element(By.CSS_SELECTOR, "figure img.drawn").rect
    x, y = picture["x"] + 8, picture["y"] + 8
    brightness = {}
    for scheme in ("light", "dark"):
        phone.execute_script(
            "document.documentElement.style.colorScheme = arguments[0]", scheme
        )
        brightness[scheme] = brightness_at(phone, x, y)
    assert brightness == {"light": 3 * 0xFF, "dark": 0x1C + 0x23 + 0x2C}
