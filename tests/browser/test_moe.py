"""The page on mixtures of experts in a real Chromium: the slider moved. The rest is in test_pages.py."""

from playwright.sync_api import expect

from tests.browser.driver import canvases, drawn, holds, press, settle
from tests.mechanisms.test_moe import PAGE


def caption(tab, text: str) -> None:
    expect(tab.locator(".cw-caption").filter(has_text="Row = token")).to_contain_text(text, timeout=15_000)
    settle(tab)


def test_moving_the_slider_redraws_routing_and_load(visit):
    tab = drawn(visit("moe"), PAGE)
    first = canvases(tab)
    for key, count in (("ArrowLeft", 8), ("ArrowRight", 16)):
        press(tab, "experts", key)
        caption(tab, f"{count} experts")
        expect(tab.locator(".st-key-figure-load .barlayer .point")).to_have_count(2 * count)
        holds(tab, lambda same=count == 16: (canvases(tab) == first) == same)
