"""The page on mixtures of experts: what was trained together, presets, two visitors. The rest is in test_pages.py."""

import html
from functools import partial

from streamlit.testing.v1 import AppTest

from core.lessons.moe import lesson
from core.train import evidence, zoo
from core.train.recipes.moe import DEFAULT
from core.units import count
from tests.app import opening
from tests.app.opening import fine, text

opened = partial(opening.opened, "moe")


def control(at: AppTest, key: str):
    return next((c for c in (*at.segmented_control, *at.toggle) if c.key == key), None)


def test_only_what_was_trained_together_is_offered():
    at = opened(experts="8")
    assert control(at, "balance") is None and control(at, "gate") is None, "not trained with eight experts"
    fine(at.select_slider(key="experts").set_value(16).run())
    fine(at.segmented_control(key="balance").set_value("bias").run())
    fine(at.segmented_control(key="gate").set_value("sigmoid").run())
    fine(at.toggle(key="shared").set_value(True).run())
    assert control(at, "gate") is None, "a shared expert was trained with one gate alone"
    fine(at.toggle(key="shared").set_value(False).run())


def test_presets_set_the_real_model_and_the_nearest_trained_setting():
    at = opened(section="Count")
    for name, values in lesson.presets().items():
        fine(at.pills(key="cw-pick-preset").set_value(name).run())
        r = lesson.real_model(values["real"])
        assert f"{r.name}: {r.ffn.top_k + r.shared} active" in text(at) and lesson.active_experts_text(r) in text(at)
        assert at.pills(key="cw-pick-preset").value == name


def test_a_preset_says_in_what_it_differs_from_the_real_model():
    at = opened()
    for name, values in lesson.presets().items():
        shown = html.unescape(text(fine(at.pills(key="cw-pick-preset").set_value(name).run())))
        rows = lesson.trait_differences(values["real"], lesson.settle(values))
        assert f"Differs from {lesson.real_model(values['real']).name} in:" in shown
        assert all(f"{trait} {real} → {here}" in shown for trait, real, here in rows), name


def test_the_number_of_the_question_stands_beside_the_counted_ones():
    shown, r = text(opened(section="Count")), lesson.real_model(lesson.FIRST)
    assert all(n in shown for n in (count(r.active), count(r.active - r.lookup), "the 37B of the question"))


def test_a_text_of_two_domains_is_routed_and_counted():
    shown = text(opened(prompt="gently whisk the eggs . knight e4 takes the bishop ."))
    assert "recipes" in shown and "chess" in shown and "= measured" in shown and "≠" not in shown


def test_verdicts_follow_from_the_table(monkeypatch):
    """Swap the mixture and the dense model of equal active size in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    swap = {DEFAULT.variant: "dense", "dense": DEFAULT.variant}
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("moe")]
    monkeypatch.setattr(evidence.zoo, "table", lambda name: rows)
    outcomes = [c["verdict"] for c in evidence.report("moe")["claims"]]
    monkeypatch.undo()
    assert outcomes != [c["verdict"] for c in evidence.report("moe")["claims"]]
    assert before.count("cw-verdict ") >= len(outcomes)
