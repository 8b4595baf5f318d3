"""The page on inference in a real Chromium: a slider moved, a preset tapped, a link copied, a phone."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import driver
from tests.browser.driver import copied, holds, parameters, press, settle, sideways

QUESTION = "Why does memory decide the price?"


@pytest.fixture
def visit(chromium, base):
    with driver.visitors(chromium, base) as open_page:

        def opened(path: str = "inference", **how):
            tab = open_page(path, **how)
            expect(tab.locator(".cw-fit")).to_be_visible(timeout=20_000)
            settle(tab)
            return tab

        yield opened


def verdict(tab):
    """The first sentence."""
    return tab.locator(".cw-fit")


def test_users_move_the_decode_dot_and_context_the_verdict(visit):
    tab = visit()
    expect(verdict(tab)).to_contain_text("Fits on 1 × H100 SXM: 57 users at 8,192 tokens each.")
    expect(tab.locator(".st-key-figure-roofline .main-svg").first).to_be_visible(timeout=20_000)
    press(tab, "users", "ArrowRight")
    expect(tab.locator(".st-key-figure-roofline")).to_contain_text("decode, 32 users", timeout=15_000)
    press(tab, "context", "ArrowRight")
    expect(verdict(tab)).to_contain_text("16,384 tokens", timeout=15_000)
    press(tab, "users", "End")
    expect(verdict(tab)).to_contain_text("Does not fit", timeout=15_000)


def test_a_preset_and_a_copied_link_show_the_same_to_another_visitor(visit):
    tab = visit()
    tab.get_by_role("radio", name="DeepSeek-V3 on eight").click()
    expect(verdict(tab)).to_contain_text("8 × H200 SXM", timeout=15_000)
    settle(tab)
    said = verdict(tab).inner_text()
    link = copied(tab)
    query = parameters(link)
    assert query["model"] == "DeepSeek-V3" and query["split"] == "users" and query["v"] == "1"
    other = visit("inference?" + urlsplit(link).query)
    holds(other, lambda: verdict(other).inner_text() == said)


def test_techniques_lead_to_their_pages(visit):
    tab = visit("inference?section=Count")
    expect(tab.locator(".st-key-figure-effects .main-svg").first).to_be_visible(timeout=20_000)
    link = tab.locator(".cw-table a", has_text="a latent instead of keys and values")
    assert urlsplit(link.get_attribute("href")).path == "/mla"


def test_nonsense_in_a_link_shows_the_page(visit):
    tab = visit("inference?users=1e9&model=%3Cscript%3E&devices=x&price=-4")
    expect(verdict(tab)).to_contain_text("57 users at 8,192 tokens each")
    expect(tab.locator(".stException")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
def test_the_first_screen_of_a_phone_holds_question_control_and_picture(visit, dark):
    tab = visit(width=390, height=844, dark=dark)
    expect(tab.locator(".st-key-figure-budget .main-svg").first).to_be_visible(timeout=20_000)
    for place in (".cw-h1", ".st-key-users", ".cw-fit", ".st-key-figure-budget .plot-container"):
        box = tab.locator(place).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844 and box["x"] + box["width"] <= 390, place
    assert sideways(tab) <= 0
