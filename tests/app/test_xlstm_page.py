"""The page on LSTMs: the forget bias, the three cells, what is counted. The rest is in test_pages.py."""

from functools import partial

import pytest

from core.lessons import xlstm as lesson
from core.lessons.recurrent import reached
from core.train import zoo
from core.train.tasks import recall
from tests.app import opening
from tests.app.opening import fine, pictures, text

PROMPT = "zoe wheel leo plum ? leo"

opened = partial(opening.opened, "xlstm")


@pytest.mark.parametrize("cell", lesson.CELLS)
def test_memory_steps_and_gates_stand_under_their_cell(cell):
    at = opened(cell=cell, prompt=PROMPT)
    shown, words = pictures(at), 6
    names, rows, cols = lesson.labels(lesson.variant(cell, lesson.best_keys()))
    assert shown["memory"]["shape"] == [len(names), len(rows), len(cols)] and shown["memory"]["frames"] == words
    assert shown["gates"]["shape"] == [3, len(lesson.gate_rows(lesson.variant(cell))), words]
    assert f"{cell}, layer 2, forget bias as trained, after {words} of {words} tokens" in text(at)


def test_every_cell_says_what_it_answers():
    shown = text(opened(prompt=PROMPT, forget="-4"))
    for said in lesson.side_by_side(-4, lesson.best_keys(), recall.parse(PROMPT)):
        assert f"<code>{said.last.said}</code>" in shown and f">{said.right}/{said.asked}<" in shown
    assert "forget bias -4" in shown


def test_presets_move_the_bias_and_the_shared_model_stays():
    variant = lesson.variant("mLSTM", lesson.best_keys())
    before = zoo.load(variant).layers[0].mlstm_layer.fgate_preact.bias.clone()
    at = opened()
    for option, shift in zip(at.pills(key="cw-pick-bias").options, (0, -8)):
        fine(at.pills(key="cw-pick-bias").set_value(option).run())
        assert at.select_slider(key="forget").value == shift
    assert (zoo.load(variant).layers[0].mlstm_layer.fgate_preact.bias == before).all()


@pytest.mark.parametrize("heads", lesson.HEADS)
def test_memory_and_crossover_follow_the_heads(heads):
    shown, m = text(opened(section="Count", heads=str(heads))), lesson.memory(heads)
    assert f"With normaliser and maximum {m.bytes:,} B" in shown and f"As much as {m.tokens:.0f} tokens" in shown
    assert f"Below {reached('llama3-8b', lesson.memory(heads).bytes):,} tokens" in shown and "≠" not in shown


def test_without_runs_nothing_is_claimed_and_with_them_their_verdicts(monkeypatch):
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert "No runs yet." in text(opened(section="Prove"))
    values = {v: 0.99 if v.endswith("3-1") else 0.5 for v in lesson.RUNS.variants}
    rows = [
        {"variant": v, "seed": "0", "step": "1"} | {f"recall@{n}": str(x) for n in lesson.RUNS.counts} for v, x in values.items()
    ]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    shown = text(opened(section="Prove"))
    assert "No runs yet." not in shown and ">shows</span>" in shown and ">does not show</span>" in shown
