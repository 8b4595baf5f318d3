"""The page on latent attention in a real Chromium: the slider moved, a link opened, phone and stage, both themes."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from core.lessons import mla as lesson
from tests.browser import driver
from tests.browser.driver import ROOT, settle

QUESTION = "What if we cache a summary instead?"
PANELS = 3 * lesson.HEADS  # at this size, at the largest, and their difference


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

        def opened(path: str = "mla", **how):
            tab = open_page(path, **how)
            settle(tab)
            if "section" not in path:
                drawn(tab)
            return tab

        yield opened


def drawn(tab) -> None:
    """Until all maps and the bottleneck stand."""
    expect(tab.locator(".map")).to_have_count(PANELS, timeout=20_000)
    expect(tab.locator(".st-key-figure-bottleneck .main-svg").first).to_be_visible(timeout=20_000)


def picture(tab) -> list[str]:
    """All canvases as data addresses."""
    return tab.locator(".map canvas:first-child").evaluate_all("canvases => canvases.map(c => c.toDataURL())")


def boxes(tab) -> list[str]:
    """The bars of the bottleneck, as paths."""
    return tab.locator(".st-key-figure-bottleneck .shapelayer path").evaluate_all("all => all.map(p => p.getAttribute('d'))")


def press(tab, key: str) -> None:
    """One key on the slider of the latent."""
    tab.locator(".st-key-latent input[type=range]").press(key)


def latent(tab, rank: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="Latent of")).to_contain_text(f"Latent of {rank} numbers", timeout=15_000)
    settle(tab)


def copied(tab) -> str:
    """The link that "Copy link" leaves on the clipboard."""
    tab.get_by_role("button", name="Copy link").click()
    expect(tab.get_by_text("Copied")).to_be_visible()
    return tab.evaluate("navigator.clipboard.readText()")


def test_moving_the_slider_redraws_maps_bottleneck_and_cache(visit):
    tab = visit("mla?latent=28")
    seen = {(tuple(picture(tab)), tuple(boxes(tab)))}
    for rank in (24, 20, 16):
        press(tab, "ArrowLeft")
        latent(tab, rank)
        size = lesson.counted(lesson.Choice(rank), 20).cache_bytes
        expect(tab.locator(".st-key-cw-card-cache")).to_contain_text(f"counted {size:,} = measured {size:,}")
        assert parse_qs(urlsplit(tab.url).query).get("latent", ["16"]) == [str(rank)]
        tab.wait_for_timeout(300)
        seen.add((tuple(picture(tab)), tuple(boxes(tab))))
    assert len({maps for maps, _ in seen}) == len({bars for _, bars in seen}) == 4


def test_the_form_changes_the_bottleneck_and_not_the_maps(visit):
    absorbed, expanded = visit("mla?form=absorbed"), visit("mla?form=expanded")
    assert len(boxes(absorbed)) < len(boxes(expanded)), "a key, a rope key and a value a head"
    for tab in (absorbed, expanded):
        expect(tab.locator(".st-key-cw-card-forms")).to_contain_text("same output")
    shown = absorbed.locator(".cw-answers").inner_text()
    assert shown == expanded.locator(".cw-answers").inner_text()


def test_the_rope_key_is_a_switch(visit):
    tab = visit()
    before = len(boxes(tab))
    tab.locator(".st-key-cw-more-more summary").click()
    tab.locator(".st-key-rope_key label").first.click()
    tab.wait_for_function("new URL(location).searchParams.get('rope_key') === 'false'")
    settle(tab)
    expect(tab.locator(".cw-caption").filter(has_text="Latent of")).to_contain_text("without a rope key")
    tab.wait_for_timeout(300)
    assert len(boxes(tab)) < before


@pytest.mark.parametrize(
    "state", ["latent=6", "latent=12&made=trained+at+this+size&form=expanded", "latent=20&rope_key=false&head=3&row=5"]
)
def test_a_copied_link_opens_the_same_picture(visit, state):
    first = visit(f"mla?{state}")
    link = copied(first)
    assert {"latent", "rope_key", "form", "task", "section", "prompt", "v"} <= set(parse_qs(urlsplit(link).query))
    second = visit(link)
    drawn(second)
    second.wait_for_timeout(600)
    assert picture(first) == picture(second) and boxes(first) == boxes(second)


@pytest.mark.parametrize("section", ["Count", "Prove", "Read", "Who uses it"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_section_stands_in_both_themes_and_widths(visit, section, dark, width):
    tab = visit(f"mla?section={section.replace(' ', '+')}", width=width, height=900, dark=dark)
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
        tab.locator(".st-key-cw-track-latent"),
        tab.locator(".map[data-panel='7'] canvas").first,
    ):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert tab.get_by_role("heading", name=QUESTION).bounding_box()["height"] < 2.6 * 23 * 1.2, "two lines at most"
    assert tab.locator(".st-key-cw-track-latent").bounding_box()["height"] >= 44


def test_the_stage_shows_the_maps_on_one_screen_and_obeys_keys(visit):
    tab = visit("mla?stage=1", width=1280, height=720)
    last = tab.locator(".map[data-panel='7'] canvas").first.bounding_box()
    assert last["y"] + last["height"] <= 720
    tab.keyboard.press("2")
    expect(tab.locator(".st-key-figure-growth .main-svg").first).to_be_visible(timeout=20_000)


def test_figures_have_alternative_text_and_tables(visit):
    tab = visit()
    labels = tab.locator("[role=img], [role=figure]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    for words in ("Attention of 4 heads", "Difference of the attention", "numbers of x become a latent", "answered right"):
        assert any(words in (text or "") for text in labels), words
    expect(tab.get_by_text("Data as a table").first).to_be_visible()
