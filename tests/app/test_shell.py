"""Theme, navigation and panels: python -m pytest tests/app/test_shell.py"""

import re
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import header, panels, theme
from app.palette import HUES, PALETTE
from core.model.registry import GROUPS, PAGES, Page
from core.paths import ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
SAME = {
    "backgroundColor": "paper", "secondaryBackgroundColor": "card", "textColor": "ink", "grayColor": "soft",
    "borderColor": "line", "primaryColor": "query", "linkColor": "query",
    "blueColor": "query", "orangeColor": "kv", "violetColor": "latent",
    "redColor": "routed", "greenColor": "saved", "codeBackgroundColor": "card", "codeTextColor": "ink",
}  # fmt: skip


@pytest.mark.parametrize("mode", PALETTE)
def test_the_configured_theme_is_the_palette(mode):
    ours, theirs = PALETTE[mode], dict(CONFIG["theme"][mode])
    assert theirs.pop("chartCategoricalColors") == [ours[hue] for hue in HUES]
    assert theirs == {key: ours[name] for key, name in SAME.items()}


def test_both_themes_name_the_same_colours():
    assert PALETTE["light"].keys() == PALETTE["dark"].keys() > set(HUES)


def test_the_css_defines_every_colour_and_survives_the_sanitiser():
    css = theme.css()
    for key in PALETTE["light"]:
        assert f"--cw-{key}:light-dark({PALETTE['light'][key]},{PALETTE['dark'][key]})" in css
    assert "<" not in css + theme.sheet("stage"), "Streamlit's sanitiser drops a <style> with a tag-like text in it"
    for hue in HUES:
        assert f'[class*="st-key-cw-hue-{hue}"]' in css


def test_every_custom_property_in_use_is_defined():
    every = theme.css() + theme.sheet("stage") + theme.sheet("header")
    defined = set(re.findall(r"(--cw-[\w-]+)\s*:", every))
    used = set(re.findall(r"var\((--cw-[\w-]+)\)", every))
    assert used <= defined, used - defined


def test_fonts_are_here_with_their_licences():
    faces = CONFIG["theme"]["fontFaces"]
    for face in faces:
        assert (ROOT / face["url"]).stat().st_size < 100_000, face["url"]
    assert len(list((ROOT / "app/static").glob("OFL-*.txt"))) == len({face["family"] for face in faces}) == 3
    for family in {face["family"] for face in faces}:
        assert family in "".join(theme.FONTS.values())


def test_production_settings():
    assert CONFIG["server"]["fileWatcherType"] == "none" and CONFIG["server"]["maxUploadSize"] == 1
    assert CONFIG["runner"]["postScriptGC"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none" and CONFIG["client"]["showErrorLinks"] == "false"
    assert not {"enableCORS", "enableXsrfProtection"} & CONFIG["server"].keys()


def test_groups_without_pages_do_not_appear():
    some = [Page("b", "B", GROUPS[2], "?"), Page("a", "A", GROUPS[0], "?"), Page("c", "C", GROUPS[0], "?")]
    assert [(entry["name"], [p["name"] for p in entry["pages"]]) for entry in header.menu(some)] == [
        (GROUPS[0], ["a", "c"]),
        (GROUPS[2], ["b"]),
    ]
    assert {page.group for page in PAGES} <= set(GROUPS)


@pytest.fixture
def checkout(tmp_path):
    """The frame with two stand-in pages, one of the registry's being absent."""
    for part in ("app", "core", "assets/css"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).symlink_to(ROOT / part)
    (tmp_path / "pages").mkdir()
    return tmp_path


def run_main(checkout: Path, **parameters) -> AppTest:
    """Run app/main.py with the checkout's pages."""
    source = (ROOT / "app" / "main.py").read_text(encoding="utf-8")
    source = source.replace("Path(__file__).resolve().parents[1]", f"Path({str(checkout)!r})")
    at = AppTest.from_string(source, default_timeout=30)
    for key, value in parameters.items():
        at.query_params[key] = value
    return at.run()


def test_the_frame_runs_the_first_page(checkout):
    (checkout / "pages" / "gqa.py").write_text("import streamlit as st\nst.text('here ' + st.query_params.get('kv_heads', '-'))")
    at = run_main(checkout, kv_heads="2")
    assert not at.exception
    assert [text.value for text in at.text] == ["here 2"]


def test_the_frame_without_pages_says_so(checkout):
    at = run_main(checkout)
    assert not at.exception and "no page yet" in at.info[0].value


def html_of(script: str) -> str:
    at = AppTest.from_string("from app import panels\n" + script).run()
    assert not at.exception
    return "".join(element.proto.body for element in at.get("html"))


EVIL = "<img src=x onerror=alert(1)>"


CALLS = (
    "title(E, E, E)",
    "answer(E, E)",
    "caption(E)",
    "bars([panels.Bar(E, 1, text=E)], E)",
    "check(E, E)",
    "check(E, 1)",
    "error(E)",
)


@pytest.mark.parametrize("call", CALLS)
def test_panels_escape(call):
    shown = html_of(f"E = {EVIL!r}\npanels.{call}")
    assert "&lt;img" in shown and "<img" not in shown


def test_terms_and_links_escape():
    assert "<img" not in panels.term(EVIL, EVIL) and "<img" not in panels.link(EVIL, "gqa", prompt=EVIL)


def test_check_is_honest():
    same, other = html_of("panels.check(3072, 3072)"), html_of("panels.check(3072, 3071)")
    assert "counted 3,072 = measured 3,072" in same and "differs" not in same
    assert "counted 3,072, measured 3,071" in other and "differs" in other and "✓" not in other


def test_bars_stay_within_their_cell():
    shown = html_of("panels.bars([panels.Bar('a', 7, 'kv', True, 'x'), panels.Bar('b', -1, text='y')])")
    assert "width:100%;background:var(--cw-kv)" in shown and "<b>x</b>" in shown and "width:0%" in shown
