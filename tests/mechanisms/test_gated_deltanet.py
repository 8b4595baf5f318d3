"""What the page on delta nets shows as numbers, against the modules themselves, naive sums and limit cases."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons import gated_deltanet as lesson
from core.lessons.common import model_name, spec_of, total_bytes
from core.lessons.gated_deltanet import FULL, GATED, HYBRID, KIMI, PURE, Setting
from core.lessons.recall import script
from core.model.decoding.autoregressive import follow
from core.model.model import build
from core.train import evidence, zoo
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "gated_deltanet",
    ends=({"write": "0"}, {"write": "1", "decay": "0.5", "mix": "3:1", "rule": "Kimi (KDA)"}),
    controls=f"write decay mix rule keys matrix real cw-pick-model {PROMPTED}",
    real=lesson.users(),
    preset=("Kimi Linear 3:1", {"mix": "3:1", "rule": "Kimi (KDA)", "real": "Kimi Linear 48B-A3B"}),
    links=("write=0.5&decay=0.9", "mix=3:1&step=7", "keys=8&matrix=layer+1%2C+head+1&prompt=zoe+wheel+leo+plum+%3F+leo"),
    prompts=RECALL,
    nonsense=bad(("write", "2"), ("decay", "0"), ("mix", "x"), ("rule", "x"), ("keys", "5"), ("matrix", "layer 9, head 9")),
    source=("class GatedDeltaModule", "def scan"),
    users=lambda: [model_name(key) for key in lesson.users()],
    fewest=3,
    screen=Screen(
        maps=4,
        last=1,
        figure="readout",
        moves=("state", "readout"),
        alt=("The memory of head", "Share of each token's value in the read-out"),
        linked="write decay mix rule real section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope ? bo ann")
VARIANTS = ("delta-8", "kimi-16", "delta-3-1", "kimi-3-1")


@pytest.fixture(scope="module")
def made():
    """Untrained models of a few variants, their decays drawn wide."""
    models = {v: build(zoo.recipe(v).spec, seed=3) for v in VARIANTS}
    for model in models.values():
        model.requires_grad_(False)
        for i in lesson.delta_layers(model.spec):
            module = getattr(model.layers[i], model.spec.layers[i].mixer.name)
            module.dt_bias.copy_(torch.linspace(-3, 1, module.dt_bias.numel()))
    return models


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_steps_shown_are_those_of_the_live_model(made, variant):
    shown = lesson.watch(made[variant], PROMPT)
    states = [step.state for step in follow(made[variant], script(PROMPT))]
    assert shown.parts.keys() == set(lesson.delta_layers(made[variant].spec))
    for i, parts in shown.parts.items():
        memory = torch.cat([state[i]["mixer"]["memory"] for state in states]).numpy()  # (T, H, d, v)
        assert np.abs(memory).max() > 0.01
        assert np.allclose(parts[:, :, 3], memory, atol=1e-5)
        assert np.allclose(parts[:, :, 0] - parts[:, :, 1] + parts[:, :, 2], parts[:, :, 3], atol=1e-6)
        assert (parts[0, :, :2] == 0).all()  # nothing to keep or to erase before the first token


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_read_out_is_the_query_times_the_memory(made, variant):
    shown = lesson.watch(made[variant], PROMPT)
    for i, parts in shown.parts.items():
        g, weights = shown.layers[i].gates, shown.layers[i].weights
        read = np.einsum("htd,thdv->htv", g["query"], parts[:, :, 3])
        assert np.allclose(weights @ g["value"], read, atol=1e-5)
        shares = lesson.readout(shown, i, 1, 9)
        assert np.isclose(np.abs(shares).sum(), 1) and (shares[10:] == 0).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_number_set_by_hand_reaches_every_head_and_token(made, variant):
    shown = lesson.watch(lesson.overridden(made[variant], "0.8", "0.25"), PROMPT)
    plain = lesson.watch(made[variant], PROMPT)
    for i in shown.parts:
        assert np.allclose(np.exp(shown.layers[i].gates["decay"]), 0.8, atol=1e-6)
        assert np.allclose(shown.layers[i].gates["write"], 0.25, atol=1e-6)
        assert shown.layers[i].gates["decay"].shape == plain.layers[i].gates["decay"].shape
    first = lesson.delta_layers(made[variant].spec)[0]
    told = len(PROMPT.words)  # after it each model's own answers follow
    keys = [each.layers[first].gates["key"][:, :told] for each in (shown, plain)]
    assert np.allclose(*keys)  # nothing else is touched
    assert not np.allclose(plain.layers[first].gates["decay"], shown.layers[first].gates["decay"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_limits_of_decay_and_write_strength(made, variant):
    nothing = lesson.watch(lesson.overridden(made[variant], write="0"), PROMPT)
    assert all((parts == 0).all() for parts in nothing.parts.values())
    for i, parts in lesson.watch(lesson.overridden(made[variant], decay="1", write="1"), PROMPT).parts.items():
        assert np.array_equal(parts[1:, :, 0], parts[:-1, :, 3]) and i >= 0  # all stays until it is erased
    model = lesson.overridden(made[variant], decay="1", write="1")
    shown = lesson.watch(model, PROMPT)
    for i, parts in shown.parts.items():  # written at full strength, a key gives back exactly its value
        g = shown.layers[i].gates
        assert np.allclose(np.einsum("htd,thdv->htv", g["key"], parts[:, :, 3]), g["value"], atol=1e-4)


def test_without_anything_set_the_model_is_the_trained_one(made):
    again = lesson.overridden(made["delta-3-1"])
    tokens = torch.tensor([PROMPT.tokens])
    assert torch.equal(again(tokens)[0], made["delta-3-1"](tokens)[0])
    assert not Setting().changed and Setting(write="0.5").changed and not Setting(FULL, write="0.5").changed


@pytest.mark.parametrize("mix", lesson.MIXES)
@pytest.mark.parametrize("rule", lesson.RULES)
def test_every_setting_is_a_trained_variant(mix, rule):
    for keys in lesson.KEYS:
        spec = zoo.recipe(lesson.variant(mix, rule, keys)).spec
        deltas = len(lesson.delta_layers(spec))
        assert deltas == {PURE: len(spec.layers), HYBRID: 3, FULL: 0}[mix]
        if mix == PURE and rule == GATED:
            assert spec.layers[0].mixer.k_dim == keys


def test_memories_are_named_by_layer_and_head():
    assert list(lesson.memories(Setting())) == [f"layer {i}, head {h}" for i in (1, 2) for h in (1, 2)]
    assert list(lesson.memories(Setting(HYBRID, KIMI)).values())[-1] == (2, 3)
    assert lesson.memories(Setting(FULL)) == {}


# Count


@pytest.mark.parametrize("key", lesson.users())
def test_the_crossover_is_where_the_memories_meet(key):
    spec, n = spec_of(key), lesson.real_model(key).crossover
    whole = lesson.attended(spec)
    assert total_bytes(spec, n) < total_bytes(whole, n) and total_bytes(spec, n - 1) >= total_bytes(whole, n - 1)
    assert len(whole.layers) == len(spec.layers) and not lesson.delta_layers(whole)


def test_qwen3_next_and_kimi_linear_are_what_their_configs_say():
    """36 layers of 32 heads of 128 x 128 float32 numbers; a layer of attention keeps 2 x 2 x 256 numbers of 2 bytes a token."""
    f = lesson.formula("qwen3-next-80b-a3b")
    assert (f.layers, f.heads, f.k_dim, f.v_dim) == (36, 32, 128, 128)
    columns = 36 * 3 * (2 * 16 * 128 + 32 * 128) * 2
    assert f.bytes == 36 * 32 * 128 * 128 * 4 + columns and f.columns * 36 * 2 == columns
    assert f.per_token == 36 * 2 * 2 * 256 * 2
    assert f.crossover == f.bytes // f.per_token + 1  # the attention layers cancel out
    r = lesson.real_model("qwen3-next-80b-a3b", 1000)
    assert (r.cache, len(spec_of("qwen3-next-80b-a3b").layers)) == (24_576 * 1000, 48)
    k = lesson.real_model("kimi-linear-48b", 1000)
    assert (k.cache, k.whole) == (8_064 * 1000, 31_104 * 1000)
    assert (len(lesson.delta_layers(spec_of("kimi-linear-48b"))), len(spec_of("kimi-linear-48b").layers)) == (20, 27)


def test_constant_is_not_zero():
    """Below the crossover a delta net keeps more than attention would."""
    for key in lesson.users():
        short = lesson.real_model(key, lesson.real_model(key).crossover // 2)
        assert short.total > short.whole and lesson.real_model(key).total < lesson.real_model(key).whole


@pytest.mark.parametrize("variant", ["delta-8", "kimi-3-1"])
def test_counted_bytes_are_those_of_the_live_tensors(made, variant):
    scene = lesson.watch(made[variant], PROMPT).scene
    counts = [cost.count(made[variant].spec, n, cache_dtype="float32", state_dtype="float32") for n in (1, len(scene.words))]
    assert [int(scene.cache_bytes[i] + scene.state_bytes[i]) for i in (0, -1)] == [c.cache_bytes + c.state_bytes for c in counts]


def test_the_attended_model_grows_as_attention_does():
    lengths = np.array([1, 10, 100])
    whole, own = lesson.lines(zoo.recipe("delta-16").spec, lengths, "float32")
    columns = 2 * 2 * 64 * 4  # of the short convolutions in front, the same in both
    assert (whole - columns == lengths * 2 * 2 * 64 * 4).all() and len(set(own)) == 1


# Prove


def rows(values: dict[str, float]) -> list[dict]:
    """A table made by hand: three seeds a variant, recall falling a little with the pairs."""
    return [
        {
            "variant": v,
            "seed": str(seed),
            "step": str(step),
            "loss@24": str(1 - x + 0.01),
            **{f"recall@{n}": str(x - n / 1e4) for n in lesson.RUNS.counts},
        }
        for v, x in values.items()
        for seed in range(3)
        for step in (100, 200)
    ]


def test_recall_comes_from_the_table_and_is_empty_without_one(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert lesson.RUNS.recalled() == {} and lesson.RUNS.learning() == {}
    assert {claim["verdict"] for claim in evidence.report("gated_deltanet")["claims"]} == {"unclear"}
    table = rows({"attention-4": 1.0, "delta-16": 0.8, "delta-3-1": 0.9})
    monkeypatch.setattr(zoo, "table", lambda name: table if name == "gated_deltanet" else [])
    recalled = lesson.RUNS.recalled()
    assert set(recalled) == {"attention-4", "delta-16", "delta-3-1"}
    assert recalled["delta-16"][8] == pytest.approx(dict.fromkeys(range(3), 0.8 - 8e-4))
    assert all(len(runs) == 3 for found in recalled.values() for runs in found.values())
    assert all(len(steps) == 2 for seeds in lesson.RUNS.learning().values() for steps, _ in seeds.values())


def test_numbers_in_the_matrices():
    sizes = lesson.memory_numbers()
    assert sizes["delta-4"] == 2 * 2 * 4 * 32 and sizes["kimi-16"] == 2 * 4 * 16 * 16 and sizes["attention-4"] == 0
