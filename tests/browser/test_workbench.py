"""The workbench in a real Chromium: a strip painted by mouse and keyboard, a config uploaded and pasted, nonsense, the link."""

import json

import pytest
from playwright.sync_api import expect

from core.real import catalogue
from tests.browser.driver import copied, holds, parameters, settle, sideways

LLAMA = catalogue.entries()["llama3-8b"].config


def letters(tab, row: str = "first-child") -> str:
    """What the strip says, a letter a layer: mixers, or with `last-child` feed-forward parts."""
    return "".join(tab.locator(f".track > div > i:{row}").all_text_contents())


def standing(tab):
    """Until the strip is drawn."""
    expect(tab.locator(".track > div").first).to_be_visible(timeout=20_000)
    settle(tab)
    return tab


def answer(tab):
    return tab.locator(".cw-answer.top")


def unfold(tab):
    """Open the place where a config is handed in."""
    tab.get_by_text("your config.json").click()


@pytest.fixture
def page(visit):
    """The workbench as it opens."""
    return standing(visit("workbench"))


def test_dragging_over_layers_paints_them_and_undo_takes_it_back(page):
    before = answer(page).text_content()
    cells = page.locator(".track > div")
    holds(page, lambda: letters(page) == "G" * 32)
    page.get_by_role("radio", name="Gated DeltaNet").click()
    cells.nth(4).hover()
    page.mouse.down()
    cells.nth(11).hover()
    page.mouse.up()
    holds(page, lambda: letters(page) == "G" * 4 + "D" * 8 + "G" * 20)
    expect(answer(page)).to_contain_text("painted", timeout=15_000)
    expect(answer(page)).to_contain_text("of state")
    page.get_by_role("button", name="Undo").click()
    expect(answer(page)).to_have_text(before, timeout=15_000)
    holds(page, lambda: letters(page) == "G" * 32)


def test_the_keyboard_paints_too(page):
    page.locator(".track").focus()
    for key in ("Home", "M", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(answer(page)).to_contain_text("painted", timeout=15_000)
    holds(page, lambda: letters(page) == "MMM" + "G" * 29)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.press("Enter")
    expect(answer(page)).to_contain_text("active", timeout=15_000)
    holds(page, lambda: letters(page, "last-child") == "e" * 32)


def test_a_copied_link_opens_the_same_design(page, visit):
    box = page.get_by_role("textbox", name="Pattern")
    box.fill("LLLLLG")
    box.press("Enter")
    expect(answer(page)).to_contain_text("painted", timeout=15_000)
    settle(page)
    link = copied(page)
    assert parameters(link)["s"]
    again = standing(visit(link))
    assert letters(again) == letters(page) == ("LLLLLG" * 6)[:32]
    assert answer(again).text_content() == answer(page).text_content()


def test_an_uploaded_config_is_counted(page, tmp_path):
    unfold(page)
    place = tmp_path / "mine.json"
    place.write_text(json.dumps({**LLAMA, "num_hidden_layers": 7}))
    page.locator("input[type=file]").first.set_input_files(place)
    expect(answer(page)).to_contain_text("mine:", timeout=15_000)
    expect(page.locator(".track > div")).to_have_count(7)


def test_pasting_a_config_and_nonsense(page):
    unfold(page)
    box = page.get_by_role("textbox", name="or paste it")
    for text, said in (
        ("{broken", "not JSON"),
        ("meta-llama/Llama-3.1-8B", "raw/main/config.json"),
        ('{"model_type": 3}', "model_type"),
    ):
        box.fill(text)
        box.press("Control+Enter")
        expect(page.locator(".cw-error")).to_contain_text(said, timeout=15_000)
        holds(page, lambda: letters(page) == "G" * 32)
    box.fill(json.dumps({**LLAMA, "num_hidden_layers": 5, "_name_or_path": "org/five"}))
    box.press("Control+Enter")
    expect(answer(page)).to_contain_text("five:", timeout=15_000)
    expect(page.locator(".track > div")).to_have_count(5)
    expect(page.locator(".cw-error")).to_have_count(0)


def test_what_no_link_can_hold_says_so_when_the_link_is_copied(page):
    unfold(page)
    box = page.get_by_role("textbox", name="or paste it")
    box.fill(json.dumps({**LLAMA, "id2label": {f"{i * 7919**5:x}": f"{i * 104729**6:x}" for i in range(1, 400)}}))
    box.press("Control+Enter")
    page.wait_for_selector(".cw-state[data-refused]", state="attached", timeout=15_000)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("alert").filter(has_text="Cutaway file")).to_be_visible()


def test_a_link_gone_wrong_says_so_and_shows_the_base(visit):
    page = standing(visit("workbench?s=nonsense"))
    expect(page.locator(".cw-error")).to_contain_text("link", timeout=15_000)
    holds(page, lambda: letters(page) == "G" * 32)


def test_a_phone_paints_by_finger_and_shows_the_narrow_diagram(visit):
    page = standing(visit("workbench", 390, 844))
    expect(page.locator(".narrow svg")).to_be_visible(timeout=15_000)
    expect(page.locator(".wide svg")).to_be_hidden()
    assert sideways(page) <= 0


def test_reasons_fit_a_phone(visit):
    tab = standing(visit("workbench?section=Disagree&model=DeepSeek-V4-Flash", width=390, height=844))
    table = tab.locator(".st-key-cw-reasons .cw-scroll")
    expect(table).to_contain_text("one dtype for all")
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") == 0


def test_no_section_scrolls_a_phone_sideways(visit):
    """Names of layers are long; what scrolls is not the document but the box in it."""
    tab = standing(visit("workbench?section=Twin&model=Qwen3-Next+80B-A3B", width=390, height=844))
    expect(tab.locator(".st-key-layer")).to_be_visible(timeout=20_000)
    assert sideways(tab) <= 0
