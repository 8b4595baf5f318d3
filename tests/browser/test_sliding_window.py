"""The page on sliding windows in a real Chromium: slider and pattern moved, the ring stepped, a link opened, phone and stage."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import driver
from tests.browser.driver import ROOT, settle

QUESTION = "What if a token cannot look far back?"
LAYERS = 6


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

        def opened(path: str = "sliding_window", **how):
            tab = open_page(path, **how)
            settle(tab)
            if "section" not in path:
                drawn(tab)
            return tab

        yield opened


def drawn(tab) -> None:
    """Until the six maps and the graph stand."""
    expect(tab.locator(".map")).to_have_count(LAYERS, timeout=20_000)
    expect(tab.locator(".st-key-figure-reach .main-svg").first).to_be_visible(timeout=20_000)


def picture(tab) -> list[str]:
    """The six maps as data addresses."""
    return tab.locator(".map canvas:first-child").evaluate_all("canvases => canvases.map(c => c.toDataURL())")


def graph(tab) -> list[int]:
    """Strokes in each trace of the graph of reachability: outside the cone, inside it, then the way."""
    strokes = "all => all.map(trace => trace.querySelectorAll('.js-line').length)"
    return tab.locator(".st-key-figure-reach .scatterlayer .trace").evaluate_all(strokes)


def window(tab, size: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text(f"Window {size},", timeout=15_000)
    settle(tab)


def press(tab, key: str) -> None:
    """One key on the slider of windows."""
    tab.locator(".st-key-window input[type=range]").press(key)


def slots(tab) -> list[str]:
    """What the ring holds."""
    return tab.locator(".ring .slot").evaluate_all("all => all.map(slot => slot.firstChild?.textContent ?? '')")


def at_step(tab, step: int) -> None:
    """Put the step control of the picture there."""
    control = tab.get_by_label("Token step")
    control.evaluate("(e, step) => { e.value = step; e.dispatchEvent(new Event('input', {bubbles: true})); }", step)


def test_moving_the_slider_redraws_bands_graph_and_cache(visit):
    tab = visit("sliding_window?window=2")
    before, cones, seen = picture(tab), [graph(tab)], set()
    for size in (4, 8, 16):
        press(tab, "ArrowRight")
        window(tab, size)
        expect(tab.locator(".st-key-cw-card-cache")).to_contain_text("= measured")
        assert {key: v[0] for key, v in parse_qs(urlsplit(tab.url).query).items()}.get("window", "8") == str(size)
        seen.add(tuple(picture(tab)))
        cones.append(graph(tab))
    assert len(seen) == 3 and tuple(before) not in seen
    inside = [marks[1] for marks in cones]
    assert inside == sorted(set(inside)), "a wider window reaches more"


def test_the_pattern_changes_masks_answer_and_way(visit):
    tab = visit()
    expect(tab.locator(".cw-answers")).to_contain_text("lamp")
    assert tab.locator(".cw-answers .no").count() == 0
    before = picture(tab)
    tab.locator(".st-key-pattern").get_by_text("local", exact=True).click()
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text("6 local layers", timeout=15_000)
    settle(tab)
    expect(tab.locator(".cw-answers .no")).to_have_count(1)
    assert picture(tab) != before and "does not arrive" in tab.locator(".st-key-cw-card-reach").inner_text()


def test_the_ring_fills_and_is_overwritten_token_by_token(visit):
    tab = visit("sliding_window?window=4&prompt=ann+lamp+bo+kite+cy+drum+%3F+cy")
    assert len(slots(tab)) == 4
    at_step(tab, 3)
    assert slots(tab) == ["ann", "lamp", "bo", ""]
    at_step(tab, 6)
    assert slots(tab) == ["cy", "drum", "bo", "kite"]
    expect(tab.locator(".ring .new")).to_contain_text("drum")
    expect(tab.locator(".tape")).to_contain_text("‘drum’ (6) is written into slot 2, over ‘lamp’ (2)")


def test_a_preset_sets_pattern_and_model(visit):
    tab = visit()
    tab.get_by_role("radio", name="Mistral 7B v0.1").or_(tab.get_by_text("Mistral 7B v0.1", exact=True)).first.click()
    expect(tab.locator(".st-key-cw-card-real")).to_contain_text("Mistral 7B v0.1", timeout=15_000)
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text("6 local layers")


@pytest.mark.parametrize(
    "state", ["window=4&pattern=1:1", "pattern=local&row=10&step=20", "window=32&prompt=zoe+wheel+leo+plum+%3F+leo"]
)
def test_a_copied_link_opens_the_same_picture(visit, state):
    first = visit(f"sliding_window?{state}")
    first.get_by_role("button", name="Copy link").click()
    expect(first.get_by_text("Copied")).to_be_visible()
    link = first.evaluate("navigator.clipboard.readText()")
    assert {"window", "pattern", "context", "real", "section", "prompt", "v"} <= set(parse_qs(urlsplit(link).query))
    second = visit(link)
    drawn(second)
    second.wait_for_timeout(600)
    assert picture(first) == picture(second) and graph(first) == graph(second) and slots(first) == slots(second)


@pytest.mark.parametrize("section", ["Count", "Prove", "Read", "Who uses it"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_section_stands_in_both_themes_and_widths(visit, section, dark, width):
    tab = visit(f"sliding_window?section={section.replace(' ', '+')}", width=width, height=900, dark=dark)
    marks = {
        "Count": ".st-key-figure-models .main-svg", "Prove": ".cw-verdict", "Read": "code", "Who uses it": ".cw-table tbody tr",
    }  # fmt: skip
    expect(tab.locator(marks[section]).first).to_be_visible(timeout=20_000)
    assert not tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"), "scrolls sideways"


@pytest.mark.parametrize("dark", [False, True])
def test_the_first_screen_of_a_phone_holds_question_control_and_picture(visit, dark):
    tab = visit(width=390, height=844, dark=dark)
    for place in (
        tab.get_by_role("heading", name=QUESTION),
        tab.locator(".st-key-cw-track-window"),
        tab.locator(".st-key-pattern"),
        tab.locator(f".map[data-panel='{LAYERS - 1}'] canvas").first,
    ):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert tab.get_by_role("heading", name=QUESTION).bounding_box()["height"] < 2.6 * 23 * 1.2, "two lines at most"
    assert tab.locator(".st-key-cw-track-window").bounding_box()["height"] >= 44


def test_the_stage_shows_all_layers_on_one_screen_and_obeys_keys(visit):
    tab = visit("sliding_window?stage=1", width=1280, height=720)
    last = tab.locator(f".map[data-panel='{LAYERS - 1}'] canvas").first.bounding_box()
    assert last["y"] + last["height"] <= 720
    tab.keyboard.press("2")
    expect(tab.locator(".st-key-figure-shares .main-svg").first).to_be_visible(timeout=20_000)


def test_figures_have_alternative_text_and_tables(visit):
    tab = visit()
    labels = tab.locator("[role=img], [role=figure]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert any(text and re.search(r"bands 8 wide", text) for text in labels)
    assert any(text and re.search(r"places in the stack can still reach ann", text) for text in labels)
    expect(tab.get_by_text("Data as a table").first).to_be_visible()
