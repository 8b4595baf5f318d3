"""Home in a real Chromium: a dot clicked, tapped and chosen from the list, the years played, a link copied, phone and stage."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from core.lessons import landscape as lesson
from core.real import catalogue
from tests.browser.driver import copied, holds, parameters, press, settle, sideways

FIGURE = ".st-key-figure-landscape .js-plotly-plot"
PLACES = f"""key => {{
  const drawing = document.querySelector("{FIGURE}"), at = drawing.data[1].customdata.indexOf(key);
  const box = drawing.querySelectorAll(".scatterlayer > .trace:nth-child(2) path.point")[at].getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}}"""
WORDS = f"() => [...document.querySelectorAll('{FIGURE} .scatterlayer .textpoint')].map(e => e.textContent.trim())"
RUNS = """() => {
  window.ran = 0;
  const told = new MutationObserver(() => window.ran++);
  told.observe(document.querySelector("[data-test-script-state]"), { attributes: true });
}"""
CAUGHT = """([x, y]) => {
  const target = document.elementFromPoint(x, y), at = new Touch({ identifier: 1, target, clientX: x, clientY: y });
  const touch = (kind) => new TouchEvent(kind, { bubbles: true, cancelable: true, touches: [at], changedTouches: [at] });
  return ["touchstart", "touchmove", "touchend"].filter((kind) => !target.dispatchEvent(touch(kind)));
}"""


def drawn(tab):
    """Until the picture stands with all its dots."""
    expect(tab.locator(f"{FIGURE} .scatterlayer > .trace:nth-child(2) path.point").last).to_be_attached(timeout=20_000)
    settle(tab)
    return tab


def name(key: str) -> str:
    return catalogue.entries()[key].name


def card(tab, key: str) -> None:
    """Until a model's card stands, and the address says so."""
    expect(tab.locator(".cw-model-head h2")).to_have_text(name(key), timeout=20_000)
    settle(tab)
    holds(tab, lambda: parameters(tab).get("model") == name(key))


def click(tab, key: str) -> None:
    tab.wait_for_timeout(500)  # the drawing is heard a moment after it stands
    tab.mouse.click(*tab.evaluate(PLACES, key))


def test_a_click_on_a_dot_opens_its_card_before_and_after_the_years_are_played(visit):
    tab = drawn(visit("home"))
    for key in ("llama3.1-405b", "gpt2-small"):
        click(tab, key)
        card(tab, key)
    expect(tab.locator(".st-key-figure-ladder-gpt2-small .main-svg").first).to_be_visible(timeout=20_000)
    tab.locator(f"{FIGURE} .updatemenu-button").click()
    tab.wait_for_function(f"words => ({WORDS})().includes(words)", arg=lesson.months()[2], timeout=10_000)
    tab.wait_for_function(f"words => ({WORDS})().includes(words)", arg=lesson.months()[-1], timeout=40_000)
    click(tab, "llama3.1-405b")
    card(tab, "llama3.1-405b")


def test_the_years_are_played_without_asking_the_server(visit):
    tab = drawn(visit("home?month=2024-04"))
    tab.wait_for_timeout(1000)
    sent = []
    tab.evaluate(RUNS)
    tab.on("request", lambda request: sent.append(request.url))
    tab.locator(f"{FIGURE} .updatemenu-button").click()
    tab.wait_for_function(f"() => ({WORDS})().includes('2019-02')", timeout=10_000)
    assert tab.evaluate("document.querySelectorAll('[data-test-script-state=running]').length") == 0
    tab.wait_for_function(f"() => ({WORDS})().includes('2024-04')", timeout=20_000)
    assert not sent and tab.evaluate("window.ran") == 0


def test_a_card_opens_from_the_list_by_keyboard_and_the_link_leads_down_to_it(visit):
    tab = drawn(visit("home"))
    box = tab.get_by_role("combobox", name="Click a dot or choose")
    box.click()
    box.press_sequentially("Kimi K2")
    box.press("Enter")
    card(tab, "kimi-k2")
    tab.locator(".cw-down").click()
    tab.wait_for_function("document.querySelector('.cw-model-head').getBoundingClientRect().top < 300")
    settle(tab)


def test_families_filter_and_the_slider_turns_back_time(visit):
    tab = drawn(visit("home"))
    tab.get_by_role("button", name="Latent", exact=True).click()
    expect(tab.locator(".cw-caption").first).to_contain_text(f"5 of {len(lesson.dots())} models")
    tab.get_by_role("button", name="Recurrent", exact=True).click()
    expect(tab.locator(".cw-caption").first).to_contain_text(f"9 of {len(lesson.dots())} models")
    press(tab, "month", "Home")
    expect(tab.locator(".cw-caption").first).to_contain_text(f"until {lesson.months()[0]}")
    settle(tab)
    query = parse_qs(urlsplit(tab.url).query)  # both families
    assert query["family"] == ["Latent", "Recurrent"] and query["month"] == [lesson.months()[0]]


def test_a_copied_link_opens_the_same_picture_and_card(visit):
    first = drawn(visit("home?family=Hybrid&family=Windows&month=2025-08&model=gpt-oss-20b"))
    link = copied(first)
    assert {"family", "month", "model", "organisation", "licence", "size", "v"} <= set(parameters(link))
    second = drawn(visit(link))
    card(second, "gpt-oss-20b")
    seen = [tab.evaluate(f"() => document.querySelector('{FIGURE}').data[1].marker.color.join()") for tab in (first, second)]
    assert seen[0] == seen[1] and first.evaluate(WORDS) == second.evaluate(WORDS)


def test_nonsense_in_a_link_shows_the_page(visit):
    tab = drawn(visit("home?model=%3Cb%3Enobody&month=99&family=x&family=%F0%9F%98%80&size=-1&organisation=" + "x" * 3000))
    expect(tab.locator(".cw-caption").first).to_contain_text(f"{len(lesson.dots())} of {len(lesson.dots())} models")
    expect(tab.locator(".cw-model-head")).to_have_count(0)


@pytest.mark.parametrize("key", lesson.tries())
def test_what_to_try_is_one_click_away(visit, key):
    tab = drawn(visit(""))
    tab.locator(f".st-key-cw-card-try-{key} a").click()
    chosen = lesson.tries()[key]
    tab.wait_for_url(f"**/{chosen.page}?**")
    expect(tab.locator(".map").first).to_be_visible(timeout=20_000)
    settle(tab)
    said = parameters(tab)
    assert all(said[name] == value for name, value in chosen.query if name in said)


@pytest.mark.parametrize("dark", [False, True])
def test_the_first_screen_of_a_phone_holds_promise_filters_and_picture(visit, dark):
    tab = drawn(visit("home", width=390, height=844, dark=dark))
    for place in (".cw-answer.top", ".st-key-family", ".st-key-cw-track-month", FIGURE):
        box = tab.locator(place).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place
    assert tab.locator(".st-key-cw-track-month").bounding_box()["height"] >= 44
    assert sideways(tab) <= 0
    assert len([word for word in tab.locator(f"{FIGURE} .textpoint:visible").all_text_contents() if word.strip()]) <= 11


def test_a_tap_opens_a_card_and_a_finger_on_the_picture_scrolls(chromium, base):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.goto(f"{base}/home")
    drawn(tab)
    tab.wait_for_timeout(500)
    x, y = tab.evaluate(PLACES, "llama3.1-405b")
    tab.touchscreen.tap(x, y)
    card(tab, "llama3.1-405b")
    assert tab.evaluate(CAUGHT, [x, y + 60]) == []
    context.close()


def test_the_stage_shows_the_picture_on_one_screen(visit):
    tab = drawn(visit("home?stage=1", width=1280, height=720))
    box = tab.locator(FIGURE).bounding_box()
    assert box["y"] + box["height"] <= 720
