"""What every page must do in a real Chromium: a new page joins with one line in PAGES.

Sections open, by a load, by their address and by a tap, in both themes and widths; figures say what they show and have their
numbers as a table; a copied link shows the same; the first screen of a phone; the keys on stage; an unknown word is marked.
Everywhere: no browser error, no request to another host. Back and reload belong to the frame and are tested on two pages; presets
and the other links are tested without a browser, in tests/app. What is particular stands in test_<page>.py.
"""

from dataclasses import dataclass
from urllib.parse import quote_plus

import pytest
from playwright.sync_api import expect

from app.palette import PALETTE
from core.lessons.mla import lesson as mla
from core.model.registry import question
from tests.browser.driver import canvases, copied, follow, holds, parameters, settle, sideways

SECTIONS = {
    "Count": ".st-key-figure-models .main-svg",
    "Prove": ".cw-verdict",
    "Read": "[data-testid=stCode]",
    "Who uses it": ".cw-table th:text-is('organisation')",
}


@dataclass(frozen=True)
class Page:
    """What is expected of one page; what is empty is not asked of it."""

    name: str
    control: str  # its slider
    maps: int  # panels of the canvas figures
    last: int  # the panel that must still be on the first screen
    figure: str  # a Plotly figure beside them
    alt: tuple[str, ...]  # what the figures of the first section say they show
    link: str  # a state of which the link is copied
    linked: str  # parameters that every copied link has
    stage: str  # the figure that the key 2 shows on stage
    unknown: tuple[str, str] | None  # a prompt, and its word that nobody knows
    beside: tuple[str, ...] = ()  # further controls that must be on the first screen of a phone


PAGES = (
    Page(
        "gqa", "kv_heads", 8, 7, "wiring",
        ("Attention maps of 8 query heads", "8 query heads above, each wired"),
        "kv_heads=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=2&step=5",
        "kv_heads positions model section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "mla", "latent", 3 * mla.HEADS, 7, "bottleneck",
        ("Attention of 4 heads", "Difference of the attention", "numbers of x become a latent", "answered right"),
        "latent=20&rope_key=false&head=3&row=5",
        "latent rope_key form task section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "sliding_window", "window", 6, 5, "reach",
        ("bands 8 wide", "places in the stack can still reach ann"),
        "window=32&prompt=zoe+wheel+leo+plum+%3F+leo",
        "window pattern context real section prompt v", "shares", ("ann lampp ? ann", "lampp"), (".st-key-pattern",),
    ),
    Page(
        "moe", "experts", 2, 1, "load",
        ("Which of 16 experts each of", "Load of 16 experts in 2 layers"),
        "gate=sigmoid&balance=bias&shared=true&batch=8",
        "experts batch real section prompt v", "reading", ("whisk the eggz", "eggz"),
    ),
    Page(
        "rwkv", "removal", 8, 3, "arrows",
        ("Memory of 4 heads in layer 1 after each of", "channels of 4 heads loses", "erases along one", "Where the ball is"),
        "game=left+left-middle+wait&prompt=zoe+wheel+leo+plum+%3F+leo",
        "removal layer game section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "xlstm", "forget", 5, 1, "left",
        ("Memory of mLSTM, layer 2, after each of", "Forget, input and output gates", "Share of what each"),
        "forget=4&cell=LSTM&heads=16&prompt=zoe+wheel+leo+plum+%3F+leo",
        "forget cell keys heads layer section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "gated_deltanet", "write", 4, 1, "readout",
        ("The memory of head", "Share of each token's value in the read-out"),
        "keys=8&matrix=layer+1%2C+head+1&prompt=zoe+wheel+leo+plum+%3F+leo",
        "write decay mix rule real section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "mixers", "pairs", 10, 2, "pareto",
        ("Where 10 mixers look", "against bytes"),
        "pairs=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=3",
        "pairs mixers section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "sparse_attention", "top_k", 6, 5, "row",
        ("Attention, scores and the 4 tokens picked", "Attention of hal to the 24"),
        "top_k=1&prompt=zoe+wheel+leo+plum+%3F+leo&step=5",
        "top_k real context section prompt v", "theirs", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "mamba", "state", 9, 4, "steps",
        ("Decay masks of 4 heads", "Step size of each of", "State of head"),
        "share=1+of+4&layer=2&prompt=zoe+wheel+leo+plum+%3F+leo",
        "share real context section prompt v", "growth", ("ann lampp ? ann", "lampp"), (".st-key-share",),
    ),
    Page(
        "liquid", "attention", 4, 3, "conveyor",
        ("What each of 28 tokens takes up", "three tokens gated", "Tokens moved by"),
        "attention=first&prompt=zoe+wheel+leo+plum+%3F+leo&step=5",
        "attention real context section prompt v", "growth", ("ann lampp ? ann", "lampp"),
    ),
    Page(
        "recursive", "steps", 1, 0, "race",
        ("The answer after each of 32 updates", "Share of gaps that are right after"),
        "steps=16&solver=HRM&board=3...14+6...52+2..1.5+.1....+..5..3+46....",
        "steps puzzle inner rounds section v", "growth", None,
    ),
    Page(
        "text_diffusion", "steps", 1, 0, "committed",
        ("Confidence at 24 places in each of 8 passes", "committed each of 24 places"),
        "steps=12&prompt=today+_+who+_+the+potters+shapes+small+_",
        "steps order block temperature seed section prompt v", "work", ("today the bakker", "bakker"),
    ),
    Page(
        "code_world_model", "at", 0, 0, "trace",
        ("Lines and states of a program of 9 lines over 9 steps, marked after step 9",),
        "at=2&s=i1ayVdJRylOwVTCKycsGUnkK2grGMXnlGZk5qUCOjYKZVUyeAhDkQSXh6nQVspViAQ",
        "at reads program section v", "growth", None,
    ),
)  # fmt: skip
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def drawn(tab, page: Page) -> None:
    """Until the first section stands."""
    expect(tab.locator(".map")).to_have_count(page.maps, timeout=20_000)
    expect(tab.locator(f".st-key-figure-{page.figure} .main-svg").first).to_be_visible(timeout=20_000)
    settle(tab)


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
    strokes = tab.locator(f".st-key-figure-{page.figure} :is(.shapelayer, .plot) path")
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
    tab = visit(f"{page.name}?section=Count")
    stands(tab, page, "Count")
    figures(tab)
    tap(tab, "See")
    stands(tab, page, "See")
    said = figures(tab)
    assert [words for words in page.alt if not any(words in text for text in said)] == []
    for section in ("Prove", "Read", "Who uses it"):
        follow(tab, f"{page.name}?section={quote_plus(section)}")
        stands(tab, page, section)
        figures(tab)
    paper(tab, "light")
    if page.unknown:
        prompt, word = page.unknown
        follow(tab, f"{page.name}?prompt={quote_plus(prompt)}")
        expect(tab.locator(".cw-error mark")).to_have_text(word)
        expect(tab.locator(".cw-error")).to_contain_text("nearest:")
        drawn(tab, page)


@every_page
def test_a_phone_shows_the_picture_first_and_every_section_opens_by_a_tap(visit, page):
    tab = visit(page.name, width=390, height=844, dark=True)
    stands(tab, page, "See")
    first_screen(tab, page)
    for section in SECTIONS:
        tap(tab, section)
        stands(tab, page, section)
    paper(tab, "dark")


def main(tab, page: Page):
    """The main picture: a panel of the canvas figures, the Plotly figure where there are none."""
    return tab.locator(f".map[data-panel='{page.last}'] canvas" if page.maps else f".st-key-figure-{page.figure} .main-svg").first


def first_screen(tab, page: Page) -> None:
    """Question, controls and picture stand on it; the question takes two lines at most, a finger hits the slider."""
    heading, track = tab.get_by_role("heading", name=question(page.name)), tab.locator(f".st-key-cw-track-{page.control}")
    for place in (heading, track, *map(tab.locator, page.beside), main(tab, page)):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert heading.bounding_box()["height"] < 2.6 * 23 * 1.2
    assert track.bounding_box()["height"] >= 44


@every_page
def test_a_copied_link_opens_the_same_picture(visit, page):
    first = visit(f"{page.name}?{page.link}")
    drawn(first, page)
    link = copied(first)
    assert set(page.linked.split()) <= set(parameters(link))
    second = visit(link)
    drawn(second, page)
    holds(second, lambda: pictures(first, page) == pictures(second, page))


@pytest.mark.parametrize("name, before, after", [("gqa", "8", "1"), ("recursive", "8", "4")])
def test_back_and_reload_keep_a_working_page(visit, name, before, after):
    page = next(page for page in PAGES if page.name == name)
    tab = visit(f"{name}?{page.control}={before}")
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
    expect(tab.locator(f".st-key-figure-{page.stage} .main-svg").first).to_be_visible(timeout=20_000)
