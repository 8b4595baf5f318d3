"""The page on all mixers: every answer with its verdict, counted and measured bytes, the plot from the table, two visitors. The
rest is in test_pages.py."""

from functools import partial

from core.lessons import mixers as lesson
from core.train import zoo
from core.train.tasks import recall
from tests.app import opening
from tests.app.opening import fine, text

opened = partial(opening.opened, "mixers")


def prompt(words: str, pairs: int) -> recall.Prompt:
    """What the mixers read."""
    return lesson.padded(recall.parse(words), pairs)


def test_every_mixer_answers_with_its_bytes():
    for kind in lesson.SETS:
        shown = text(opened(mixers=kind, pairs="8"))
        played = lesson.every(kind, prompt("ann lamp bo kite cy drum dan rope ? bo", 8))
        for p in played:
            sign, said = "✓" if p.right else "✗", p.answers[0].said
            assert f"{sign} {lesson.variant_label(p.mixer.variant)}: {said}" in shown and f"{p.counted:,} B" in shown
        total = sum(p.counted for p in played)
        assert f"counted {total:,} = measured {total:,}" in shown
        assert f"{sum(p.right for p in played)} of {len(played)} remember" in shown


def test_more_pairs_are_said_and_the_reader_s_own_stay():
    for pairs in ("4", "24"):
        assert f"{pairs} pairs to remember, asked bo" in text(opened(pairs=pairs))
    longer = recall.surprise(30, seed=1)
    assert "30 pairs to remember" in text(opened(pairs="4", prompt=longer))


def test_presets_set_pairs_and_mixers():
    at = opened()
    for option in at.pills(key="cw-pick-facts").options:
        fine(at.pills(key="cw-pick-facts").set_value(option).run())
        assert at.pills(key="cw-pick-facts").value == option
    assert at.select_slider(key="pairs").value == 24 and at.segmented_control(key="mixers").value == lesson.THREE


def test_the_plot_and_the_table_follow_from_the_runs(monkeypatch):
    rows = [
        {"variant": v, "seed": str(s), "step": "100", **{f"recall@{n}": str(x) for n in lesson.COUNTS}}
        for v, x in {"attention-2": 1.0, "attention-4": 1.0, "lstm": 0.25}.items()
        for s in range(3)
    ]
    monkeypatch.setattr(zoo, "table", lambda name: rows if name == "mixers" else [])
    shown = text(opened(section="Prove"))
    assert ">0.25<" in shown and ">Attention ×4<" in shown and ">Mamba-2<" not in shown
    assert "Recall at 24 pairs against bytes" in text(opened())
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert "No runs in the table yet" in text(opened()) and "No runs in the table yet" in text(opened(section="Prove"))


def test_real_models_stand_under_count():
    shown = text(opened(section="Count"))
    assert "Real models that recur" in shown and "≠" not in shown
