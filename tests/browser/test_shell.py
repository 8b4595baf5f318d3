"""The frame in a real Chromium: python -m pytest tests/browser/test_shell.py

The pages are stand-ins in a copy.
"""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from app.palette import PALETTE
from tests.browser import driver
from tests.browser.driver import ROOT, copied, holds, parameters, rest, sideways

REGISTRY = """
PAGES = (Page("gqa", "Grouped-query attention", GROUPS[0], "What if?"), Page("mla", "Latent attention", GROUPS[0], "And if?"),
         Page("absent", "Absent", GROUPS[3], "No file"))
"""
GQA = """
import streamlit as st
from app import controls, panels
panels.title("What if heads share their keys and values?", "The cache shrinks.", "Not the arithmetic.")
with controls.row():
    kv = controls.Slider("kv_heads", "KV heads", [1, 2, 4, 8], 2, hue="kv", help="Sets of keys and values.").draw()
    controls.presets("models", {"GPT-2": {"kv_heads": 8}, "Llama 3": {"kv_heads": 2}, "Multi-query": {"kv_heads": 1}}, hue="kv")
prompt = controls.Prompt("prompt", "Prompt", {"pairs": "ann lamp", "swap": "bo kite"}, lambda r: "new words", max_chars=40).draw()
panels.caption("See {mla}.", mla=panels.link("the other", "mla", section="Count", prompt="from there"))
st.html('<a class="cw-link" href="https://example.org/" target="_blank">elsewhere</a>')
panels.answer("The cache shrinks.", "Not the arithmetic.")
section = controls.sections(["See", "Count", "Prove"])
st.text(f"state: {kv} {prompt} {section}")
"""
MLA = """
import streamlit as st
from app import controls, panels
panels.title("What if we cache a summary instead?")
prompt = controls.Prompt("prompt", "Prompt", {"pairs": "ann lamp"}, max_chars=40).draw()
section = controls.sections(["See", "Count"])
st.text(f"state: {prompt} {section}")
"""


def stand_ins(copy: Path) -> None:
    """A copy of the app with two stand-in pages."""
    for part in ("app", ".streamlit", "assets/css", "core"):
        shutil.copytree(ROOT / part, copy / part)
    registry = (ROOT / "core" / "model" / "registry.py").read_text() + REGISTRY  # with other pages than its own
    for name, text in {"core/model/registry.py": registry, "pages/gqa.py": GQA, "pages/mla.py": MLA}.items():
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(text)


@pytest.fixture(scope="module")
def base(common):
    """The copy, running."""
    with driver.shared(common / "shell", common / "shell-copy", "app/main.py", stand_ins) as address:
        yield address


def shows(tab, text: str) -> None:
    expect(tab.get_by_text(f"state: {text}", exact=True)).to_be_visible(timeout=10_000)


def variable(tab, key: str) -> str:
    return tab.evaluate(f"getComputedStyle(document.querySelector('.stMain')).getPropertyValue('--cw-{key}')")


def rgb(colour: str) -> str:
    """#d1762a as the browser writes it."""
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


def background(tab) -> str:
    return tab.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")


@pytest.mark.parametrize("path", ["gqa?kv_heads=8&section=Prove", "?kv_heads=8&section=Prove"])
def test_a_deep_link_is_honoured(visit, path):
    shows(visit(path), "8 ann lamp Prove")


def test_a_copied_link_opens_the_same_state(visit):
    tab = visit("gqa")
    tab.locator(".st-key-kv_heads input[type=range]").focus()
    tab.keyboard.press("ArrowRight")
    shows(tab, "4 ann lamp See")
    tab.get_by_text("swap").click()
    shows(tab, "4 bo kite See")
    link = copied(tab)
    assert link == tab.url
    assert urlsplit(link).path == "/gqa"
    assert parameters(tab) == {"kv_heads": "4", "prompt": "bo kite", "section": "See", "v": "1"}
    shows(visit(link), "4 bo kite See")
    tab.reload()
    shows(tab, "4 bo kite See")


def test_a_copied_link_follows_a_control_that_went_back_to_its_default(visit):
    tab = visit("gqa?kv_heads=4")
    tab.locator(".st-key-kv_heads input[type=range]").focus()
    tab.keyboard.press("ArrowLeft")
    shows(tab, "2 ann lamp See")
    assert parameters(copied(tab))["kv_heads"] == "2"


def test_a_copied_link_holds_what_is_isolated_and_no_junk(visit):
    tab = visit("gqa?head=3&junk=1")
    copied(tab)
    assert parameters(tab) == {"kv_heads": "2", "prompt": "ann lamp", "section": "See", "head": "3", "v": "1"}


def test_without_a_clipboard_the_link_is_offered_as_text(visit):
    tab = visit("gqa?kv_heads=8")
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false")
    tab.get_by_role("button", name="Copy link").click()
    field = tab.get_by_label("Link to this state")
    holds(tab, lambda: "kv_heads=8" in field.input_value())
    assert field.evaluate("e => e.selectionEnd - e.selectionStart") == len(field.input_value())


def test_nonsense_shows_the_defaults(visit):
    tab = visit("gqa?kv_heads=99&kv_heads=abc&section=%F0%9F%98%80&stage=7&v=x&junk=1&prompt=" + "%3Cb%3E" * 2000)
    shows(tab, "2 " + "<b>" * 13 + "<" + " See")
    expect(tab.locator("[data-testid=stException]")).to_have_count(0)


def test_back_and_links_keep_parameters_that_pages_share(visit):
    tab = visit("gqa?kv_heads=8&section=Prove&prompt=mine")
    shows(tab, "8 mine Prove")
    tab.get_by_role("link", name="the other").click()
    shows(tab, "from there Count")
    tab.go_back()
    shows(tab, "8 mine Prove")
    holds(tab, lambda: parameters(tab) == {"kv_heads": "8", "section": "Prove", "prompt": "mine"})
    tab.go_forward()
    shows(tab, "from there Count")
    holds(tab, lambda: parameters(tab).get("section") == "Count")


def test_a_link_to_another_host_is_left_to_the_browser(visit):
    tab = visit("gqa")
    taken = tab.evaluate("""() => new Promise(done => {
        document.addEventListener("click", event => { done(event.defaultPrevented); event.preventDefault() }, {once: true})
        setTimeout(() => document.querySelector("a.cw-link[target]").click())
    })""")
    assert taken is False


def test_the_menu_reaches_pages_that_exist(visit):
    tab = visit("gqa")
    header = tab.locator(".st-key-cw-header header")
    assert "Models" not in header.inner_text()  # its only page has no file
    header.get_by_text("Cheaper inference").first.click()
    header.get_by_role("link", name="Latent attention").first.click()
    shows(tab, "ann lamp See")
    expect(tab).to_have_title("Latent attention · Cutaway")
    assert urlsplit(tab.url).path == "/mla"
    tab.get_by_role("link", name="Cutaway").click()
    shows(tab, "2 ann lamp See")


@pytest.mark.parametrize("mode", PALETTE)
def test_the_page_has_the_palette_and_the_fonts(visit, mode):
    tab = visit("gqa", dark=mode == "dark")
    for key, colour in PALETTE[mode].items():
        assert variable(tab, key) == rgb(colour), key
    paper = background(tab)
    assert paper == variable(tab, "paper")
    tab.emulate_media(color_scheme="light" if mode == "dark" else "dark")  # the reader's system changes under the open page
    other = PALETTE["light" if mode == "dark" else "dark"]["paper"]
    expect(tab.locator(".stApp")).to_have_css("background-color", rgb(other))
    holds(tab, lambda: variable(tab, "paper") == rgb(other))
    tab.emulate_media(color_scheme=mode)
    expect(tab.locator(".stApp")).to_have_css("background-color", paper)
    loaded = tab.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family.replaceAll('\"', ''))")
    assert {"Inter", "SourceSerif", "JetBrainsMono"} <= set(loaded)
    thumb = tab.locator(".st-key-kv_heads [data-rac]:has(> div > input)")
    expect(thumb).to_have_css("background-color", rgb(PALETTE[mode]["kv"]))


def test_stage(visit):
    tab = visit("gqa?stage=1", 1280, 720)
    size = "parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)"
    rest(tab)
    assert tab.evaluate(size) > 38
    assert not tab.get_by_role("button", name="Copy link").is_visible()
    tab.keyboard.press("n")
    shows(tab, "1 ann lamp See")
    tab.keyboard.press("p")
    shows(tab, "2 ann lamp See")
    tab.keyboard.press("2")
    shows(tab, "2 ann lamp Count")
    holds(tab, lambda: parameters(tab).get("stage") == "1")
    tab.get_by_label("Prompt", exact=True).last.fill("")
    tab.keyboard.type("n3p")  # typing is typing
    tab.keyboard.press("Enter")
    shows(tab, "2 n3p Count")
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Copy link")).to_be_visible()
    holds(tab, lambda: tab.evaluate(size) == pytest.approx(31, abs=0.1) and "stage" not in parameters(tab))
    tab.keyboard.press("n")  # no keys off stage
    tab.get_by_role("button", name="Stage").click()
    expect(tab.get_by_role("button", name="Leave stage")).to_be_visible()
    shows(tab, "2 n3p Count")
    holds(tab, lambda: parameters(tab).get("stage") == "1")


def test_a_phone(visit):
    tab = visit("gqa", 390, 844)
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") == "22.995px"
    assert tab.locator("h1").bounding_box()["height"] < 60  # two lines
    assert tab.locator(".st-key-kv_heads .stSlider").bounding_box()["height"] >= 44
    assert sideways(tab) <= 0
    assert not tab.locator(".cw-answer.top").is_visible() and tab.locator(".cw-answer.low").is_visible()
    bar = tab.locator(".st-key-cw-sections").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
    tab.locator("header nav.narrow summary").click()
    tab.locator("header nav.narrow").get_by_role("link", name="Latent attention").click()
    shows(tab, "ann lamp See")


def test_a_term_explains_itself_from_the_keyboard(visit):
    tab = visit("gqa")
    tab.get_by_role("button", name="KV heads").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Sets of keys and values.")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_text("Sets of keys and values.")).to_be_hidden()
