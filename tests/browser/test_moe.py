"""The page on mixtures of experts in a real Chromium: slider, canvas, link, phone, stage, both themes."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import driver
from tests.browser.driver import ROOT, settle

QUESTION = "How can 671B parameters cost 37B?"


@pytest.fixture(scope="module")
def base():
    with driver.serving(ROOT, "app/main.py") as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with driver.browser() as browser:
        yield browser


@pytest.fixture
def visit(chromium, base):
    with driver.visitors(chromium, base) as open_page:

        def opened(path: str = "moe", **how):
            tab = open_page(path, **how)
            settle(tab)
            if "section" not in path:
                expect(tab.locator(".map")).to_have_count(2, timeout=20_000)
                expect(tab.locator(".st-key-figure-load .main-svg").first).to_be_visible(timeout=20_000)
            return tab

        yield opened


def picture(tab) -> list[str]:
    return tab.locator(".map canvas:first-child").evaluate_all("canvases => canvases.map(c => c.toDataURL())")


def caption(tab, text: str) -> None:
    expect(tab.locator(".cw-caption").filter(has_text="Row = token")).to_contain_text(text, timeout=15_000)
    settle(tab)


def test_moving_the_slider_redraws_routing_and_load(visit):
    tab, seen = visit(), set()
    seen.add(tuple(picture(tab)))
    for count in (8, 4, 2):
        tab.locator(".st-key-experts input[type=range]").press("ArrowLeft")
        caption(tab, f"{count} experts")
        expect(tab.locator(".st-key-figure-load .barlayer .point")).to_have_count(2 * count)
        seen.add(tuple(picture(tab)))
    assert len(seen) == 4


@pytest.mark.parametrize(
    "state", ["experts=8&balance=none", "top_k=2&cells=affinities&row=3", "gate=sigmoid&balance=bias&batch=8"]
)
def test_a_copied_link_opens_the_same_picture(visit, state):
    first = visit(f"moe?{state}")
    first.get_by_role("button", name="Copy link").click()
    expect(first.get_by_text("Copied")).to_be_visible()
    link = first.evaluate("navigator.clipboard.readText()")
    assert {"experts", "balance", "batch", "real", "section", "prompt", "v"} <= set(parse_qs(urlsplit(link).query))
    second = visit(link)
    expect(second.locator(".map")).to_have_count(2, timeout=20_000)
    second.wait_for_timeout(600)
    assert picture(first) == picture(second)


@pytest.mark.parametrize("section", ["Count", "Prove", "Read", "Who uses it"])
@pytest.mark.parametrize("width, dark", [(1440, False), (390, True)])
def test_every_section_stands_in_both_themes_and_widths(visit, section, width, dark):
    tab = visit(f"moe?section={section.replace(' ', '+')}", width=width, dark=dark)
    marks = {
        "Count": ".st-key-figure-models .main-svg",
        "Prove": ".cw-verdict",
        "Read": "code",
        "Who uses it": ".cw-table tbody tr",
    }
    expect(tab.locator(marks[section]).first).to_be_visible(timeout=20_000)
    assert not tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"), "scrolls sideways"


@pytest.mark.parametrize("dark", [False, True])
def test_the_first_screen_of_a_phone_holds_question_control_and_picture(visit, dark):
    tab = visit(width=390, height=844, dark=dark)
    for place in (
        tab.get_by_role("heading", name=QUESTION),
        tab.locator(".st-key-cw-track-experts"),
        tab.locator(".map[data-panel='1'] canvas").first,
    ):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert tab.locator(".st-key-cw-track-experts").bounding_box()["height"] >= 44


def test_the_stage_shows_the_routing_on_one_screen(visit):
    tab = visit("moe?stage=1", width=1280, height=720)
    box = tab.locator(".map[data-panel='1'] canvas").first.bounding_box()
    assert box["y"] + box["height"] <= 720


def test_an_unknown_word_is_marked(visit):
    expect(visit("moe?prompt=whisk+the+eggz").locator(".cw-error mark")).to_have_text("eggz")
