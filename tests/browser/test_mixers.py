"""The page on all mixers in a real Chromium: more pairs, other mixers, a row isolated. The rest is in test_pages.py."""

import re

from playwright.sync_api import expect

from core.lessons import mixers as lesson
from tests.browser.driver import canvases, holds, press, settle


def drawn(tab, kind: str = lesson.ONE):
    """Until a panel a mixer stands."""
    expect(tab.locator(".map")).to_have_count(len(lesson.SETS[kind]), timeout=20_000)
    settle(tab)
    return tab


def test_more_pairs_redraw_every_panel(visit):
    tab = drawn(visit("mixers?pairs=4"))
    before = canvases(tab)
    press(tab, "pairs", "ArrowRight")
    expect(tab.locator(".cw-caption").filter(has_text="One panel a mixer")).to_contain_text("8 pairs", timeout=15_000)
    settle(tab)
    holds(tab, lambda: all(a != b for a, b in zip(before, canvases(tab), strict=True)))


def test_the_set_of_mixers_changes_panels_and_answers(visit):
    tab = drawn(visit("mixers"))
    tab.locator(".st-key-mixers").get_by_text(lesson.THREE, exact=True).click()
    drawn(tab, lesson.THREE)
    expect(tab.locator(".cw-bars tr")).to_have_count(len(lesson.HYBRIDS))
    tab.locator(".map").nth(2).click()
    expect(tab).to_have_url(re.compile("head=3"), timeout=15_000)
