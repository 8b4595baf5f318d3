"""The page on state space models: both ways to one output, the hybrid's layers, two visitors. The rest: test_pages.py."""

from functools import partial

from core.lessons import mamba as lesson
from core.lessons.common import model_name
from core.train import zoo
from core.units import binary
from tests.app import opening
from tests.app.opening import drawn, fine, text

opened = partial(opening.opened, "mamba")


def test_presets_open_the_hybrid_and_set_the_real_model():
    at = opened()
    for label in at.pills(key="cw-pick-model").options:
        fine(at.pills(key="cw-pick-model").set_value(label).run())
        assert at.segmented_control(key="share").value == lesson.HYBRID and label.split()[0] in model_name(
            at.selectbox(key="real").value
        )
        assert "state" not in drawn(at) and f"<b>State: {lesson.TYPICAL}.</b>" in text(at)


def test_state_and_matrix_give_the_same_and_counted_is_measured_for_every_model():
    for query in (*({"state": str(n)} for n in lesson.STATES), {"share": lesson.HYBRID}):
        shown = text(opened(**query))
        assert "give the same output: largest relative difference" in shown and "≠" not in shown and "= measured" in shown


def test_each_layer_shows_what_it_is():
    for layer in (1, 2, 3):
        shown = text(opened(share=lesson.HYBRID, layer=str(layer)))
        assert f"layer {layer}, " in shown and "chose to remember" in shown
    last = text(opened(share=lesson.HYBRID, layer="4"))
    assert "layer 4: attention" in last and "chose to remember" not in last


def test_the_layout_without_weights_says_so():
    shown = text(opened(section="Count"))
    assert "a published layout, no weights" in shown and all(f"{n} of 128 layers" in shown for n in lesson.layout().values())


def test_real_hybrids_are_counted_where_the_reader_asks():
    r = lesson.real_model("nemotron-h-8b", 32768)
    shown = text(opened(real=model_name("nemotron-h-8b"), context="32k"))
    assert f"from {r.crossover:,} tokens on" in shown and binary(r.cache) in shown and binary(r.whole) in shown
    assert "no cache is saved" in text(opened(real=model_name("falcon-h1-7b")))
    for key in lesson.hybrids():
        fine(opened(section="Count", real=model_name(key)))


def rows(recall: dict[str, float]) -> list[dict]:
    """A table with one recall a variant, three seeds."""
    return [
        {
            "variant": v,
            "seed": s,
            "step": 9,
            **{f"recall@{n}": x + s / 1000 for n in lesson.RUNS.counts},
            lesson.RUNS.metric: 1.1 - x,
        }
        for v, x in recall.items()
        for s in range(3)
    ]


def test_verdicts_and_pictures_follow_from_the_table(monkeypatch):
    good = {"mamba-4": 0.2, "mamba-8": 0.4, "mamba-16": 0.6, "mamba-32": 0.9, "mamba-3-1": 0.99, "attention-4": 0.99}
    tables = {"mamba": rows(good)}
    monkeypatch.setattr(zoo, "table", lambda name: tables.get(name, []))
    at = opened(section="Prove")
    assert text(at).count('<span class="cw-verdict yes">shows</span>') == 3 and len(at.get("plotly_chart")) == 2
    tables["mamba"] = rows({**good, "mamba-32": 0.1})
    assert '<span class="cw-verdict no">does not show</span>' in text(opened(section="Prove"))
    tables.clear()
    assert "No runs yet" in text(opened(section="Prove"))
