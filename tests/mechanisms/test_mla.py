"""Latent attention: the limit cases that define it, what is cut from it, and what its page shows as numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons.mla import evidence as proved
from core.lessons.mla import lesson
from core.lessons.mla import real as models
from core.lessons.mla.lesson import ABSORBED, CUT, EXPANDED, FULL, LATEST, ONCE, TRAINED, Choice
from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.model import build, elements
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.real import catalogue
from core.shape import diagram
from core.train import zoo
from core.train.recipes import mla as recipes
from core.train.rules import NOT, SHOWS, UNCLEAR, beats
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "mla",
    ends=({"latent": "1"}, {"latent": str(lesson.FULL)}),
    controls=f"latent rope_key form made task cw-pick-shape {PROMPTED}",
    shy={"made": {"latent": "12"}},
    real=tuple(models.keys()),
    preset=(next(iter(models.presets())), {"latent": str(next(iter(models.presets().values()))["latent"])}),
    links=("latent=6", "latent=12&made=trained+at+this+size&form=expanded", "latent=20&rope_key=false&head=3&row=5"),
    prompts=RECALL,
    nonsense=(
        *bad(("latent", "99"), ("latent", "x"), ("rope_key", "maybe"), ("form", "x"), ("made", "x"), ("task", "x")),
        {"latent": "28", "made": lesson.TRAINED},
    ),
    source=("class LatentModule", "arXiv 2405.04434"),
    users=lambda: [u["entry"].name for u in models.users()],
    screen=Screen(
        maps=3 * lesson.HEADS,
        last=7,
        figure="bottleneck",
        moves=("attention", "bottleneck"),
        alt=("Attention of 4 heads", "Difference of the attention", "numbers of x become a latent", "answered right"),
        linked="latent rope_key form task section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope eva coin ? bo eva")
TOLD_ONCE = (17682, 11130)  # sums of tokens and of answers of one batch, drawn before names could be told twice
TWICE = recall.parse("ann lamp bo kite cy drum bo rope dan coin ann bell dan boat cy book ? bo ann dan")


# Limit cases of the mixer


def as_attention(m: Latent, module: torch.nn.Module, d_model: int) -> torch.nn.Module:
    """Plain multi-head attention with the matrices that a latent without rope key and norm amounts to: W_k = W_uk W_dkv."""
    plain = Attention(m.heads, m.heads, m.nope_dim, m.v_dim, Rope(0)).build(d_model)
    w_uk, w_uv = module.up  # (H, d, r), (H, v, r)
    down = module.kv_a_proj_with_mqa.weight[: m.kv_rank]  # (r, D)
    with torch.no_grad():
        plain.q_proj.weight.copy_(module.q_proj.weight)
        plain.k_proj.weight.copy_((w_uk @ down).flatten(0, 1))
        plain.v_proj.weight.copy_((w_uv @ down).flatten(0, 1))
        plain.o_proj.weight.copy_(module.o_proj.weight)
    return plain


@pytest.mark.parametrize("rank", [3, 16])
def test_without_norm_and_rope_key_it_is_multi_head_attention_with_low_rank_keys_and_values(rank):
    torch.manual_seed(0)
    m = Latent(heads=4, kv_rank=rank, nope_dim=6, rope_dim=0, v_dim=5, form="expanded")
    module = m.build(16)
    module.kv_a_layernorm = torch.nn.Identity()
    x = torch.randn(2, 7, 16)
    ours, theirs = module(x, {}, {})[0], as_attention(m, module, 16)(x, {}, {})[0]
    assert ours.std() > 0.01 and torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("key", [0, 4])
@pytest.mark.parametrize("cut", [0, 5])
def test_absorbed_is_expanded_over_prompt_and_steps(key, cut):
    torch.manual_seed(1)
    m = Latent(heads=4, kv_rank=10, nope_dim=8, rope_dim=key, v_dim=6, rope=Rope(key), cut=cut)
    modules = [replace(m, form=form).build(16) for form in (ABSORBED, EXPANDED)]
    modules[1].load_state_dict(modules[0].state_dict())
    x, outs = torch.randn(2, 9, 16), []
    for module in modules:
        first, state, _ = module(x[:, :5], {}, {})
        rest = []
        for t in range(5, 9):
            y, state, _ = module(x[:, t : t + 1], state, {})
            rest.append(y)
        outs.append(torch.cat([first, *rest], 1))
    assert outs[0].std() > 0.01 and (outs[0] - outs[1]).abs().max() < 1e-5


def test_the_rope_key_is_one_for_all_heads_and_turned_before_it_is_kept():
    torch.manual_seed(2)
    m = Latent(heads=4, kv_rank=10, nope_dim=8, rope_dim=4, v_dim=6, rope=Rope(4))
    module, x = m.build(16), torch.randn(1, 1, 16).expand(1, 6, 16)  # the same word six times
    _, state, _ = module(x, {}, {})
    assert state["rope_key"].shape == (1, 6, 4) and state["latent"].shape == (1, 6, 10)
    assert torch.allclose(state["latent"][0, 0], state["latent"][0, 5]), "the latent knows no position"
    assert not torch.allclose(state["rope_key"][0, 0], state["rope_key"][0, 5], atol=1e-3), "the rotated key does"


def test_without_a_rope_key_the_order_of_what_is_read_does_not_matter():
    torch.manual_seed(3)
    for key, same in ((0, True), (4, False)):
        module = Latent(heads=2, kv_rank=8, nope_dim=8, rope_dim=key, v_dim=8, rope=Rope(key)).build(16)
        x = torch.randn(1, 6, 16)
        swapped = torch.cat([x[:, [2, 0, 4, 1, 3]], x[:, 5:]], 1)
        ours, theirs = (module(y, {}, {})[0][:, -1] for y in (x, swapped))
        assert torch.allclose(ours, theirs, atol=1e-5) is same


def test_query_compression_keeps_nothing():
    m = Latent(heads=4, kv_rank=10, nope_dim=8, rope_dim=4, v_dim=6, rope=Rope(4))
    assert m.cache(9) == replace(m, q_rank=12).cache(9) == {"latent": 90, "rope_key": 36}


def test_what_is_kept_is_what_is_counted_for_a_cut_latent_too():
    spec = ModelSpec("x", 16, 31, (Layer(Latent(4, 10, 8, 4, 6, rope=Rope(4), cut=3), None),))
    _, state = build(spec)(torch.arange(7)[None] % 31)
    kept = elements(state)
    assert kept["latent"] == 21 and kept["rope_key"] == 28 and cost.count(spec, 7).cache_elements == 49


def test_flops_and_reads_are_those_of_the_worked_example():
    """DeepSeek-V3: a query and a key cost 81,920 FLOPs expanded and 278,528 absorbed, reading 40,960 and 576 numbers."""
    m = Latent(128, 512, 128, 64, 128, q_rank=1536, rope=Rope(64))
    pair = {form: replace(m, form=form).flops(7168, 1, 1)["attention"] for form in (EXPANDED, ABSORBED)}
    assert pair == {EXPANDED: 81920, ABSORBED: 278528}
    assert [lesson.reads(m, form, 1) for form in (EXPANDED, ABSORBED)] == [40960, 576]


# Truncation


def test_a_cut_to_the_full_rank_changes_nothing():
    w = zoo.load("mla-28-4").layers[0].self_attn.kv_b_proj.weight
    cut = lesson.truncated("a.kv_b_proj.weight", w, FULL)
    assert torch.allclose(cut["a.kv_b_proj.weight"] @ cut["a.kv_cut_proj.weight"], w, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 6, 20])
def test_a_cut_is_the_nearest_of_its_rank(rank):
    """Eckart and Young: what is left out is the smallest singular values, and nothing of that rank comes nearer."""
    w = zoo.load("mla-28-4").layers[0].self_attn.kv_b_proj.weight
    cut = lesson.truncated("a.kv_b_proj.weight", w, rank)
    near = cut["a.kv_b_proj.weight"] @ cut["a.kv_cut_proj.weight"]
    assert torch.linalg.matrix_rank(near, rtol=1e-4) == rank
    left = torch.linalg.svdvals(w.double())[rank:].square().sum().sqrt()
    assert torch.dist(near.double(), w.double()) == pytest.approx(float(left), rel=1e-4)
    assert lesson.kept_share(Choice(rank)) == pytest.approx(1 - float(left**2 / w.double().square().sum()), rel=1e-6)


@pytest.mark.parametrize("key", [True, False])
def test_a_model_cut_in_no_direction_answers_as_the_trained_one(key):
    tokens = torch.tensor([PROMPT.tokens])
    trained = zoo.load(Choice(FULL, key).variant)
    for form in lesson.FORMS:
        assert torch.allclose(lesson.live_model(Choice(FULL, key, form))(tokens)[0], trained(tokens)[0], atol=1e-4)


@pytest.mark.parametrize("rank", lesson.RANKS)
@pytest.mark.parametrize("key", [True, False])
def test_counted_bytes_are_measured_bytes_after_every_token(rank, key):
    for made in lesson.MADE:
        choice = Choice(rank, key, made=made)
        scene = lesson.scene(choice, PROMPT)
        counted = [lesson.choice_cost(choice, n + 1) for n in range(len(scene.words))]
        assert scene.cache_bytes.tolist() == [c.cache_bytes for c in counted]
        assert counted[-1].cache_bytes == 4 * len(scene.words) * (rank + 4 * key)


@pytest.mark.parametrize("choice", [Choice(FULL), Choice(6), Choice(12, made=TRAINED), Choice(FULL, key=False, task=LATEST)])
def test_both_forms_give_the_same_on_a_readers_prompt(choice):
    assert lesson.forms_differ(choice, PROMPT) < 1e-5
    absorbed, expanded = lesson.forms(choice, 20)
    assert absorbed.reads < expanded.reads and absorbed.flops < expanded.flops


def test_attention_of_the_largest_is_its_own_and_a_cut_moves_it_more_the_harder_it_cuts():
    whole = lesson.scene(Choice(FULL), PROMPT)
    moved = [lesson.moved(lesson.scene(Choice(rank), PROMPT), whole) for rank in (FULL, 20, 8, 2)]
    assert moved[0] == 0 and moved == sorted(moved) and moved[-1] < 1


# What was learned


@pytest.mark.parametrize("choice", [Choice(FULL), Choice(FULL, key=False), Choice(12, made=TRAINED)])
def test_the_trained_models_answer(choice):
    for answer in lesson.scene(choice, PROMPT).answers:
        assert answer.said == answer.truth and answer.probability > 0.5


def test_the_later_thing_is_found_with_the_rope_key_and_guessed_without():
    assert all(a.said == a.truth for a in lesson.scene(Choice(FULL, task=LATEST), TWICE).answers)
    assert lesson.recalled(Choice(FULL, task=LATEST)) > 0.9 > 0.65 > lesson.recalled(Choice(FULL, key=False, task=LATEST)) > 0.35


def test_trained_at_twelve_is_better_than_cut_to_twelve():
    curves = lesson.by_rank(True, ONCE)
    at = {made: dict(zip(*curves[made])) for made in (CUT, TRAINED)}
    assert at[TRAINED][12] > at[CUT][12] + 0.2 and at[TRAINED][FULL] == at[CUT][FULL]


# Recipes


def test_every_rival_keeps_as_much_and_is_as_large():
    for budget in recipes.BUDGETS:
        rivals = [r.spec for r in recipes.rivals(budget)]
        assert {cost.count(s, 1).cache_elements for s in rivals} == {budget}
        for ours in recipes.OURS[budget]:
            assert cost.count(ours.spec, 1).cache_elements == budget
            sizes = [cost.count(s, 1).params_total / cost.count(ours.spec, 1).params_total for s in rivals]
            assert all(0.98 < size < 1.02 for size in sizes)
    assert {cost.count(r.spec, 1).cache_elements for r in recipes.LATEST_RIVALS} == {32}


def test_rivals_differ_in_mixer_and_rate_alone_and_both_sides_have_both_rates():
    for group in recipes.GROUPS:
        ours, rivals = ([zoo.recipe(v) for v in side] for side in (group.variants, group.rivals))
        same = {(r.steps, repr(r.settings), r.embed_std, r.evaluate_every, r.spec.d_model) for r in (*ours, *rivals)}
        assert len(same) == 1
        assert {r.lr for r in ours} == {r.lr for r in rivals} == set(proved.rates(group)) and len(proved.rates(group)) == 2


def test_the_grid_is_the_table():
    grid = proved.grid()
    assert grid.variants == len(recipes.RECIPES) and grid.runs == 3 * grid.variants and 0 < grid.minutes < 60


# Counts


def test_three_answers_behind_one_percentage():
    shares = [s.share for s in models.savings()]
    assert [round(100 * share, 2) for share in shares] == [98.24, 82.24, 93.34]
    assert [s.after for s in models.savings()] == [34560] * 3


def test_real_models_keep_what_their_papers_say():
    """DeepSeek-V3 70,272 bytes a token in 16 bits (arXiv 2505.09343); DeepSeek-V2 keeps what 2.25 groups would (2405.04434)."""
    assert models.real_model("deepseek-v3", 1024).released == 70272 * 1024
    v2 = models.real_model("deepseek-v2", 1024)
    assert v2.released / v2.grouped == 2.25 / 8
    f = models.facts("deepseek-v3")
    assert (f.kept, f.multi_head, round(f.more_flops, 1), round(f.fewer_reads)) == (576, 32768, 3.4, 71)
    assert f.kept == f.kept_without_query_rank


def test_the_formula_multiplies_to_the_counted_bytes():
    for key in models.keys():
        r = models.real_model(key, 4096)
        assert r.layers * (r.latent + r.rope_key) * 4096 * 2 == r.released
        assert r.released == cost.count(catalogue.entries()[key].reading.spec, 4096).cache_bytes


@pytest.mark.parametrize("context", [64, 4096])
def test_the_crossing_is_where_expanded_becomes_cheaper(context):
    at = models.crossing("deepseek-v3", context)
    values = models.together("deepseek-v3", context, np.arange(1, context + 1))
    cheaper = np.flatnonzero(values[EXPANDED] <= values[ABSORBED])
    assert at == (cheaper[0] + 1 if len(cheaper) else 0) and at > 1


def test_arithmetic_against_context():
    lines = models.decode_curves("deepseek-v3", np.array([1024, 131072]))
    assert (lines["flops"]["kept"] < lines["flops"][ABSORBED]).all() and (
        lines["flops"][ABSORBED] < lines["flops"][EXPANDED]
    ).all()
    assert (lines["reads"][EXPANDED] == 40960 * np.array([1024, 131072])).all()


def test_presets_are_the_share_of_the_width():
    presets = models.presets()
    assert [p["latent"] for p in presets.values()] == [16, 6, 4] and all(p["rope_key"] for p in presets.values())


# The bottleneck


@pytest.mark.parametrize("form", lesson.FORMS)
@pytest.mark.parametrize("key", [True, False])
def test_the_bottleneck_has_true_widths(form, key):
    choice = Choice(6, key, form)
    graph, m = diagram.bottleneck(choice.mixer, lesson.WIDTH), choice.mixer
    rows = {y: [d for _, d in graph.nodes(data=True) if d["pos"][1] == y] for y in (0, 1, 2)}
    assert [sum(d["width"] for d in rows[y]) for y in (2, 1)] == [lesson.WIDTH, sum(m.cache(1).values())]
    head = m.kept + m.rope_dim if form == ABSORBED else m.nope_dim + m.rope_dim + m.v_dim
    assert sum(d["width"] for d in rows[0]) == m.heads * head
    for nodes in rows.values():
        ends = sorted((d["pos"][0] - d["width"] / 2, d["pos"][0] + d["width"] / 2) for d in nodes)
        assert all(right <= left + 1e-9 for (_, right), (left, _) in zip(ends, ends[1:])), "nothing overlaps"
        assert ends[-1][1] - ends[0][0] <= lesson.widest()
    assert all(graph.in_degree(n) == 1 for n in graph if n != "x")


# The task


def test_names_told_twice_have_the_later_thing_as_truth():
    for pairs in (1, 2, 7, 24):
        tokens, targets = recall.batch(pairs, 6, 72, torch.Generator().manual_seed(pairs), retell=True)
        for row, answers in zip(tokens.tolist(), targets.tolist()):
            told = list(zip(row[0 : 2 * pairs : 2], row[1 : 2 * pairs : 2]))
            has, names = dict(told), [name for name, _ in told]
            assert len(has) == -(-pairs // 2) and all(names.count(n) <= 2 for n in names)
            assert all(len({thing for name, thing in told if name == n}) == names.count(n) for n in names), "never the same twice"
            asked = [i for i, t in enumerate(answers) if t != -100]
            assert asked == list(range(2 * pairs + 1, 72, 2)) and all(answers[i] == has[row[i]] for i in asked)


def test_telling_once_draws_what_it_always_drew():
    """The batches that older checkpoints were trained on."""
    tokens, targets = recall.training_batch(200, torch.Generator().manual_seed(3), 48, 2, 128)
    assert int(tokens.sum()) == TOLD_ONCE[0] and int(targets.clamp(min=0).sum()) == TOLD_ONCE[1]


# The rule


def table(**losses) -> list[dict]:
    """{variant: losses of the seeds} as rows at step 20, with ten times as much at step 10."""
    return [
        {"variant": v, "seed": str(seed), "step": str(step), "m": str(loss * (10 if step == 10 else 1))}
        for v, values in losses.items()
        for seed, loss in enumerate(values)
        for step in (10, 20)
    ]


def test_the_best_of_ours_meets_the_best_of_its_rivals():
    check = beats("m", ("a", "b"), ("c", "d"))
    assert check(table(a=[1, 1, 1], b=[9, 9, 9], c=[2, 2.1, 1.9], d=[9, 9, 9])).outcome == SHOWS
    assert check(table(a=[1, 1, 1], b=[9, 9, 9], c=[9, 9, 9], d=[0.5, 0.4, 0.5])).outcome == NOT, "one better rival is enough"
    assert check(table(a=[1, 1, 1], c=[1.1, 2, 0.95])).outcome == UNCLEAR
    assert check([]).outcome == UNCLEAR and check(table(a=[1, 1, 1])).outcome == UNCLEAR


def test_early_is_read_at_its_step():
    rows = table(a=[1, 1, 1], c=[2, 2.1, 1.9])
    early = [{**row, "m": str(1 / float(row["m"]))} if row["step"] == "10" else row for row in rows]
    assert beats("m", ("a",), ("c",))(early).outcome == SHOWS and beats("m", ("a",), ("c",), until=10)(early).outcome == NOT


def test_the_multi_head_cache_beside_is_counted_after_every_token():
    choice = Choice(6)
    beside = lesson.multi_head(choice, lesson.scene(choice, PROMPT))
    assert beside.tolist() == [lesson.cache_sizes(choice, n + 1)["MHA"] for n in range(len(beside))]
