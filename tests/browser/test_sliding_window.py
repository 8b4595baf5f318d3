"""The page on sliding windows in a real Chromium: slider and pattern moved, the ring stepped, a preset. The rest is in
test_pages.py."""

from playwright.sync_api import expect

from tests.browser.driver import canvases, card, drawn, holds, parameters, press, settle
from tests.mechanisms.test_sliding_window import PAGE

LAYERS = 6


def graph(tab) -> list[int]:
    """Strokes in each trace of the graph of reachability: outside the cone, inside it, then the way."""
    strokes = "all => all.map(trace => trace.querySelectorAll('.js-line').length)"
    return tab.locator(".st-key-figure-reach .scatterlayer .trace").evaluate_all(strokes)


def window(tab, size: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text(f"Window {size},", timeout=15_000)
    settle(tab)


def slots(tab) -> list[str]:
    """What the ring holds."""
    return tab.locator(".ring .slot").evaluate_all("all => all.map(slot => slot.firstChild?.textContent ?? '')")


def at_step(tab, step: int) -> None:
    """Put the step control of the picture there."""
    control = tab.get_by_label("Token step")
    control.evaluate("(e, step) => { e.value = step; e.dispatchEvent(new Event('input', {bubbles: true})); }", step)


def test_moving_the_slider_redraws_bands_graph_and_cache(visit):
    tab = drawn(visit("sliding_window?window=2"), PAGE)
    seen, cones = [canvases(tab)], [graph(tab)]
    for size in (4, 8, 16):
        press(tab, "window", "ArrowRight")
        window(tab, size)
        expect(card(tab, "cache")).to_contain_text("= measured")
        holds(tab, lambda size=size: parameters(tab).get("window", "8") == str(size))
        holds(tab, lambda: canvases(tab) not in seen and graph(tab) not in cones)
        seen.append(canvases(tab))
        cones.append(graph(tab))
    inside = [marks[1] for marks in cones]
    assert inside == sorted(set(inside)), "a wider window reaches more"


def test_the_pattern_changes_masks_answer_and_way(visit):
    tab = drawn(visit("sliding_window"), PAGE)
    expect(tab.locator(".cw-answers")).to_contain_text("lamp")
    expect(tab.locator(".cw-answers .no")).to_have_count(0)
    before = canvases(tab)
    tab.locator(".st-key-pattern").get_by_text("local", exact=True).click()
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text("6 local layers", timeout=15_000)
    settle(tab)
    expect(tab.locator(".cw-answers .no")).to_have_count(1)
    expect(card(tab, "reach")).to_contain_text("does not arrive")
    holds(tab, lambda: canvases(tab) != before)


def test_the_ring_fills_and_is_overwritten_token_by_token(visit):
    tab = drawn(visit("sliding_window?window=4&prompt=ann+lamp+bo+kite+cy+drum+%3F+cy"), PAGE)
    assert len(slots(tab)) == 4
    at_step(tab, 3)
    holds(tab, lambda: slots(tab) == ["ann", "lamp", "bo", ""])
    at_step(tab, 6)
    holds(tab, lambda: slots(tab) == ["cy", "drum", "bo", "kite"])
    expect(tab.locator(".ring .new")).to_contain_text("drum")
    expect(tab.locator(".tape")).to_contain_text("‘drum’ (6) is written into slot 2, over ‘lamp’ (2)")


def test_a_preset_sets_pattern_and_model(visit):
    tab = drawn(visit("sliding_window"), PAGE)
    tab.get_by_role("radio", name="Mistral 7B v0.1").or_(tab.get_by_text("Mistral 7B v0.1", exact=True)).first.click()
    expect(card(tab, "real")).to_contain_text("Mistral 7B v0.1", timeout=15_000)
    expect(tab.locator(".cw-caption").filter(has_text="One map a layer")).to_contain_text("6 local layers")
