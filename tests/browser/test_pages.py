"""What every page must do in a real Chromium: what is expected of it, the tests of its mechanism say (tests/mechanisms).

Sections open, by a load, by their address and by a tap, in both themes and widths; figures say what they show and have their
numbers as a table; a copied link shows the same; the first screen of a phone; the keys on stage; an unknown word is marked.
Everywhere: no browser error, no request to another host. Back and reload belong to the frame and are tested on two pages; presets
and the other links are tested without a browser, in tests/app. What is particular stands in test_<page>.py.
"""

from urllib.parse import quote_plus

import pytest
from playwright.sync_api import expect

from app.palette import PALETTE
from core.model.registry import question
from tests.browser.driver import canvases, copied, drawn, follow, holds, parameters, settle, sideways
from tests.mechanisms import PAGES
from tests.mechanisms.page import Page

SECTIONS = {
    "Count": ".st-key-figure-models .main-svg",
    "Prove": ".cw-verdict",
    "Read": "[data-testid=stCode]",
    "Who uses it": ".cw-table th:text-is('organisation')",
}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def stands(tab, page: Page, section: str) -> None:
    """Until a section stands; it does not scroll sideways."""
    if section == "See":
        drawn(tab, page)
    else:
        expect(tab.locator(SECTIONS[section]).first).to_be_visible(timeout=20_000)
        settle(tab)
    assert sideways(tab) <= 1, section


def pictures(tab, page: Page) -> list:
    """All canvases as data addresses, and the strokes of the Plotly figure."""
    strokes = tab.locator(f".st-key-figure-{page.screen.figure} :is(.shapelayer, .plot) path")
    return [*canvases(tab), *strokes.evaluate_all("all => all.map(p => p.getAttribute('d'))")]


def slider(tab, page: Page):
    """The value that is marked under the slider."""
    return tab.locator(f".st-key-cw-track-{page.control} .cw-ticks .on").last


def figures(tab) -> list[str]:
    """Every figure has its numbers as a table, and says what it shows: that."""
    drawings = tab.locator(".stPlotlyChart, .aside[role=img]")
    tables = tab.locator("details:has(> summary:text-is('Data as a table'))")
    holds(tab, lambda: drawings.count() == tables.count())
    said = drawings.evaluate_all("all => all.map(figure => figure.getAttribute('aria-label'))")
    tables.evaluate_all("all => all.forEach(details => { details.open = true })")
    for table in tables.all():
        expect(table.locator("tbody tr").first).to_be_attached()
    assert all(said)
    return said


def tap(tab, section: str) -> None:
    """A section, tapped."""
    tab.locator(".st-key-cw-sections").get_by_role("radio", name=section, exact=True).click()


def paper(tab, theme: str) -> None:
    """Until the page has the paper of a theme."""
    colour = PALETTE[theme]["paper"]
    wanted = "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))
    expect(tab.locator(".stApp")).to_have_css("background-color", wanted)


@every_page
def test_every_section_opens_by_its_address_and_its_figures_say_what_they_show(visit, page):
    tab = visit(f"{page.name}?section=Count", hop=True)
    stands(tab, page, "Count")
    figures(tab)
    tap(tab, "See")
    stands(tab, page, "See")
    said = figures(tab)
    assert [words for words in page.screen.alt if not any(words in text for text in said)] == []
    for section in ("Prove", "Read", "Who uses it"):
        follow(tab, f"{page.name}?section={quote_plus(section)}")
        stands(tab, page, section)
        figures(tab)
    paper(tab, "light")
    for prompt, (word, *_) in page.prompts[:1]:
        follow(tab, f"{page.name}?prompt={quote_plus(prompt)}")
        expect(tab.locator(".cw-error mark")).to_have_text(word)
        expect(tab.locator(".cw-error")).to_contain_text("nearest:")
        drawn(tab, page)


@every_page
def test_a_phone_shows_the_picture_first_and_every_section_opens_by_a_tap(visit, page):
    tab = visit(page.name, width=390, height=844, dark=True, hop=True)
    stands(tab, page, "See")
    first_screen(tab, page)
    for section in SECTIONS:
        tap(tab, section)
        stands(tab, page, section)
    paper(tab, "dark")


def main(tab, page: Page):
    """The main picture: a panel of the canvas figures, the Plotly figure where there are none."""
    return tab.locator(
        f".map[data-panel='{page.screen.last}'] canvas" if page.screen.maps else f".st-key-figure-{page.screen.figure} .main-svg"
    ).first


def first_screen(tab, page: Page) -> None:
    """Question, controls and picture stand on it; the question takes two lines at most, a finger hits the slider."""
    heading, track = tab.get_by_role("heading", name=question(page.name)), tab.locator(f".st-key-cw-track-{page.control}")
    for place in (heading, track, *map(tab.locator, page.screen.beside), main(tab, page)):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert heading.bounding_box()["height"] < 2.6 * 23 * 1.2
    assert track.bounding_box()["height"] >= 44


@every_page
def test_a_copied_link_opens_the_same_picture(visit, page):
    first = visit(f"{page.name}?{page.links[-1]}", hop=True)
    drawn(first, page)
    link = copied(first)
    assert set(page.screen.linked.split()) <= set(parameters(link))
    second = visit(link)
    drawn(second, page)
    holds(second, lambda: pictures(first, page) == pictures(second, page))


@pytest.mark.parametrize("name, before, after", [("gqa", "8", "1"), ("recursive", "8", "4")])
def test_back_and_reload_keep_a_working_page(visit, name, before, after):
    page = next(page for page in PAGES if page.name == name)
    tab = visit(f"{name}?{page.control}={before}", hop=True)
    expect(slider(tab, page)).to_have_text(before)
    tab.goto(f"{tab.url.split('?')[0]}?{page.control}={after}")
    expect(slider(tab, page)).to_have_text(after, timeout=20_000)
    tab.go_back()
    expect(slider(tab, page)).to_have_text(before, timeout=20_000)
    tab.reload()
    drawn(tab, page)
    expect(slider(tab, page)).to_have_text(before)


@every_page
def test_the_stage_shows_the_picture_on_one_screen_and_obeys_keys(visit, page):
    tab = visit(f"{page.name}?stage=1", width=1280, height=720)
    drawn(tab, page)
    last = main(tab, page).bounding_box()
    assert last["y"] + last["height"] <= 720
    presets = tab.locator("[class*=-presets-] [role=radio]")
    at = presets.evaluate_all("all => all.findIndex(e => e.ariaChecked === 'true')")
    tab.keyboard.press("n")
    expect(presets.nth((at + 1) % presets.count())).to_be_checked(timeout=15_000)
    tab.keyboard.press("2")
    expect(tab.locator(f".st-key-figure-{page.screen.stage} .main-svg").first).to_be_visible(timeout=20_000)
