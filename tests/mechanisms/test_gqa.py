"""What the GQA page shows as numbers, against the definitions."""

import numpy as np
import pytest

from core.count import cost
from core.lessons import gqa
from core.lessons.common import USUAL_CONTEXT
from core.lessons.recall import checkpoint_scene, finder, live_cost
from core.model.registry import EXAMPLES
from core.real import catalogue
from core.shape import diagram
from core.train import evidence, zoo
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "gqa",
    ends=({"kv_heads": "1"}, {"kv_heads": "8"}),
    controls=f"kv_heads positions model cw-pick-shape {PROMPTED}",
    shy={"layer": {"model": gqa.INDUCTION}},
    real=tuple(gqa.dividing(1)[:3]),
    preset=("Multi-query: 1", {"kv_heads": "1"}),
    links=("kv_heads=1", "kv_heads=4&positions=rope&head=5", "kv_heads=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=2&step=5"),
    prompts=RECALL,
    nonsense=bad(("kv_heads", "99"), ("kv_heads", "abc"), ("model", "x"), ("positions", "x")),
    source=("class AttentionModule", "arXiv 2305.13245"),
    users=lambda: [u["entry"].name for u in gqa.users()],
    screen=Screen(
        maps=8,
        last=7,
        figure="wiring",
        moves=("attention", "wiring"),
        alt=("Attention maps of 8 query heads", "8 query heads above, each wired"),
        linked="kv_heads positions model section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope eva coin ? bo eva")


@pytest.mark.parametrize("kv_heads", gqa.KV_HEADS)
@pytest.mark.parametrize("positions", gqa.POSITIONS)
def test_counted_bytes_are_measured_bytes_after_every_token(kv_heads, positions):
    variant = gqa.variant(kv_heads, positions)
    scene = checkpoint_scene(variant, PROMPT)
    counted = [live_cost(variant, n + 1) for n in range(len(scene.words))]
    assert scene.cache_bytes.tolist() == [c.cache_bytes for c in counted]
    assert scene.state_bytes.tolist() == [c.state_bytes for c in counted]


def test_the_cache_shrinks_by_exactly_the_sharing_factor_and_the_convolution_does_not():
    scenes = {g: checkpoint_scene(gqa.variant(g), PROMPT) for g in gqa.KV_HEADS}
    for g, scene in scenes.items():
        assert (scenes[8].cache_bytes == scene.cache_bytes * 8 // g).all()
        assert (scene.state_bytes == scenes[8].state_bytes).all() and scene.state_bytes[-1] > 0


@pytest.mark.parametrize("variant", ["mha", "gqa-4", "gqa-2", "mqa", "induction"])
def test_the_trained_models_answer_and_a_head_can_be_named(variant):
    scene = checkpoint_scene(variant, PROMPT)
    for answer in scene.answers:
        assert answer.said == answer.truth and answer.probability > 0.5
        assert scene.words[answer.position] == answer.name and scene.words[answer.source] == answer.truth
        assert finder(scene, answer).weight > 0.5


def test_induction_first_finds_the_previous_token_then_the_answer():
    """Layer 1 has a head on the previous token, layer 2 one on the thing after the asked name (arXiv 2209.11895)."""
    scene = checkpoint_scene("induction", PROMPT)
    previous = np.array([np.diagonal(head, -1)[1::2].mean() for head in scene.run.attention[0]])
    assert previous.max() > 0.5
    assert all(finder(scene, a).layer == 1 for a in scene.answers)


def test_a_stranger_has_no_source():
    answer = checkpoint_scene("mha", recall.parse("ann lamp bo kite ? zoe")).answers[0]
    assert answer.source == -1 and answer.truth == ""


def test_llama_3_8b_at_128k_is_64_gib_multi_head_and_16_with_8_kv_heads():
    row = gqa.real_model("llama3-8b", 4)
    assert (row.multi_head, row.moved, row.released) == (64 << 30, 16 << 30, 16 << 30) and row.chosen == 8


def test_models_whose_heads_do_not_divide_are_left_out():
    assert gqa.real_model("gpt2-xl", 2) is None and gqa.real_model("gpt2-xl", 1)
    assert all(row.heads % 8 == 0 for row in gqa.real_models(8))
    users = [key for key, entry in catalogue.entries().items() if gqa.attentions(entry.reading.spec)]
    assert sorted(row.key for row in gqa.real_models(1)) == sorted(users) and len(users) >= 16


def test_models_of_other_layers_are_left_out_and_mixed_ones_have_no_one_formula():
    specs = {spec.name: spec for spec in EXAMPLES}
    assert gqa.attentions(specs["gqa"]) and gqa.alike(specs["gqa"])
    assert gqa.attentions(specs["local-global"]) and not gqa.alike(specs["local-global"])
    assert gqa.attentions(specs["ffn-alone"]) == [] and not gqa.alike(specs["ffn-alone"])


def test_released_sharing_of_the_catalogue_is_what_the_calculator_gives():
    for row in gqa.real_models(1):
        spec = catalogue.entries()[row.key].reading.spec
        assert row.released == cost.count(spec, USUAL_CONTEXT).cache_bytes <= row.multi_head


def test_layers_that_share_differently_are_all_named():
    rows = {u["entry"].key: (u["heads"], u["kv_heads"], u["sharing"]) for u in gqa.users()}
    assert rows["mimo-v2-flash"] == ("64", "4 or 8", "16 or 8 to 1")
    assert rows["llama3-8b"] == ("32", "8", "4 to 1") and rows["gpt2-small"] == ("12", "12", "none")


def test_the_formula_multiplies_to_the_counted_bytes():
    for key in gqa.dividing(2):
        f = gqa.formula(key, 2)
        assert 2 * f.layers * f.kv_heads * f.width * f.context * 2 == f.bytes, key
        assert f.released == gqa.real_model(key, 2).released


def test_positions_are_what_the_model_was_trained_with():
    assert [gqa.placed(p, gqa.SHORT) for p in gqa.POSITIONS] == list(gqa.POSITIONS)
    assert {gqa.placed(p, gqa.INDUCTION) for p in gqa.POSITIONS} == {gqa.ROPE}


def test_every_seed_of_the_losses_is_the_seed_of_its_run():
    rows = [row for row in zoo.table("gqa") if row["variant"] == "mqa" and row[gqa.METRIC]]
    last = max(int(row["step"]) for row in rows)
    wanted = {int(row["seed"]): float(row[gqa.METRIC]) for row in rows if int(row["step"]) == last}
    assert [runs["mqa"] for runs in evidence.grouped("gqa", gqa.METRIC).values() if "mqa" in runs] == [wanted]


def test_sharing_leaves_the_arithmetic_of_attention_alone():
    contexts = np.array([1024, 131072])
    full, shared = (gqa.arithmetic("llama3-8b", f, contexts) for f in (1, 8))
    assert (full["attention"] == shared["attention"]).all() and (shared["projections"] < full["projections"]).all()


@pytest.mark.parametrize("kv_heads", gqa.KV_HEADS)
def test_wiring_is_floor_of_head_over_share(kv_heads):
    graph = diagram.wiring(zoo.recipe(gqa.variant(kv_heads)).spec.layers[0].mixer)
    assert {(a[1], b[1]) for a, b in graph.edges} == {(i, i // (8 // kv_heads)) for i in range(8)}
