"""The page on grouped-query attention in a real Chromium: a slider moved, a canvas clicked, the keyboard. The rest is in
test_pages.py."""

import pytest
from playwright.sync_api import expect

from tests.browser.driver import canvases, card, drawn, holds, parameters, press, settle
from tests.mechanisms.test_gqa import PAGE


def wires(tab, count: int) -> None:
    """Until there are so many blocks of keys and values in the wiring."""
    expect(tab.locator(".st-key-figure-wiring .shapelayer path")).to_have_count(count)


def kv_heads(tab, count: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="query heads")).to_contain_text(f"{count} KV head", timeout=15_000)
    settle(tab)


def test_dragging_the_slider_redraws_maps_wiring_and_cache(visit):
    tab = drawn(visit("gqa?kv_heads=8"), PAGE)
    expect(card(tab, "cache")).to_contain_text("10,240 B")
    seen = [canvases(tab)]
    for count in (4, 2, 1):
        press(tab, "kv_heads", "ArrowLeft")
        kv_heads(tab, count)
        wires(tab, count)
        expect(card(tab, "cache")).to_contain_text(f"counted {1280 * count:,} = measured {1280 * count:,}")
        holds(tab, lambda count=count: parameters(tab).get("kv_heads", "2") == str(count))
        holds(tab, lambda: canvases(tab) not in seen)
        seen.append(canvases(tab))


def test_the_slider_can_be_dragged_with_the_mouse(visit):
    tab = drawn(visit("gqa?kv_heads=8"), PAGE)
    rail = tab.locator(".st-key-cw-track-kv_heads").bounding_box()
    tab.mouse.move(rail["x"] + rail["width"] - 12, rail["y"] + 22)
    tab.mouse.down()
    tab.mouse.move(rail["x"] + 12, rail["y"] + 22, steps=8)
    tab.mouse.up()
    kv_heads(tab, 1)
    wires(tab, 1)


def test_a_click_on_the_canvas_isolates_a_head_and_the_wiring_follows(visit):
    tab = drawn(visit("gqa"), PAGE)
    tab.locator(".map[data-panel='2']").click()
    tab.wait_for_function("new URL(location).searchParams.get('head') === '3'")
    settle(tab)
    expect(tab.locator(".st-key-figure-wiring .scatterlayer .trace")).to_have_count(3)  # quiet lines, the loud one, heads
    tab.keyboard.press("Escape")
    tab.wait_for_function("!new URL(location).searchParams.has('head')")
    expect(tab.locator(".st-key-figure-wiring .scatterlayer .trace")).to_have_count(2)


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
        drawn(tab, PAGE)
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


def test_the_font_is_served_from_here(visit):
    tab = visit("gqa")
    families = tab.evaluate(
        "document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family))"
    )
    assert {"Inter", "SourceSerif", "JetBrainsMono"} <= {family.strip("'\"") for family in families}
