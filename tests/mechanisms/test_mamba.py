"""What the page on state space models shows as numbers: python -m pytest tests/mechanisms/test_mamba.py"""

import numpy as np
import pytest

from core.count import cost
from core.lessons import mamba as lesson
from core.lessons.common import memory_bytes, model_name, spec_of
from core.lessons.recall import live_bytes, live_smaller
from core.lessons.recurrent import watch
from core.real import catalogue
from core.train import evidence, zoo
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "mamba",
    ends=({"state": "4"}, {"state": "32"}),
    controls=f"state share layer real context cw-pick-model {PROMPTED}",
    shy={"layer": {"share": lesson.HYBRID}},
    real=lesson.hybrids()[:3],
    preset=("Nemotron-H", {"share": "1 of 4", "real": "Nemotron-H 8B"}),
    links=("state=4", "state=32&layer=1&head=6&row=9", "share=1+of+4&layer=2&prompt=zoe+wheel+leo+plum+%3F+leo"),
    prompts=RECALL,
    nonsense=(*bad(("state", "5"), ("state", "x"), ("share", "2 of 4"), ("context", "12")), {"state": "32", "layer": "4"}),
    source=("class Mamba2Module", "arXiv 2405.21060"),
    users=lambda: [model_name(key) for key in lesson.users()],
    stated=False,
    screen=Screen(
        maps=9,
        last=4,
        figure="steps",
        moves=("dual", "steps"),
        alt=("Decay masks of 4 heads", "Step size of each of", "State of head"),
        linked="share real context section prompt v",
        beside=(".st-key-share",),
    ),
)

PROMPT = recall.parse(recall.surprise(10, seed=4, asked=3))
SETTINGS = [*((lesson.PURE, n) for n in lesson.STATES), (lesson.HYBRID, lesson.TYPICAL)]


def memories(share, size):
    return [layer for layer in watch(lesson.variant(share, size), PROMPT).layers if layer.implicit]


@pytest.mark.parametrize("share, size", SETTINGS)
def test_counted_bytes_are_measured_after_every_token_and_pure_models_do_not_grow(share, size):
    shown = watch(lesson.variant(share, size), PROMPT).scene
    counted = [live_bytes(lesson.variant(share, size), n + 1) for n in range(len(shown.words))]
    assert shown.memory_bytes.tolist() == counted
    assert (len(set(counted)) == 1) == (share == lesson.PURE)


@pytest.mark.parametrize("share, size", SETTINGS)
def test_state_and_matrix_give_the_same_and_ours_is_the_modules(share, size):
    for layer in memories(share, size):
        dual = lesson.dual(layer)
        assert dual.difference <= 1e-5
        assert np.abs(dual.weights - layer.weights).max() <= 1e-5 * max(1.0, np.abs(layer.weights).max())
        assert dual.strength.sum(-1) == pytest.approx(1, abs=1e-4)


def test_a_wrong_mask_would_be_seen():
    layer = memories(lesson.HYBRID, lesson.TYPICAL)[0]
    spoiled = {**layer.gates, "decay": layer.gates["decay"] * 2}
    assert lesson.dual(type(layer)(layer.kind, layer.implicit, layer.weights, spoiled, layer.memory)).difference > 1e-3


def test_the_mask_is_the_product_of_the_decays_between():
    layer = memories(lesson.HYBRID, lesson.TYPICAL)[0]
    mask, decay = lesson.dual(layer).mask, np.exp(layer.gates["decay"][..., 0])
    for h, t, s in ((0, 7, 2), (1, 12, 12), (3, 19, 0)):
        assert mask[h, t, s] == pytest.approx(np.prod(decay[h, s + 1 : t + 1]), rel=1e-5)
    assert (np.triu(mask, 1) == 0).all()
    low, high = lesson.dual(layer).left
    assert (low, high) == pytest.approx((decay[:, 1:].prod(1).min(), decay[:, 1:].prod(1).max()), rel=1e-5)


def test_what_is_left_of_a_step_never_exceeds_it_and_the_last_token_is_whole():
    for layer in memories(lesson.PURE, 8):
        for head in range(4):
            s = lesson.step_sizes(layer, head)
            assert (s.left <= s.size * (1 + 1e-6)).all() and s.left[-1] == s.size[-1] and (s.size > 0).all()
            assert set(s.largest(3)) == set(np.argsort(-s.size)[:3])


def test_the_hybrid_answers_what_it_is_asked():
    shown = watch(lesson.variant(lesson.HYBRID, lesson.TYPICAL), PROMPT).scene
    assert all(a.said == a.truth for a in shown.answers)


@pytest.mark.parametrize("share, size", SETTINGS)
def test_it_keeps_less_than_attention_from_the_crossover_on(share, size):
    ours, alone = lesson.variant(share, size), lesson.ATTENTION[share]
    n = live_smaller(ours, alone)
    assert live_bytes(ours, n) < live_bytes(alone, n) and live_bytes(ours, n - 1) >= live_bytes(alone, n - 1)


def test_nemotron_h_keeps_what_is_published():
    """4 layers of 8 KV heads x 128 are 16,384 B a token; 24 states of 128 x 64 x 128 are 100.7 MB in 32 bits; the columns of
    the convolutions stand beside them."""
    f = lesson.formula("nemotron-h-8b", 1000)
    assert f.cache_bytes == 16384 * 1000 and f.state_bytes == 24 * 128 * 64 * 128 * 4 + f.columns * 2
    assert (f.attention, f.mamba, lesson.layer_counts("nemotron-h-8b").total) == (4, 24, 52)
    assert lesson.layer_counts("nemotron-h-8b").of_layers == 4 / 52 and lesson.layer_counts("nemotron-h-8b").of_mixers == 4 / 28
    assert lesson.layer_counts("nemotron-h-56b").mamba == 54 and lesson.layer_counts("nemotron-h-56b").attention == 10


def test_the_formula_gives_what_the_calculator_gives():
    for key in lesson.hybrids():
        f = lesson.formula(key, 4096)
        assert f.attention * 2 * f.kv_heads * f.width * f.context * 2 == f.cache_bytes
        assert f.mamba * f.inner * f.state * 4 + f.columns * 2 == f.state_bytes


def test_crossovers_are_where_the_counts_change_places_and_parallel_heads_have_none():
    for key in lesson.hybrids():
        n, spec = lesson.real_model(key, 1).crossover, spec_of(key)
        if key.startswith("falcon-h1"):
            assert n == 0 and lesson.real_model(key, 1 << 20).total > lesson.real_model(key, 1 << 20).whole
            continue
        own, whole = (lambda k, s=s: sum(memory_bytes(s, k)) for s in (spec, lesson.attentive(key)))
        assert own(n) < whole(n) and own(n - 1) >= whole(n - 1)


def test_jamba_keeps_4_gib_at_256k_as_its_paper_says():
    assert cost.count(catalogue.entries()["jamba-v0.1"].reading.spec, 1 << 18).cache_bytes == 4 << 30


def test_the_published_layout_adds_up():
    assert sum(lesson.layout().values()) == 128


def test_without_runs_there_is_nothing_to_draw_and_with_them_every_seed_is(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert lesson.RUNS.recalled() == {} and lesson.RUNS.learning() == {} and evidence.report("mamba")["rows"] == []
    rows = [
        {"variant": v, "seed": s, "step": 9, **{f"recall@{n}": 0.5 for n in lesson.RUNS.counts}, lesson.RUNS.metric: 1.5}
        for v in ("mamba-4", "mamba-3-1") for s in (0, 1)
    ]  # fmt: skip
    monkeypatch.setattr(zoo, "table", lambda name: rows if name == "mamba" else [])
    assert list(lesson.RUNS.recalled()) == ["mamba-4", "mamba-3-1"] and lesson.RUNS.recalled()["mamba-4"][24] == {0: 0.5, 1: 0.5}
    assert {v: set(seeds) for v, seeds in lesson.RUNS.learning().items()} == {"mamba-4": {0, 1}, "mamba-3-1": {0, 1}}
