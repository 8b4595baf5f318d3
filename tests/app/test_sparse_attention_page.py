"""The page on sparse attention: answers by each way of choosing, counts, two visitors. The rest: test_pages.py."""

from functools import partial

from core.lessons import sparse_attention as lesson
from core.lessons.common import model_name
from core.train import zoo
from tests.app import opening
from tests.app.opening import fine, text

opened = partial(opening.opened, "sparse_attention")


def test_presets_set_a_model_its_context_and_the_same_share_of_the_prompt():
    at = opened()
    for label in at.pills(key="cw-pick-model").options:
        fine(at.pills(key="cw-pick-model").set_value(label).run())
        assert at.pills(key="cw-pick-model").value == label
        assert lesson.presets()[label] == {
            "real": at.selectbox(key="real").value, "context": at.select_slider(key="context").value,
            "top_k": at.select_slider(key="top_k").value,
        }  # fmt: skip


def test_counted_bytes_stand_beside_equal_measured_ones_and_top_k_changes_none():
    for top_k in (1, 8, 128):
        shown = text(opened(top_k=str(top_k)))
        assert "counted 7,680 = measured 7,680" in shown and "≠" not in shown
    assert "counted 35,840 = measured 35,840" in text(opened(section="Count"))


def test_the_answers_are_found_by_the_scorer_and_lost_by_a_window_of_equal_cost():
    row = text(opened(top_k="4")).split("<td>hal</td>")[1].split("</tr>")[0]
    picked, last, whole = row.split("</td>")[1:4]
    assert "✓" in picked and "<code>book</code>" in picked and "✗" in last and "✓" in whole


def test_real_models_are_counted_where_the_reader_asks():
    r = lesson.real_model("glm-5", 32768)
    shown = text(opened(real=model_name("glm-5"), context="32k"))
    assert f"{r.fewer:.1f} times fewer" in shown and f"{r.share:.0%} of what is left" in shown
    few = text(opened(real=model_name("glm-5"), context="1k"))
    assert "times as many" in few


ROWS = [
    {
        "variant": lesson.VARIANT, "seed": seed, "step": step, lesson.METRIC: 0.99, f"recall, last {lesson.WINDOW}": 0.1,
        f"recall, {lesson.RANDOM} at random": 0.2, **{f"recall, {k} picked": 0.985 for k in lesson.recipes.PICKS},
        **{f"kept, {k} picked": 0.8 for k in lesson.recipes.PICKS},
    }
    for seed in (0, 1, 2) for step in (80, 160)
]  # fmt: skip


def test_verdicts_and_pictures_follow_from_the_table(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: ROWS if name == "sparse_attention" else [])
    at = opened(section="Prove")
    shown = text(at)
    assert shown.count('<span class="cw-verdict yes">shows</span>') == 4 and "No runs yet" not in shown
    assert len(at.get("plotly_chart")) == 2
    worse = [{**row, f"recall, last {lesson.WINDOW}": 0.9} for row in ROWS]
    monkeypatch.setattr(zoo, "table", lambda name: worse if name == "sparse_attention" else [])
    assert text(opened(section="Prove")).count('<span class="cw-verdict no">does not show</span>') == 1
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert "No runs yet" in text(opened(section="Prove"))
