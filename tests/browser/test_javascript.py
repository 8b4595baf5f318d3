"""The scripts' own functions in a real Chromium, one by one: what needs no page. The figures as a whole: test_maps.py.

The modules are loaded as they stand in their files, so that they also prove to be modules without being joined.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from app.figures import frame, maps
from app.javascript import module_text
from tests.browser.driver import ROOT

HOST = "http://scripts.test"
KINDS = {".js": "text/javascript", ".css": "text/css"}


@pytest.fixture(scope="module")
def page(chromium):
    """An empty page on whose host the scripts stand."""
    tab = chromium.new_page()

    def served(route):
        path = ROOT / route.request.url.removeprefix(HOST).strip("/")
        if path.is_file():
            route.fulfill(body=path.read_text(encoding="utf-8"), content_type=KINDS[path.suffix])
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    tab.route(f"{HOST}/**", served)
    tab.goto(HOST)
    yield tab
    tab.close()


@pytest.fixture
def call(page):
    """Runs the body of a function that knows `names` of a file in app/figures/js."""

    def called(file: str, names: str, body: str, given=None):
        load = f"const {{ {names} }} = await import('{HOST}/app/figures/js/{file}');"
        return page.evaluate(f"async (given) => {{ {load} {body} }}", given)

    return called


def header(**changes):
    """What the browser is sent about a map of two heads and four tokens, without its bytes."""
    given = {
        "panels": np.zeros((2, 4, 4), np.uint8),
        "tokens": list("abcd"),
        "scale": "probability",
        "limit": 1.0,
        "aspect": None,
    }
    return frame.unpack(maps.payload(key="k", title="t", alt="a", **(given | changes)))[0]


SHOW = "const data = new MapData(given[0], Uint8Array.from(given[1])); const view = new View(); view.show(data);"


@pytest.fixture
def view(page):
    """Runs a body that knows `data`, and `view` on it."""

    def viewed(body: str, head: dict, cells=(), **names):
        files = {"maps/data.js": "MapData", "maps/view.js": "View", **{k.replace("__", "/") + ".js": v for k, v in names.items()}}
        loads = "".join(f"const {{ {what} }} = await import('{HOST}/app/figures/js/{file}');" for file, what in files.items())
        return page.evaluate(f"async (given) => {{ {loads} {SHOW} {body} }}", [head, list(cells)])

    return viewed


def test_numbers_read_as_a_reader_says_them(call):
    said = call("numbers.js", "spoken", "return given.map(spoken);", [0.93, 0.012, 0.0001, -0.0001, 123.4, 0, -0.5])
    assert said == ["0.93", "0.012", "<0.001", ">-0.001", "123", "0", "-0.50"]
    cells = call("numbers.js", "cellText", "return given.map(cellText);", [1234567, 1.5, "1234", 0])
    assert cells == ["1,234,567", "1.5", "1234", "0"]


@pytest.mark.parametrize("size", [10, 40_000], ids=["plain", "deflated"])
def test_a_block_is_unpacked_as_it_was_packed(call, size):
    blob = np.arange(size).astype(np.uint8).tobytes()
    block = frame.pack({"name": "‘bo’", "n": [1, 2]}, blob)
    assert block[0] == (size > 10)
    head, count, last = call(
        "wire.js", "unpack",
        "const { header, cells } = await unpack(Uint8Array.from(given)); return [header, cells.length, cells.at(-1)];",
        list(block),
    )  # fmt: skip
    assert head == {"name": "‘bo’", "n": [1, 2]} and count == size and last == blob[-1]


def test_bytes_mean_the_values_they_were_made_of(view):
    p = np.array([[[0, 0.25], [0.81, 1]]])
    values = "return [...data.cells].map((byte) => data.value(byte));"
    plain = header(panels=maps.encode_probability(p), tokens=["a", "b"])
    assert view(values, plain, maps.encode_probability(p).ravel().tolist()) == pytest.approx(p.ravel(), abs=0.004)
    x = np.array([[[-3.0, 0], [1.5, 3]]])
    signed = header(panels=maps.encode_signed(x, 3), tokens=["a", "b"], scale="signed", limit=3.0)
    assert view(values, signed, maps.encode_signed(x, 3).ravel().tolist()) == pytest.approx(x.ravel(), abs=0.02)
    assert view("return data.ticks();", signed) == [[0, "-3"], [0.5, "0"], [1, "3"]]


def test_the_strongest_readings_leave_out_what_is_hidden(view):
    cells = maps.encode_probability(np.array([[[0.1, 0.6, 0.3, 0.9]]]), np.array([[[True, True, True, False]]]))
    head = header(panels=cells, tokens=(), rows=["r"], cols=list("wxyz"), labels=["map"])
    best = view("return view.strongest(0, 0, 2);", head, cells.ravel().tolist())
    assert [col for col, _ in best] == [1, 2] and best[0][1] == pytest.approx(0.6, abs=0.01)


def test_a_point_of_a_panel_is_a_cell_of_it(view):
    points = "return [[0, 0], [0.99, 0.5], [1, 1], [-0.1, 2]].map(([x, y]) => data.cellAt(x, y));"
    seen = view(points, header(panels=np.zeros((1, 4, 6), np.uint8), tokens=()))
    assert [(cell["row"], cell["col"]) for cell in seen] == [(0, 0), (2, 5), (3, 5), (3, 0)]


def test_a_view_keeps_what_fits_new_data_and_stays_at_the_end(view):
    body = """
    Object.assign(view, { head: 1, row: 3 });
    const seen = [view.selected()];
    const smaller = (changes) => new MapData({ ...given[0], ...changes }, data.cells);
    view.show(smaller({ tokens: ["a", "b"], shape: [2, 2, 2], steps: 2 }));
    seen.push(view.selected());
    view.stepTo(1);
    view.show(smaller({ shape: [1, 4, 4] }));
    return [...seen, view.selected()];
    """
    assert view(body, header()) == [
        {"head": 1, "row": 3, "step": 4}, {"head": 1, "row": None, "step": 2}, {"head": None, "row": None, "step": 1},
    ]  # fmt: skip


def test_a_row_isolated_is_a_row_shown(view):
    body = """
    view.stepTo(2);
    view.toggleRow(2);
    const seen = [[view.row, view.step]];
    view.stepTo(2);
    seen.push([view.row, view.rowsShown()]);
    view.hint = 3;
    seen.push(view.focusRow());
    view.hint = 1;
    return [...seen, view.focusRow()];
    """
    assert view(body, header()) == [[2, 3], [None, 2], None, 1]


def test_panels_of_a_group_share_a_rule_only_side_by_side(view):
    groups = header(panels=np.zeros((8, 4, 4), np.uint8), groups=[0, 0, 0, 1, 1, 1, 1, 2], group_labels=("a", "b", "c"))
    body = (
        "const runs = [0, 3, 4, 7].map((p) => view.run(p, 4)); view.head = 1; return [...runs, view.run(0, 4), view.run(1, 4)];"
    )
    assert view(body, groups) == [[0, 1, 2], [3], [4, 5, 6], [7], [0, 2], [1]]


def test_the_tape_draws_what_is_kept_and_outlines_the_rest(view):
    tape = maps.Tape(
        ("KV 1", "KV 2"), np.arange(1, 5) * 64, 3, np.arange(1, 5) * 96, window=0, windows=(0, 2), hues=("kv", "window")
    )
    body = """
    view.stepTo(3);
    const { cells, height } = tapeCells(view, 400);
    return [cells.map(([x, y, w, h, kind]) => [x, y, kind]), height, tapeLine(view)];
    """
    cells, height, line = view(body, header(tape=tape), maps__tape="tapeCells, tapeLine")
    assert [kind for *_, kind in cells] == ["kv"] * 3 + ["ghost"] + ["window"] * 2 + ["ghost"]
    assert [x for x, *_ in cells] == [0, 100, 200, 0, 100, 200, 0] and height == 34
    assert line == {"lead": "Cache after 3 tokens: ", "now": "192 B", "ghost": " (MHA 288 B)"}


def test_the_hint_says_what_can_be_done_here(view):
    body = "const at = (head) => [true, false].map((f) => hintText({ data, head }, f)); return [...at(null), ...at(1)];"
    said = view(body, header(), maps__readout="hintText")
    assert said == [
        "Tap a head or a token to isolate it.", "Point at a cell to read it; click a head or a token to isolate it.",
        "Tap a cell to read it.", "Click the map again or press Esc to see all.",
    ]  # fmt: skip
    one = header(panels=np.zeros((1, 3, 4), np.uint8), labels=["1st"])
    assert view(body, one, maps__readout="hintText")[:2] == ["", "Point at a cell to read it."]


def test_a_ring_writes_over_the_oldest_token(view):
    tape = maps.Tape(("window",), np.arange(1, 5) * 64, ring=3)
    body = "return [2, 4].flatMap((step) => { view.stepTo(step); return [ringSlots(view), ringLine(view)]; });"
    assert view(body, header(tape=tape), maps__tape="ringSlots, ringLine") == [
        [0, 1, -1], "Ring of 3 slots: ‘b’ (2) is written into slot 2",
        [3, 1, 2], "Ring of 3 slots: ‘d’ (4) is written into slot 1, over ‘a’ (1)",
    ]  # fmt: skip


def test_what_comes_back_from_python_is_no_news(call):
    body = """
    const selection = new Selection();
    const news = (step, now) => selection.isNews({ step }, { step }, now);
    const seen = [news(4, 0), news(4, 1)];
    selection.send({ step: 7 }, 100);
    return [...seen, news(7, 2000), news(5, 2000), news(7, 5000)];
    """
    assert call("selection.js", "Selection", body) == [True, False, False, True, True]


def test_only_the_newest_data_is_drawn(call):
    """A large block is inflated after a small one that came later has been drawn: it is old by then."""
    body = """
    const seen = [];
    class Kind {
      constructor(parent) { this.root = parent; seen.push("made"); }
      update(header) { seen.push(header.n); }
    }
    const draw = place(Kind), parentElement = document.createElement("div");
    const all = () => Promise.all(given.map((data) => draw({ parentElement, data: Uint8Array.from(data) })));
    await all();
    forget(parentElement);
    await all();
    return seen;
    """
    blocks = [list(frame.pack({"n": 1}, bytes(40_000))), list(frame.pack({"n": 2}))]
    assert call("place.js", "place, forget", body, blocks) == ["made", 2, "made", 2]


@pytest.mark.parametrize("stage", [True, False], ids=["on stage", "off stage"])
def test_a_link_in_a_page_keeps_the_stage(page, stage):
    """And it changes the page as the Back button does; a click that asks for a new tab is left alone."""
    body = """async ([module, query]) => {
      const parentElement = document.createElement("div"), link = document.createElement("a");
      history.replaceState({}, "", "/base/gqa" + query);
      parentElement.append(document.createElement("header"));
      Object.assign(link, { href: "/base/mla?kv=2", className: "cw-link" });
      document.body.append(link);
      const release = (await import(module)).default({ parentElement, data: { groups: [], current: "gqa", stage: false } });
      const stays = new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: true });
      addEventListener("click", (event) => event.preventDefault(), { once: true });
      link.dispatchEvent(stays);
      const seen = [location.pathname + location.search];
      link.click();
      release();
      link.remove();
      return [...seen, location.pathname + location.search];
    }"""
    query = "?stage=1" if stage else "?head=2"
    before, after = page.evaluate(body, [f"{HOST}/app/header.js", query])
    assert before == f"/base/gqa{query}" and after == "/base/mla?kv=2" + ("&stage=1" if stage else "")


def test_a_solver_that_rewrites_a_cell_is_told_apart(call):
    head = {"given": [1, 0, 0, 2], "truth": [1, 2, 1, 2], "gap": 0, "size": 2, "steps": 1, "updates": "zy", "kind": "sudoku",
            "keys": ["", "1", "2"], "names": ["gap", "1", "2"], "halt": [0.75]}  # fmt: skip
    cells = [1, 2, 2, 2, 1, 2, 1, 2, 255, 51, 102, 255, 255, 255, 153, 255]  # two frames of words, then how sure each is
    body = """
    const thought = new Thought(given[0], given[1]);
    return [thought.about(1), thought.about(2), [0, 1, 2, 3].map((c) => thought.tint(2, c)[0]), thought.table().rows[1]];
    """
    first, second, tints, row = call("boards/data.js", "Thought", body, [head, cells])
    assert first == {"step": 1, "update": 1, "of": "z", "changed": 2, "wrong": 1, "sure": 0.3, "halt": 0.75}
    assert second == {"step": 1, "update": 2, "of": "y", "changed": 1, "wrong": 0, "sure": 0.8, "halt": 0.75}
    assert tints == ["line", "saved", "state", "line"] and row == [1, 2, "y", 1, 0, 0.8, 0.75, "1212"]


@pytest.mark.parametrize("tight", [False, True], ids=["roomy", "tight"])
@pytest.mark.parametrize(("steps", "updates"), [(1, "y"), (4, "zzzzzzy"), (16, "y"), (16, "zy")])
def test_the_middle_of_a_small_board_is_that_board(call, steps, updates, tight):
    body = """
    const [trail, room] = given, grid = gridOf(trail, room), k = trail.updates.length, seen = [];
    for (let step = 0; step < trail.steps; step++) for (let u = 0; u < k; u++) {
      const x = Math.floor(step / grid.rows) * grid.block + grid.label + u * grid.pitch + grid.tile / 2;
      seen.push(frameAt(grid, trail, x, 18 + (step % grid.rows) * grid.pitch + grid.tile / 2));
    }
    return [seen, frameAt(grid, trail, 5, 2), grid.height <= room.height + 18 || grid.blocks === 4 || grid.tile <= 14];
    """
    room = {"width": 700, "height": 224 if tight else 430, "tight": tight}
    trail = {"steps": steps, "updates": updates, "halt": None, "stage": False}
    seen, above, fits = call("boards/tiles.js", "gridOf, frameAt", body, [trail, room])
    assert seen == list(range(1, steps * len(updates) + 1)) and above is None and fits


def test_a_csv_file_can_be_read_back(call):
    table = {"columns": ["a", 'say "b"'], "rows": [[1, "x,y"], [None, "two\nlines"]]}
    text = call("export.js", "csvText", "return csvText(...given);", [table, {"prompt": "bo \n kite", "n": 2}])
    assert text == '# prompt: bo kite\n# n: 2\na,"say ""b"""\n1,"x,y"\n,"two\nlines"\n'


def test_a_caption_is_wrapped_between_words(call):
    lines = call("maps/sheet.js", "wrapped", "return wrapped(given, 12);", "one two three four  fifteen-letters x")
    assert lines == ["one two", "three four", "fifteen-letters", "x"]


def test_joined_modules_keep_their_own_names(page, tmp_path):
    (tmp_path / "a.js").write_text("const n = 1;\n\nexport const one = () => n;\n")
    (tmp_path / "b.js").write_text('import { one } from "./a.js";\n\nconst n = 10;\n\nexport const eleven = () => one() + n;\n')
    (tmp_path / "c.css").write_text(".x { color: red }\n")
    entry = tmp_path / "entry.js"
    entry.write_text(
        'import { one as n } from "./a.js";\nimport { eleven } from "./b.js";\n'
        'import sheet from "./c.css" with { type: "css" };\n\n'
        "export default () => [n(), eleven(), sheet.cssRules[0].cssText];\n"
    )
    body = "async (text) => (await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })))).default()"
    assert page.evaluate(body, module_text(entry)) == [1, 11, ".x { color: red; }"]


def test_the_files_themselves_are_modules(page):
    """Every entry loads as it stands, unjoined, with its style sheets."""
    entries = [*Path(ROOT / "app/figures/js/entry").glob("*.js"), ROOT / "app/figures/js/strip.js", ROOT / "app/header.js"]
    names = [f"{HOST}/{path.relative_to(ROOT)}" for path in entries]
    script = f"() => Promise.all({json.dumps(names)}.map(async (name) => typeof (await import(name)).default))"
    assert page.evaluate(script) == ["function"] * len(entries)
