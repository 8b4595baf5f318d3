"""What the page on mixtures of experts shows as numbers, against the definitions."""

import dataclasses

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons.common import measured_parameters, spec_of
from core.lessons.moe import evidence as runs
from core.lessons.moe import lesson
from core.lessons.moe.words import trained_as
from core.real import catalogue
from core.train import evidence, zoo
from core.train.recipes.moe import BALANCES, RECIPES, TRAINED, WIDTH, Setting
from core.train.tasks import domains
from tests.mechanisms.page import PROMPTED, Page, Screen, bad

PAGE = Page(
    "moe",
    ends=({"experts": "8"}, {"experts": "16"}),
    controls=f"experts balance top_k shared gate cells flow batch real cw-pick-preset {PROMPTED}",
    shy={"gate": {}, "shared": {"balance": "bias"}},
    real=tuple(lesson.mixture_names())[:3],
    preset=("Mixtral", {"real": "Mixtral 8x7B", "experts": "8"}),
    links=("balance=none&row=3", "experts=8&top_k=2&cells=affinities", "gate=sigmoid&balance=bias&shared=true&batch=8"),
    prompts=(
        ("whisk the eggz .", ("eggz", "nearest: eggs")),
        ("", ("1 to 64",)),
        ("rain " * 100, ("64",)),
        ("<script>x</script>", ("nearest",)),
    ),
    nonsense=(
        *bad(("experts", "99"), ("balance", "x"), ("top_k", "7"), ("batch", "-1")),
        {"experts": "8", "top_k": "3"},
        {"gate": "sigmoid", "shared": "true"},
    ),
    source=("class MoEModule",),
    users=lambda: [r.name for r in lesson.users()],
    stated=False,
    fresh=lambda n: {"prompt": domains.surprise(n, sentences=2)},
    screen=Screen(
        maps=2,
        last=1,
        figure="load",
        moves=("routing", "load"),
        alt=("Which of 16 experts each of", "Load of 16 experts in 2 layers"),
        linked="experts batch real section prompt v",
        stage="reading",
    ),
)

TEXT = tuple(domains.parse(next(iter(domains.EXAMPLES.values()))).tokens)


def test_dense_rivals_have_at_least_the_active_and_the_total_size_of_the_mixture():
    sizes = {r.variant: r.spec.layers[0].ffn for r in RECIPES}
    ours = sizes[lesson.DEFAULT.variant]
    assert 0 <= sizes["dense"].params(WIDTH) - ours.active(WIDTH) < 3 * WIDTH
    assert 0 <= sizes["dense-total"].params(WIDTH) - ours.params(WIDTH) < 3 * WIDTH


def test_gate_and_balancing_are_never_mixed():
    """Both gates were trained with every balancing, and nothing else differs."""
    assert {Setting(gate=gate, balance=b) for gate in ("softmax", "sigmoid") for b in BALANCES} <= set(TRAINED)
    assert len({(r.steps, r.lr, r.embed_std, r.settings["count"], r.settings["length"]) for r in RECIPES}) == 1


def test_only_what_was_trained_is_offered():
    chosen: dict = {}
    for field in lesson.FIELDS:
        chosen[field] = lesson.offered(field, chosen)[-1]
    assert Setting(**chosen) in TRAINED
    assert lesson.offered("balance", {"experts": 8}) == ("loss",) and lesson.offered("top_k", {"experts": 8}) == (1, 2)
    assert lesson.offered("shared", {"experts": 16, "balance": "bias", "top_k": 1}) == (False, True)


@pytest.mark.parametrize(
    "wanted", [{}, {"experts": 99}, {"experts": 8, "top_k": 2, "shared": True}, {"gate": "sigmoid", "top_k": 2}]
)
def test_whatever_is_wanted_settles_on_something_trained(wanted):
    assert lesson.settle(wanted) in TRAINED


def test_presets_run_a_mixture_of_the_real_kind():
    """Trained, and with the gate, the shared expert and the bias that picks of the real model."""
    assert set(lesson.presets()) == {name for name, _ in lesson.NEAREST.values()}
    for values in lesson.presets().values():
        real, here = lesson.real_model(values["real"]).ffn, lesson.settle(values)
        assert here in TRAINED
        assert (real.scores, real.bias, real.shared > 0) == (here.gate, here.ffn.bias, here.shared), values


def test_differences_name_every_field_in_which_two_mixtures_differ():
    """Against the two descriptions field by field; a mixture of the very same kind differs in nothing."""
    for values in lesson.presets().values():
        setting = lesson.settle(values)
        real, here = lesson.real_model(values["real"]).ffn, setting.ffn
        fields = [f.name for f in dataclasses.fields(real) if getattr(real, f.name) != getattr(here, f.name)]
        found = {trait for trait, *_ in lesson.trait_differences(values["real"], setting)}
        named = {"experts": "routed experts", "top_k": "picked", "hidden": "width of an expert", "scores": "gate",
                 "normalise": "weights add up to one", "scale": "weights times", "bias": "bias that picks",
                 "activation": "activation", "router_bias": "router's learned bias",
                 "expert_bias": "experts' learned biases"}  # fmt: skip
        assert {named[f] for f in fields if f in named} == found - {"groups picked from", "dense layers", "shared experts"}
        assert ("groups picked from" in found) == (real.groups != real.top_groups)
    assert lesson.traits(Setting().ffn) == lesson.traits(Setting(balance="none").ffn)
    mixtral = dict((trait, (a, b)) for trait, a, b in lesson.trait_differences("mixtral-8x7b", Setting(8, top_k=2)))
    assert mixtral == {"width of an expert": ("14,336", "32")}


def test_both_counts_of_active_parameters_are_true_of_deepseek_v3():
    """37.6 billion with the table of input embeddings, 36.6 without: the makers' 37."""
    r = lesson.real_model("deepseek-v3")
    assert r.lookup == 129_280 * 7168 and round((r.active - r.lookup) / 1e9) == 37 and round(r.active / 1e8) == 376


@pytest.mark.parametrize("setting", TRAINED, ids=lambda s: s.variant)
def test_a_scene_is_what_the_router_decides(setting):
    scene = lesson.scene(setting.variant, TEXT)
    L, T, E = scene.affinity.shape
    assert (2, len(TEXT), setting.experts) == (L, T, E) and scene.picked.shape == (2, T, setting.top_k)
    assert ((scene.weights > 0).sum(-1) == setting.top_k).all()
    assert np.allclose(lesson.expert_load(scene).mean(1), 1)
    if setting.balance != "bias":
        assert (scene.picked[..., 0] == scene.affinity.argmax(-1)).all()
    assert [E - len(set(layer.ravel().tolist())) for layer in scene.picked] == lesson.idle(scene)


def test_a_flow_carries_every_token_through_both_layers():
    for setting in (Setting(), Setting(8, top_k=2)):
        scene = lesson.scene(setting.variant, TEXT)
        names, links, columns = lesson.flow(scene)
        for column in (0, 1):
            assert sum(n for a, _, n in links if columns[a] == column) == pytest.approx(len(TEXT))
        assert all(columns[b] == columns[a] + 1 for a, b, _ in links) and len(names) == len(columns)


def test_tastes_count_the_words_of_each_domain():
    scene = lesson.scene(lesson.DEFAULT.variant, TEXT)
    tastes = lesson.tastes(scene, 1)
    assert sum(t.words for t in tastes) == sum(d != "" for d in scene.domains)
    assert all(sum(n for _, n in t.experts) == t.words for t in tastes)
    assert len(lesson.common(tastes)) <= lesson.visited(tastes)


@pytest.mark.parametrize("key", list(lesson.mixture_names()))
def test_parts_add_up_to_what_the_calculator_counts(key):
    parts, r = lesson.parts(spec_of(key)), lesson.real_model(key)
    assert sum(p.total for p in parts) == r.total and sum(p.active for p in parts) == r.active
    assert sum(n for _, n, _ in lesson.blocks(spec_of(key))) == r.total
    assert all(p.active == p.total for p in parts if p.name != "routed experts")


def test_nine_of_deepseek_v3_are_eight_routed_and_one_shared():
    r = lesson.real_model("deepseek-v3")
    assert lesson.active_experts_text(r) == "8 of 256 routed + 1 shared" and (r.mixed, r.layers) == (58, 61)
    assert lesson.active_experts_text(lesson.real_model("mixtral-8x7b")) == "2 of 8 routed"
    assert lesson.active_experts_text(lesson.real_model("deepseek-v2")) == "6 of 160 routed + 2 shared"


def test_a_single_token_reads_its_active_parameters_and_a_large_batch_all():
    for r in lesson.real_models():
        assert r.read(1) == pytest.approx(r.weight_bytes * r.share, rel=1e-3)
        assert r.read(1 << 20) == pytest.approx(r.weight_bytes, rel=1e-6)
        curve = lesson.reading(r.key)
        assert (np.diff(curve["step"]) >= 0).all() and (np.diff(curve["token"]) <= 0).all()


def test_distinct_experts_are_counted_as_a_naive_loop_does():
    routing = torch.randint(6, (8, 5, 2), generator=torch.Generator().manual_seed(0))
    groups = [routing[g : g + 4, t] for g in (0, 4) for t in range(5)]
    assert lesson.distinct_experts(routing, 4) == pytest.approx(np.mean([len(group.unique()) for group in groups]))


def test_a_single_token_of_the_live_model_touches_k_experts_and_many_nearly_all():
    for setting in (Setting(), Setting(8, top_k=2)):
        measured = lesson.touched(setting.variant)
        assert np.allclose(measured[:, 0], setting.top_k) and (np.diff(measured) >= 0).all()
        assert (measured <= lesson.predicted(setting.ffn) + 0.5).all(), "an uneven load touches fewer, never many more"


def test_every_seed_and_every_load_stands_in_the_table():
    for r in RECIPES:
        rows = [row for row in zoo.table("moe") if row["variant"] == r.variant]
        assert {int(row["seed"]) for row in rows} == set(zoo.named("moe").seeds), r.variant
        if r.variant.startswith("moe"):
            _, loads = runs.loads_over_time(r.variant, 0)
            assert loads.shape == (2, 6, trained_as(r.variant).experts) and np.allclose(loads.mean(-1), 1, atol=1e-2)


def test_no_run_is_below_the_loss_that_none_can_beat():
    groups = evidence.grouped("moe", "loss").values()
    assert min(v for group in groups for seeds in group.values() for v in seeds.values()) > runs.floor()


def test_the_most_frequent_word_is_an_expert_full_by_itself():
    """The end of a sentence of seven words: a seventh of the text, more than two shares of sixteen."""
    word, times = runs.commonest(Setting())
    assert word == "." and 1.8 < times < 16 / 7
    assert runs.commonest(Setting(8, top_k=2))[1] == pytest.approx(times / 4)


def test_live_models_are_counted_exactly():
    for setting in TRAINED:
        assert lesson.variant_cost(setting.variant).params_total == measured_parameters(setting.variant)


def test_users_are_every_mixture_of_the_catalogue():
    keys = {r.key for r in lesson.users()}
    for key, entry in catalogue.entries().items():
        assert (key in keys) == (lesson.mixtures(entry.reading.spec) != []), key
    assert cost.count(spec_of("deepseek-v3"), 1).params_active == lesson.real_model("deepseek-v3").active
