"""The page on grouped-query attention in a real Chromium: a slider moved, a canvas clicked, a link opened, phone and stage."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import driver
from tests.browser.driver import ROOT, settle

QUESTION = "What if heads share their keys and values?"


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

        def opened(path: str = "gqa", **how):
            tab = open_page(path, **how)
            settle(tab)
            if "section" not in path:
                drawn(tab)
            return tab

        yield opened


def drawn(tab) -> None:
    """Until the eight maps and the wiring stand."""
    expect(tab.locator(".map")).to_have_count(8, timeout=20_000)
    expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)


def picture(tab) -> list[str]:
    """The eight canvases as data addresses."""
    return tab.locator(".map canvas:first-child").evaluate_all("canvases => canvases.map(c => c.toDataURL())")


def wires(tab) -> int:
    """Blocks of keys and values in the wiring."""
    return tab.locator(".st-key-figure-wiring .shapelayer path").count()


def press(tab, key: str) -> None:
    """One key on the slider of KV heads."""
    tab.locator(".st-key-kv_heads input[type=range]").press(key)


def kv_heads(tab, count: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="query heads")).to_contain_text(f"{count} KV head", timeout=15_000)
    settle(tab)


def parameters(tab) -> dict:
    return {key: values[0] for key, values in parse_qs(urlsplit(tab.url).query).items()}


def copied(tab) -> str:
    """The link that "Copy link" leaves on the clipboard."""
    tab.get_by_role("button", name="Copy link").click()
    expect(tab.get_by_text("Copied")).to_be_visible()
    return tab.evaluate("navigator.clipboard.readText()")


def test_dragging_the_slider_redraws_maps_wiring_and_cache(visit):
    tab = visit("gqa?kv_heads=8")
    expect(tab.locator(".st-key-cw-card-cache")).to_contain_text("10,240 B")
    before, seen = picture(tab), set()
    for count in (4, 2, 1):
        press(tab, "ArrowLeft")
        kv_heads(tab, count)
        expect(tab.locator(".st-key-figure-wiring .shapelayer path")).to_have_count(count)
        expect(tab.locator(".st-key-cw-card-cache")).to_contain_text(f"counted {1280 * count:,} = measured {1280 * count:,}")
        assert parameters(tab).get("kv_heads", "2") == str(count)
        seen.add(tuple(picture(tab)))
    assert len(seen) == 3 and tuple(before) not in seen


def test_the_slider_can_be_dragged_with_the_mouse(visit):
    tab = visit("gqa?kv_heads=8")
    rail = tab.locator(".st-key-cw-track-kv_heads").bounding_box()
    tab.mouse.move(rail["x"] + rail["width"] - 12, rail["y"] + 22)
    tab.mouse.down()
    tab.mouse.move(rail["x"] + 12, rail["y"] + 22, steps=8)
    tab.mouse.up()
    kv_heads(tab, 1)
    assert wires(tab) == 1


def test_a_click_on_the_canvas_isolates_a_head_and_the_wiring_follows(visit):
    tab = visit()
    tab.locator(".map[data-panel='2']").click()
    tab.wait_for_function("new URL(location).searchParams.get('head') === '3'")
    settle(tab)
    expect(tab.locator(".st-key-figure-wiring .scatterlayer .trace")).to_have_count(3)  # quiet lines, the loud one, heads
    tab.keyboard.press("Escape")
    tab.wait_for_function("!new URL(location).searchParams.has('head')")
    expect(tab.locator(".st-key-figure-wiring .scatterlayer .trace")).to_have_count(2)


@pytest.mark.parametrize(
    "state", ["kv_heads=1", "kv_heads=4&positions=rope&head=5", "kv_heads=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=2&step=5"]
)
def test_a_copied_link_opens_the_same_picture(visit, state):
    first = visit(f"gqa?{state}")
    link = copied(first)
    query = parse_qs(urlsplit(link).query)
    assert {"kv_heads", "positions", "model", "section", "prompt", "v"} <= set(query)
    second = visit(link)
    drawn(second)
    second.wait_for_timeout(600)
    assert picture(first) == picture(second) and wires(first) == wires(second)


def test_back_and_reload_keep_a_working_page(visit):
    tab = visit("gqa?kv_heads=8")
    tab.goto(tab.url.replace("kv_heads=8", "kv_heads=1"))
    settle(tab)
    drawn(tab)
    tab.go_back()
    settle(tab)
    kv_heads(tab, 8)
    tab.reload()
    settle(tab)
    kv_heads(tab, 8)
    assert picture(tab)


@pytest.mark.parametrize("section", ["Count", "Prove", "Read", "Who uses it"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_section_stands_in_both_themes_and_widths(visit, section, dark, width):
    tab = visit(f"gqa?section={section.replace(' ', '+')}", width=width, height=900, dark=dark)
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
        tab.locator(".st-key-cw-track-kv_heads"),
        tab.locator(".map[data-panel='7'] canvas").first,
    ):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    heading = tab.get_by_role("heading", name=QUESTION).bounding_box()
    assert heading["height"] < 2.6 * 23 * 1.2, "two lines at most"
    assert tab.locator(".st-key-cw-track-kv_heads").bounding_box()["height"] >= 44


def test_the_stage_shows_all_maps_on_one_screen_and_obeys_keys(visit):
    tab = visit("gqa?stage=1", width=1280, height=720)
    last = tab.locator(".map[data-panel='7'] canvas").first.bounding_box()
    assert last["y"] + last["height"] <= 720
    tab.keyboard.press("n")
    kv_heads(tab, 1)
    tab.keyboard.press("2")
    expect(tab.locator(".st-key-figure-growth .main-svg").first).to_be_visible(timeout=20_000)


def test_an_unknown_word_is_marked_and_nothing_else_breaks(visit):
    tab = visit("gqa?prompt=ann+lampp+%3F+ann")
    expect(tab.locator(".cw-error mark")).to_have_text("lampp")
    expect(tab.locator(".cw-error")).to_contain_text("nearest: lamp")
    assert wires(tab) == 2


FOCUSED = """() => {
  let e = document.activeElement;
  while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  const style = getComputedStyle(e);
  const ring = style.outlineStyle !== "none" || style.boxShadow !== "none" || e.matches(".stApp input");  // whose frame shows it
  return e === document.body ? null : [e.getAttribute("aria-label") || e.innerText, e.tagName === "MAIN" || ring];
}"""


@pytest.mark.parametrize(
    "section, names",
    [
        ("See", ["GPT-2: 8 of 8", "head 8, KV 2", "Play", "Token step", "Data as a table", "CSV"]),
        ("Count", ["Real model", "Data as a table", "PNG", "SVG", "CSV"]),
    ],
)
def test_the_tab_key_reaches_every_control_and_shows_where_it_is(visit, section, names):
    tab, passed = visit(f"gqa?section={section}"), []
    if section == "See":
        drawn(tab)
    tab.locator(".stExpander summary").press("Enter")
    expect(tab.get_by_role("button", name="Surprise me")).to_be_visible()
    tab.locator(".st-key-kv_heads input[type=range]").focus()
    while len(passed) < 80 and (focused := tab.evaluate(FOCUSED)):
        passed.append(focused)
        tab.keyboard.press("Tab")
    texts = "\n".join(name for name, _ in passed)
    for name in ["KV heads", "Who has what", "8 pairs", "Surprise me", "none", "one layer", "See", *names]:
        assert name in texts, name
    assert not [name for name, ring in passed if not ring]


def test_a_section_opens_from_the_keyboard(visit):
    tab = visit("gqa")
    tab.get_by_role("radio", name="See").press("ArrowRight")
    tab.keyboard.press("Space")
    expect(tab.get_by_role("combobox", name="Real model")).to_be_visible(timeout=20_000)


def test_figures_have_alternative_text_and_tables(visit):
    tab = visit()
    labels = tab.locator("[role=img], [role=figure]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert len([text for text in labels if text and re.search(r"8 query heads", text)]) >= 2
    expect(tab.get_by_text("Data as a table").first).to_be_visible()


def test_the_font_is_served_from_here(visit):
    tab = visit()
    families = tab.evaluate(
        "document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family))"
    )
    assert {"Inter", "SourceSerif", "JetBrainsMono"} <= {family.strip("'\"") for family in families}
