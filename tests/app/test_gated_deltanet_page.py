"""The page on delta nets: what is set by hand is said and changes answers, counted and measured bytes, crossovers, two visitors.
The rest is in test_pages.py."""

from functools import partial

import pytest

from core.lessons import gated_deltanet as lesson
from core.lessons.common import model_name
from core.lessons.gated_deltanet import GATED, HYBRID, KIMI, PURE, Setting
from core.train import zoo
from core.train.tasks import recall
from core.units import binary
from tests.app import opening
from tests.app.opening import fine, text

opened = partial(opening.opened, "gated_deltanet")


def test_presets_are_named_after_real_models_and_set_layers_rule_and_model():
    at, seen = opened(), {}
    for option in at.pills(key="cw-pick-model").options:
        fine(at.pills(key="cw-pick-model").set_value(option).run())
        assert at.segmented_control(key="mix").value == HYBRID
        seen[option] = at.segmented_control(key="rule").value, at.selectbox(key="real").value
    assert seen == {"Qwen3-Next 3:1": (GATED, "qwen3-next-80b-a3b"), "Kimi Linear 3:1": (KIMI, "kimi-linear-48b")}
    assert all(lesson.rule(key) == rule for rule, key in seen.values())


@pytest.mark.parametrize("mix", lesson.MIXES)
@pytest.mark.parametrize("rule", lesson.RULES)
def test_counted_bytes_stand_beside_equal_measured_ones(mix, rule):
    shown = text(opened(mix=mix, rule=rule))
    kept = lesson.ours(Setting(mix, rule), 20)
    assert f"counted {kept.total:,} = measured {kept.total:,}" in shown and "≠" not in shown


def test_what_is_set_by_hand_is_said_and_forgets():
    learned, forgetful = text(opened()), text(opened(decay="0.5"))
    assert "write strength as learned, what stays as learned" in learned
    assert "write strength as learned, what stays 0.5" in forgetful and "Grey marks: as learned" in forgetful
    right, wrong = (shown.count('<b class="yes">') for shown in (learned, forgetful))
    assert right > wrong
    assert '<b class="yes">' not in text(opened(write="0"))  # nothing was written, so nothing is found


def test_without_a_matrix_there_is_nothing_to_set():
    at = opened(mix="attention", write="0")
    assert "set nothing here" in text(at) and "What this memory answers" not in text(at)
    assert '<b class="yes">' in text(at)


@pytest.mark.parametrize("key", lesson.users())
def test_the_crossover_of_a_real_model_is_said_where_it_is_counted(key):
    at = opened(section="Count", real=model_name(key))
    f = lesson.formula(key)
    latex = "\n".join(str(e.proto.body) for e in at.get("markdown")) + "\n".join(str(m.value) for m in at.latex)
    assert binary(f.bytes) in latex and f"{f.crossover:,}".replace(",", "{,}") in latex
    assert f"Below {f.crossover:,} tokens the constant state is the larger memory" in text(at)
    assert f"inspect {key} " in text(at)


def test_verdicts_and_recall_follow_from_the_table(monkeypatch):
    columns = {f"recall@{n}": "0.5" for n in lesson.RUNS.counts}
    good = {f"recall@{n}": "1.0" for n in lesson.RUNS.counts}
    runs = {**dict.fromkeys(("attention-4", "delta-3-1", "kimi-3-1"), good), "delta-16": columns}
    rows = [
        {"variant": v, "seed": str(s), "step": str(step), **values, "loss@24": "0.1"}
        for v, values in runs.items()
        for s in range(3)
        for step in (100, 200)
    ]
    monkeypatch.setattr(zoo, "table", lambda name: rows if name == "gated_deltanet" else [])
    claim = "recall as well as attention alone"
    assert verdict(text(opened(section="Prove")), claim) == "shows"
    runs["kimi-3-1"].update({"recall@24": "0.5"})
    rows[:] = [{**row, "recall@24": "0.5"} for row in rows]
    assert verdict(text(opened(section="Prove")), claim) == "does not show"
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert "No runs yet" in text(opened(section="Prove"))


def verdict(shown: str, claim: str) -> str:
    """What stands before a claim."""
    return shown[: shown.index(claim)].rsplit('<span class="cw-verdict', 1)[1].split(">", 1)[1].split("<", 1)[0]


def test_the_memory_drawn_is_the_one_asked_for():
    at, prompt = opened(), recall.parse("ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus")
    layer, head = lesson.reader(Setting(PURE), prompt)
    assert f"layer {layer + 1}, head {head + 1}:" in text(at)
    for name in lesson.memories(Setting(PURE)):
        fine(at.selectbox(key="matrix").set_value(name).run())
        assert f"{name}:" in text(at)
