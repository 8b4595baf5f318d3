"""The page on mixtures of experts: what was trained together, presets, two visitors. The rest is in test_pages.py."""

from streamlit.testing.v1 import AppTest

from core import evidence, zoo
from core.lessons import moe as lesson
from core.recipes.moe import DEFAULT
from tests.app import opening
from tests.app.opening import fine, text


def opened(**query) -> AppTest:
    """The page with a query."""
    return opening.opened("moe", **query)


def control(at: AppTest, key: str):
    return next((c for c in (*at.segmented_control, *at.toggle) if c.key == key), None)


def test_only_what_was_trained_together_is_offered():
    at = opened()
    fine(at.segmented_control(key="top_k").set_value(2).run())
    assert control(at, "shared") is None and control(at, "gate") is None, "not trained with two experts a token"
    fine(at.segmented_control(key="top_k").set_value(1).run())
    fine(at.toggle(key="shared").set_value(True).run())
    assert control(at, "gate") is None
    fine(at.toggle(key="shared").set_value(False).run())
    fine(at.segmented_control(key="gate").set_value("sigmoid").run())


def test_presets_set_the_real_model_and_the_nearest_trained_setting():
    at = opened(section="Count")
    for name, values in lesson.presets().items():
        fine(at.pills(key="cw-pick-preset").set_value(name).run())
        r = lesson.real(values["real"])
        assert f"{r.name}: {r.ffn.top_k + r.shared} active" in text(at) and lesson.spelled(r) in text(at)
        assert at.pills(key="cw-pick-preset").value == name


def test_a_text_of_two_domains_is_routed_and_counted():
    shown = text(opened(prompt="whisk the eggs . knight takes bishop ."))
    assert "recipes" in shown and "chess" in shown and "= measured" in shown and "≠" not in shown


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(experts="16"), opened(experts="4", balance="none")
    a.select_slider(key="experts").set_value(8)
    b.select_slider(key="experts").set_value(16)
    fine(a.run()), fine(b.run())
    assert "<b>8 experts, top-1, softmax gate, balanced by a loss" in text(a)
    assert "<b>16 experts, top-1, softmax gate, not balanced" in text(b)


def test_verdicts_follow_from_the_table(monkeypatch):
    """Swap the mixture and the dense model of equal size in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    swap = {DEFAULT.variant: "moe-4-1-loss", "moe-4-1-loss": DEFAULT.variant}
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("moe")]
    monkeypatch.setattr(evidence.zoo, "table", lambda name: rows)
    outcomes = [c["verdict"] for c in evidence.report("moe")["claims"]]
    monkeypatch.undo()
    assert outcomes != [c["verdict"] for c in evidence.report("moe")["claims"]]
    assert before.count("cw-verdict ") >= len(outcomes)
