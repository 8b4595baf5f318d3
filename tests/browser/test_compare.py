"""The page that compares models in a real Chromium: a preset, the context, a copied link, a pasted config, a phone."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from core.model.registry import question
from core.real import catalogue
from tests.browser.driver import card, copied, follow, holds, parameters, press, settle, sideways

BARS = ".st-key-figure-ladders .barlayer .point path"


@pytest.fixture
def compare(visit):
    """Opens the page and waits for its ladders."""

    def opened(query: str = "", **how):
        tab = visit(f"compare{query}", **how)
        if parameters(tab).get("section", "See") == "See":
            expect(tab.locator(BARS).first).to_be_visible(timeout=20_000)
        settle(tab)
        return tab

    return opened


def words(tab) -> str:
    """The answer and the sentences below the ladders."""
    return tab.locator(".cw-answer.top").inner_text() + tab.locator(".cw-answers").inner_text()


def bars(tab) -> list[str]:
    """Every bar of the ladders, as drawn."""
    return tab.locator(BARS).evaluate_all("all => all.map(path => path.getAttribute('d'))")


def test_a_preset_changes_ladders_words_and_link(compare):
    tab = compare()
    before = words(tab)
    tab.get_by_role("radio", name="Qwen3, Qwen3-Next").click()
    expect(tab.locator(".cw-answer.top")).to_contain_text("1,049 tokens on", timeout=15_000)
    settle(tab)
    holds(tab, lambda: words(tab) != before and parameters(tab).get("b") == "Qwen3-Next 80B-A3B")
    expect(tab.locator(".st-key-figure-ladders .annotation-text").filter(has_text="12×")).to_have_count(1)


def test_the_context_moves_the_bars_and_the_numbers(compare):
    tab = compare("?context=1k")
    kept, before = card(tab, "kept"), bars(tab)
    expect(kept).to_contain_text("1,024 tokens")
    press(tab, "context", "ArrowRight")
    expect(kept).to_contain_text("2,048 tokens", timeout=15_000)
    settle(tab)
    holds(tab, lambda: bars(tab) != before and parameters(tab).get("context") == "2k")


@pytest.mark.parametrize("query", ["?b=DeepSeek-V3&context=16k", "?a=Jamba+v0.1&b=Gemma+2+9B&c=GPT-2+XL&weights=int4"])
def test_a_copied_link_opens_the_same_comparison(compare, query):
    first = compare(query)
    link = copied(first)
    assert {"a", "b", "c", "d", "context", "weights", "cache", "section", "v"} <= set(parameters(link))
    second = compare(link.split("/compare", 1)[1])
    assert words(first) == words(second) and bars(first) == bars(second)


def test_a_pasted_config_stands_beside_the_others_and_in_the_link(compare):
    tab = compare("?b=none")
    config = {**catalogue.entries()["llama3-8b"].config, "num_key_value_heads": 1, "_name_or_path": "mine"}
    tab.locator(".stExpander summary").click()
    box = tab.locator(".st-key-config-text textarea")
    box.fill(json.dumps(config))
    box.press("Control+Enter")
    expect(card(tab, "kept")).to_contain_text("mine", timeout=15_000)
    settle(tab)
    again = compare(f"?{urlsplit(tab.url).query}")
    expect(card(again, "kept")).to_contain_text("mine")
    assert words(again) == words(tab)


MARKS = {"See": BARS, "Fields": ".cw-table", "Count": ".st-key-figure-kept .main-svg", "Read": "[data-testid=stCode]"}


@pytest.mark.parametrize("dark", [False, True])
def test_no_section_scrolls_sideways_on_a_phone(compare, dark):
    models = "c=Nemotron-H+56B&d=Llama+3.1+405B"
    tab = compare(f"?{models}", width=390, height=844, dark=dark)
    for section, mark in MARKS.items():
        follow(tab, f"compare?section={section}&{models}")
        expect(tab.locator(mark).first).to_be_visible(timeout=20_000)
        assert sideways(tab) <= 1, section


def test_the_first_screen_of_a_phone_holds_question_controls_and_ladders(compare):
    tab = compare(width=390, height=844)
    places = [tab.get_by_role("heading", name=question("compare")), *(tab.locator(f".st-key-{key}") for key in "ab")]
    for place in (*places, tab.locator(".st-key-figure-ladders .main-svg").first):
        box = place.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, place


def test_nonsense_in_a_link_shows_the_page_and_says_so(compare):
    tab = compare("?a=nobody&b=%3Cscript%3E&context=-7&s=!!!")
    expect(tab.locator(".cw-error")).to_have_count(1)
    expect(card(tab, "kept")).to_contain_text("Llama 3 8B")


def test_a_rung_says_what_it_is(compare):
    tab = compare()
    bar = tab.locator(BARS).nth(5).bounding_box()
    tab.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    expect(tab.locator(".st-key-figure-ladders .hovertext")).to_contain_text("GQA 32/8")
