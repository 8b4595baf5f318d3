"""The figures in a real Chromium: what a visitor points at, isolates, steps through and downloads.

Needs playwright and a Chromium (CHROMIUM names it; Debian's is found by itself).
"""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser import driver

SVG = "{http://www.w3.org/2000/svg}"

APP = """
import numpy as np, streamlit as st
from app.figures import frame, maps
st.set_page_config(layout="wide")
frame.load()
WORDS = "ann lamp bo kite cy drum di rope eva coin fay harp bo".split()
pairs = int(st.query_params.get("repeat", 1))
tokens = WORDS * pairs
T = len(tokens)
kv = st.select_slider("KV heads", [8, 4, 2, 1], value=2)
visible = np.tril(np.ones((T, T), bool))
p = np.where(visible, .05, 0) + np.eye(T) * .2
panels = np.stack([p * (1 + h / 10) * (1 + kv / 20) for h in range(8)])
panels[2, T - 1, 3] = .81
by = lambda lanes: 64 * lanes * np.arange(1, T + 1)
start = {"head": 4} if "start" in st.query_params else {}
if st.toggle("Jump"): start = {"head": 6, "row": 2, "step": 9}
chosen = maps.maps(
    maps.encode_probability(panels, visible), key="attention", title="Attention", alt="Eight attention maps.", tokens=tokens,
    groups=[h * kv // 8 for h in range(8)], group_labels=[f"KV {g + 1}" for g in range(kv)], roles={3: "key", T - 1: "query"},
    answer=("kite", .998), tape=maps.Tape(tuple(f"KV {g + 1}" for g in range(kv)), by(kv), 8, by(8)), selected=start,
    caption=f"**8 query heads, {kv} KV heads.** Rest.", config={"kv_heads": kv, "prompt": "bo \\u2192 kite"})
st.text(f"chosen: {chosen['head']} {chosen['row']} {chosen['step']}")
if "chart" not in st.query_params: st.stop()
import plotly.graph_objects as go
fig = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), layout={"title": "Cache", "font": {"family": "Inter"}})
frame.figure(fig, key="cache", alt="Cache.", height=260, caption="**Cache.**", config={"kv_heads": kv},
             table={"n": np.arange(300), "bytes": np.arange(300) * 1024.5})
"""


def alone(folder: Path) -> None:
    """An app with one canvas figure and one Plotly figure."""
    folder.mkdir()
    (folder / "page.py").write_text(APP)


@pytest.fixture(scope="module")
def address(common):
    """That app, running."""
    with driver.shared(common / "maps", common / "maps-app", "page.py", alone) as running:
        yield running


@pytest.fixture
def visit(chromium, address):
    """Open the page; at the end there must have been no error and no request to another host."""
    with driver.visitors(chromium, address) as open_page:

        def opened(query: str = "", width: int = 1440, height: int = 1000, **how):
            page = open_page(f"?{query}", width, height, **how)
            expect(page.locator(".map")).to_have_count(8, timeout=30000)
            expect(page.locator(".cap b").first).to_contain_text("KV heads")
            page.wait_for_timeout(300)
            return page

        yield opened


def pixels(page, panel: int) -> list[list[int]]:
    """A panel's canvas as rows of RGBA sums (0 = paper)."""
    script = """canvas => {
        const {width: w, height: h} = canvas, d = canvas.getContext('2d').getImageData(0, 0, w, h).data;
        const sum = (at) => d[at] + d[at + 1] + d[at + 2] + d[at + 3];
        return Array.from({length: h}, (_, r) => Array.from({length: w}, (_, c) => sum(4 * (r * w + c))));
    }"""
    return page.locator(f".map[data-panel='{panel}'] canvas").first.evaluate(script)


def point_at(page, panel: int, row: int, col: int, tokens: int = 13) -> None:
    """Move the pointer to the middle of a cell."""
    target = page.locator(f".map[data-panel='{panel}']")
    box = target.bounding_box()
    cell = {"x": box["width"] * (col + 0.5) / tokens, "y": box["height"] * (row + 0.5) / tokens}
    target.hover(position=cell)


def tape_alpha(page, lane: int, token: int) -> int:
    """How opaque the middle of a tape cell is: 255 = kept."""
    script = """(canvas, [lane, token]) => {
        const x = (token + 0.5) / 13 * canvas.width, y = (lane * 8 + 3) * devicePixelRatio;
        return canvas.getContext('2d').getImageData(x, y, 1, 1).data[3];
    }"""
    return page.locator(".tape canvas").evaluate(script, [lane, token])


def move_kv(page, key: str = "ArrowRight") -> None:
    page.locator("[data-testid=stSlider] input").first.focus()
    page.keyboard.press(key)


def download(page, figure: int, kind: str, folder: Path) -> Path:
    with page.expect_download() as started:
        page.locator(".foot").nth(figure).get_by_role("button", name=f"Download this figure as {kind}").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_masked_cells_are_paper_and_strong_ones_stand_out(visit):
    page = visit()
    rows = pixels(page, 2)
    assert all(rows[r][c] == 0 for r in range(13) for c in range(r + 1, 13))
    assert all(rows[r][c] > 0 for r in range(13) for c in range(r + 1))
    assert rows[12][3] < rows[12][2]  # 0.81 is deeper than 0.06


def test_a_control_changes_the_picture_in_place(visit):
    page = visit()
    page.locator(".map").first.evaluate("map => { map.dataset.mark = 'same' }")
    before = pixels(page, 0)
    move_kv(page)
    expect(page.locator(".cap b").first).to_have_text("8 query heads, 1 KV heads.")
    assert pixels(page, 0) != before
    assert page.locator(".map").first.get_attribute("data-mark") == "same"
    expect(page.locator(".tape b")).to_have_text("832 B")


def test_groups_have_labels_and_their_own_rules(visit):
    page = visit()
    assert page.locator(".name").all_inner_texts()[3:5] == ["head 4\nKV 1", "head 5\nKV 2"]
    assert page.locator(".panel.joined").count() == 6  # one rule spans the heads of a group
    assert page.locator(".panel .rule").nth(0).inner_html() != page.locator(".panel .rule").nth(4).inner_html()


def test_four_panels_stand_side_by_side_on_a_phone_and_nothing_scrolls_sideways(visit):
    page = visit(width=390, height=844)
    tops = [round(box["y"]) for box in (m.bounding_box() for m in page.locator(".map").all())]
    assert len(set(tops[:4])) == 1 and len(set(tops[4:])) == 1 and tops[0] < tops[4]
    assert driver.sideways(page) <= 0


def test_pointing_reads_a_cell(visit):
    page = visit()
    point_at(page, 2, 12, 3)
    expect(page.locator(".readout")).to_have_text("head 3: ‘bo’ (13) reads ‘kite’ (4): 0.81")
    point_at(page, 2, 0, 12)
    expect(page.locator(".readout")).to_have_text("head 3: ‘ann’ (1) does not see ‘bo’ (13)")


def test_a_click_isolates_a_head_and_python_learns_of_it(visit):
    page = visit()
    page.locator(".map").nth(2).click()
    expect(page.locator(".panel.big .name")).to_contain_text("head 3")
    expect(page.locator(".reads .line").first).to_contain_text("kite")
    expect(page.get_by_text("chosen: 2 None 13")).to_be_visible()
    page.wait_for_timeout(600)
    expect(page.locator(".panel.big .name")).to_contain_text("head 3")
    page.locator(".panel.big .map").click()
    expect(page.locator(".panel.big")).to_have_count(0)
    expect(page.get_by_text("chosen: None None 13")).to_be_visible()


def test_what_is_isolated_survives_new_data(visit):
    page = visit()
    page.locator(".map").nth(2).click()
    page.locator(".tok").nth(12).click()
    expect(page.get_by_text("chosen: 2 12 13")).to_be_visible()
    move_kv(page)
    expect(page.locator(".cap b").first).to_contain_text("1 KV heads")
    expect(page.locator(".panel.big .name")).to_contain_text("head 3")
    expect(page.get_by_text("chosen: 2 12 13")).to_be_visible()


def test_the_keyboard_reaches_everything(visit):
    page = visit()
    page.locator(".map").nth(1).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".readout")).to_contain_text("head 2: ‘harp’ (12) reads ‘lamp’ (2)")
    page.keyboard.press("Enter")
    expect(page.locator(".panel.big .name")).to_contain_text("head 2")
    page.keyboard.press("Escape")
    expect(page.locator(".panel.big")).to_have_count(0)
    page.locator(".tok").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator(".tok.on")).to_have_text("bo")


def test_a_token_tints_what_it_reads(visit):
    page = visit()
    page.locator(".tok").last.click()
    tint = [float(t.evaluate("t => parseFloat(t.style.getPropertyValue('--tint'))")) for t in page.locator(".tok").all()]
    assert max(range(12), key=tint.__getitem__) == 3
    expect(page.locator(".lens:visible")).to_have_count(8)
    expect(page.locator(".readout")).to_contain_text("‘bo’ (13) reads ‘kite’ (4) most: head 3, 0.81")


def test_steps_hide_later_rows_and_fill_the_tape(visit):
    page = visit()
    page.get_by_label("Token step").focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("output")).to_have_text("5 of 13 cy")
    rows = pixels(page, 0)
    assert sum(rows[4]) > 0 and not any(map(sum, rows[5:]))
    expect(page.locator(".tape p span").first).to_have_text("Cache after 5 tokens: 640 B (MHA 2,560 B)")
    assert [tape_alpha(page, *at) for at in ((0, 2), (1, 2), (2, 2), (0, 9))] == [255, 255, 0, 0]
    expect(page.locator(".tok.later")).to_have_count(8)
    expect(page.get_by_text("chosen: None None 5")).to_be_visible()
    assert page.get_by_label("Token step").bounding_box()["height"] >= 44


def test_play_runs_to_the_end(visit):
    page = visit()
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_text("chosen: None None 13")).to_be_visible()
    expect(page.locator("output b")).to_have_text("13", timeout=10000)
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_link_opens_on_its_selection_and_python_can_move_it(visit):
    page = visit("start=1")
    expect(page.locator(".panel.big .name")).to_contain_text("head 5")
    page.locator(".panel.big .map").click()
    expect(page.get_by_text("chosen: None None 13")).to_be_visible()
    page.get_by_text("Jump").click()
    expect(page.locator(".panel.big .name")).to_contain_text("head 7")
    expect(page.locator("output b")).to_have_text("9")
    expect(page.locator(".tok.on")).to_have_text("bo")


def test_a_long_prompt_stays_short_and_keeps_what_matters(visit):
    page = visit("repeat=9", width=390, height=844)
    assert page.locator(".prompt").bounding_box()["height"] < 110
    expect(page.locator(".tok.key")).to_be_visible()
    expect(page.locator(".tok.query")).to_be_visible()
    expect(page.locator(".said")).to_be_visible()
    page.get_by_role("button", name="all 117 tokens").click()
    assert page.locator(".tok:visible").count() == 117


def test_the_theme_changes_the_colours(visit):
    page = visit(dark=True)
    dark = pixels(page, 2)
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(1500)
    assert pixels(page, 2) != dark
    assert dark[12][3] > dark[12][2]  # in the dark, strong is bright


def test_it_says_what_it_shows(visit):
    page = visit()
    expect(page.get_by_role("img", name="Eight attention maps.")).to_be_attached()
    page.locator(".maps summary").click()
    page.locator(".map").nth(2).click()
    expect(page.locator(".maps tbody tr")).to_have_count(13)
    expect(page.locator(".maps tbody tr").last).to_contain_text("kite (4) 0.81")


def test_the_page_scrolls_over_the_figure(visit):
    page = visit(width=390, height=844)
    box = page.locator(".map").nth(1).bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(500)
    assert page.locator(".map").nth(1).bounding_box()["y"] < box["y"] - 100
    assert page.locator(".map").first.evaluate("map => getComputedStyle(map).touchAction") == "pan-y"


@pytest.mark.parametrize(("figure", "name"), [(0, "attention"), (1, "cache")])
def test_pictures_carry_their_configuration(visit, tmp_path, figure, name):
    page = visit("chart=1")
    page.wait_for_selector(".main-svg")
    png = Image.open(download(page, figure, "PNG", tmp_path))
    png.load()
    assert json.loads(png.text["Cutaway"])["kv_heads"] == 2
    assert len(png.convert("RGB").getcolors(1 << 24)) > 20
    path = download(page, figure, "SVG", tmp_path)
    tree = ET.parse(path).getroot()
    assert path.name == f"cutaway-{name}.svg"
    assert json.loads(tree.find(f"{SVG}metadata").text)["kv_heads"] == 2
    assert float(tree.get("width")) * 2 == png.width
    words = "".join(tree.itertext())
    assert ("head 8" in words and "KV 2" in words) if figure == 0 else "Cache" in words
    assert len(list(tree.iter(f"{SVG}image"))) == 9 or figure == 1


def test_every_number_is_in_the_csv_file(visit, tmp_path):
    page = visit("chart=1")
    text = download(page, 0, "CSV", tmp_path).read_text()
    assert text.startswith("# kv_heads: 2\n# prompt: bo → kite\n")
    rows = list(csv.DictReader(io.StringIO(re.sub(r"(?m)^#.*\n", "", text))))
    assert len(rows) == 8 * 13 * 14 / 2
    found = next(r for r in rows if (r["panel"], r["row"], r["column label"]) == ("head 3", "13", "kite"))
    assert float(found["value"]) == pytest.approx(0.81, abs=0.004)
    page.locator(".frame summary").click()
    expect(page.locator(".frame tbody tr")).to_have_count(200)
    expect(page.locator(".frame .note")).to_contain_text("The first 200 of 300 rows; the CSV file has all.")
    assert len(download(page, 1, "CSV", tmp_path).read_text().splitlines()) == 302


def test_a_move_is_small_on_the_wire(chromium, address):
    """The drawing code travels once; a move of eight panels with 117 tokens sends the data only."""
    sizes = []
    page = chromium.new_page()
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sizes.append(len(data))))
    page.goto(f"{address}/?repeat=9")
    expect(page.locator(".cap b").first).to_have_text("8 query heads, 2 KV heads.", timeout=30000)
    page.wait_for_timeout(1000)
    first = sum(sizes)
    sizes.clear()
    move_kv(page)
    expect(page.locator(".cap b").first).to_have_text("8 query heads, 1 KV heads.")
    page.wait_for_timeout(800)
    page.close()
    assert 0 < sum(sizes) < 60_000 < first
