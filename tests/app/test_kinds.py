"""What every kind of figure promises: its table holds the numbers of the traces, its alternative text the current values."""

from dataclasses import replace

import numpy as np
import pytest

from app.figures import frame, kinds
from app.palette import PALETTE
from core.units import binary

TOKENS = np.arange(1, 9)
LINES = {"all": 64 * TOKENS, "half": 32 * TOKENS, "flat": np.full(8, 100)}


def growth(**changes) -> kinds.Growth:
    """Three lines, the second one measured."""
    points = np.array([2, 8])
    data = {"lines": kinds.lines(LINES, "half", "kv", 2.6), "loud": "half", "tokens": TOKENS, "points": points}
    return kinds.Growth(**data | {"measured": 32 * points} | changes)


def against(**changes) -> kinds.Against:
    """Two lines that meet at 4k."""
    contexts = 2 ** np.arange(10, 15)
    lines = kinds.Line("grows", 16 * contexts, "kv", 1.8), kinds.Line("level", np.full(5, 65536), "state", 2.8, at=0)
    data = {"subject": "Memory of Someone", "lines": lines, "contexts": contexts, "title": "cache", "ticks": kinds.DECADES}
    return kinds.Against(**data | {"label": binary} | changes)


def models(**changes) -> kinds.Models:
    """Three models, two marks each."""
    whole, own = np.array([1 << 30, 1 << 24, 1 << 20]), np.array([1 << 20, 1 << 16, 1 << 18])
    marks = kinds.Marks("before", whole, "soft", "circle-open", 10, 2), kinds.Marks("after", own, "kv")
    data = {"subject": "Cache of 3 models", "names": ("A", "B", "C"), "marks": marks, "label": binary, "hue": "kv"}
    return kinds.Models(**data | changes)


KINDS = (growth(), growth(log=True), growth(legend=True), against(), against(label=None), models())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stroke", [1.0, 1.8])
def test_the_table_holds_the_numbers_of_the_traces(kind, stroke):
    drawing = kind.drawing(PALETTE["light"], stroke)
    across, *columns = drawing.table.values()
    drawn = [trace for trace in drawing.figure.data if trace.hoverinfo != "skip" and trace.name in {c.name for c in named(kind)}]
    assert len(drawn) == len(columns) == len(named(kind))
    for trace, column in zip(drawn, columns):
        values, place = (trace.x, trace.y) if isinstance(kind, kinds.Models) else (trace.y, trace.x)
        assert np.array_equal(values, column)
        assert isinstance(kind, kinds.Models) or np.array_equal(place, across)


def named(kind) -> tuple:
    """What a kind draws by name."""
    return kind.marks if isinstance(kind, kinds.Models) else kind.lines


def test_the_text_of_growth_names_every_end_and_whether_measured_bytes_agree():
    assert growth().alt == (
        "Bytes against tokens, at 8 tokens all 512 B, half 256 B, flat 100 B; the measured bytes of half lie on its counted line"
    )
    assert "do not lie on" in growth(measured=np.array([64, 255])).alt


def test_an_upright_line_is_drawn_and_said_where_it_stands_in_the_picture():
    for there, is_met in ((0, False), (4, True), (8, True), (9, False)):
        drawing = growth(meets=(there, f"window {there}")).drawing(PALETTE["dark"])
        assert (f"window {there}" in drawing.alt) is bool(drawing.figure.layout.shapes) is is_met


def test_the_text_of_against_names_the_last_values_in_its_units():
    assert against(remark="they meet").alt == (
        "Memory of Someone against context, at 16,384 tokens grows 256 KiB, level 64.0 KiB; they meet"
    )
    assert against(label=None).alt.endswith("grows 262 k FLOP, level 65.5 k FLOP")
    assert list(against(columns=("a", "b"), more={"c": TOKENS[:5]}).table) == ["context", "a", "b", "c"]


def test_the_text_of_models_names_the_marks_of_the_chosen_one():
    assert models().alt == "Cache of 3 models; A: before 1.00 GiB, after 1.00 MiB"
    drawing = models(chosen=2).drawing(PALETTE["light"])
    assert drawing.alt.endswith("; C: before 1.00 MiB, after 256 KiB")
    assert drawing.figure.layout.yaxis.ticktext == ("A", "B", "<b>C</b>")


def test_the_loud_line_alone_has_the_hue():
    quiet, loud = PALETTE["light"]["soft"], PALETTE["light"]["kv"]
    figure = growth().figure(PALETTE["light"])
    assert [trace.line.color for trace in figure.data[:3]] == [quiet, loud, quiet]
    assert [note.text for note in figure.layout.annotations] == ["all", "<b>half</b>", "flat"]


def test_what_is_larger_on_stage_is_the_type_and_the_lines():
    small, large = (models().figure(PALETTE["light"], stroke) for stroke in (1.0, 1.8))
    assert large.layout.font.size > small.layout.font.size and large.data[0].line.width > small.data[0].line.width


def test_by_count_has_a_row_and_a_mark_for_every_run_and_names_the_means():
    found = {"a": {4: [0.5, 1.0], 8: [0.25, 0.5]}, "b": {4: [1.0], 8: []}}
    kind = kinds.ByCount(
        "Recall", found, str.upper, "pairs", "recall", {"a": "kv", "b": "soft"}, ("model", "pairs", "run", "recall")
    )
    drawing = kind.drawing(PALETTE["light"])
    marks = [y for trace in drawing.figure.data if trace.mode == "markers" for y in trace.y]
    assert drawing.table["recall"] == marks == [0.5, 1.0, 0.25, 0.5, 1.0] and drawing.table["run"] == [0, 1, 0, 1, 0]
    assert [tuple(trace.y) for trace in drawing.figure.data if trace.mode == "lines"] == [(0.75, 0.375), (1.0, None)]
    assert drawing.alt == "Recall; means: A 0.38 at 8, B 1.00 at 4"
    three = kinds.ByCount("Recall", found, str, "pairs", "recall", {}, ("model", "pairs", "recall")).table
    assert list(three) == ["model", "pairs", "recall"] and three["recall"] == marks
    assert kinds.ByCount("Recall", {"a": {4: []}}, str, "pairs", "recall", {}, ("model",) * 3).alt == "Recall"


RUNS = {"a": {0: (np.array([10, 20]), np.array([1.0, 0.5])), 1: (np.array([10, 20]), np.array([2.0, 1.5]))}}


def test_bars_and_their_text_are_the_deviation_of_a_sample():
    """Divided by n - 1, as the rules that decide claims do."""
    found = {"a": {4: [0.25, 0.5, 0.75]}}
    kind = kinds.ByCount("", found, str, "", "", {"a": "kv"}, ("a", "n", "run", "x"), deviations=True)
    assert kind.figure(PALETTE["light"]).data[0].error_y.array == (0.25,)
    lane = kinds.Sample("a", found["a"][4], 0, "kv")
    assert kinds.Seeds("Recall", (lane,), "", (), {0: "a"}, {}).alt == "Recall; each dot is a seed; a 0.50 ± 0.25"


def test_learning_has_a_line_a_seed_a_row_a_point_and_names_the_ends():
    curves = {"a": RUNS["a"], "b": {7: (np.array([10]), np.array([0.1]))}}
    kind = kinds.Learning("Loss", curves, str.upper, {"a": "kv", "b": "soft"}, ("model", "seed", "step", "loss"))
    for stroke, share in ((1.0, False), (1.8, True)):
        drawing = replace(kind, share=share).drawing(PALETTE["light"], stroke)
        drawn = [trace for trace in drawing.figure.data if trace.mode == "lines+markers"]
        assert [len(trace.x) for trace in drawn] == [2, 2, 1] and len({trace.line.dash for trace in drawn}) == 2
        assert [y for trace in drawn for y in trace.y] == drawing.table["loss"] == [1.0, 0.5, 2.0, 1.5, 0.1]
        assert drawing.table["seed"] == [0, 0, 1, 1, 7] and set(drawing.table["model"]) == {"A", "B"}
        assert drawing.alt == "Loss; each line is a seed; means at the end: A 1, B 0.1"
        assert bool(drawing.figure.layout.showlegend) is share


@pytest.mark.parametrize("upright", [True, False])
def test_seeds_have_a_dot_a_run_a_bar_at_each_mean_and_a_row_a_run(upright):
    samples = (
        kinds.Sample("one", {3: 1.0, 5: 2.0}, 0, "kv", cells=("one",)), kinds.Sample("two", [4.0], 1, "soft", cells=("two",)),
    )  # fmt: skip
    names = {0: "one", 1: "two"}
    kind = kinds.Seeds("Loss", samples, "loss", ("what", "seed", "loss"), names, {"range": [-1, 2]}, upright=upright)
    drawing = kind.drawing(PALETTE["dark"], 1.8)
    values, places = ("y", "x") if upright else ("x", "y")
    assert [list(trace[values]) for trace in drawing.figure.data] == [[1.0, 2.0], [4.0]]
    assert [(bar[f"{values}0"], bar[f"{values}1"]) for bar in drawing.figure.layout.shapes] == [(1.5, 1.5), (4.0, 4.0)]
    assert drawing.figure.layout[f"{places}axis"].ticktext == ("one", "two")
    assert drawing.table == {"what": ["one", "one", "two"], "seed": [3, 5, 0], "loss": [1.0, 2.0, 4.0]}
    many = tuple(kinds.Sample(str(i), [float(i)], i, "kv") for i in range(20))
    assert replace(kind, samples=many).alt == "Loss; each dot is a seed; 0 0.00 ± 0.00, 19 19.00 ± 0.00"


def test_what_was_drawn_is_drawn_again_only_where_its_data_is_new():
    light = kinds.drawn(growth(), PALETTE["light"], 1.0)
    assert kinds.drawn(growth(), PALETTE["light"], 1.0) is light
    others = (growth(height=321), PALETTE["light"], 1.0), (growth(), PALETTE["dark"], 1.0), (growth(), PALETTE["light"], 1.8)
    for other in others:
        assert kinds.drawn(*other) is not light and kinds.drawn(*other).figure == other[0].drawing(*other[1:]).figure


def test_what_looks_alike_is_told_apart():
    pairs = (1, 1.0), (1, True), ("1", 1), (np.arange(2), np.arange(2.0)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ((1,), [1])
    assert all(kinds.content(one) != kinds.content(other) for one, other in pairs)
    assert kinds.content(np.array([1, "a"], object)) == kinds.content(np.array([1, "a"], object))


def test_a_label_without_a_name_is_drawn_each_time():
    one, other = (against(label=lambda value, word=word: f"{value:.0f} {word}") for word in ("bytes", "B"))
    drawings = [kinds.drawn(kind, PALETTE["light"], 1.0) for kind in (one, other)]
    assert drawings[0] is not drawings[1] and [drawing.alt for drawing in drawings] == [one.alt, other.alt]


def test_what_is_remembered_is_made_once_and_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(frame, "DRAWN", {})
    monkeypatch.setattr(frame, "MOST", 2)
    made = [frame.remembered(key, lambda key=key: [key]) for key in ("a", "a", "b", "c", "a")]
    assert made[0] is made[1] and made == [["a"], ["a"], ["b"], ["c"], ["a"]] and made[4] is not made[0]
    assert list(frame.DRAWN) == ["c", "a"]
