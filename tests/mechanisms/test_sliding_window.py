"""What the page on sliding windows shows as numbers, against naive versions and limit cases."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons import sliding_window as lesson
from core.lessons.common import model_name, spec_of
from core.model.blocks import Chunk, Full, Window
from core.model.model import Model, build
from core.model.spec import Layer, ModelSpec
from core.model.trace import NOTHING
from core.real import catalogue
from core.shape import diagram
from core.train import rules
from core.train.recipes import sliding_window as recipes
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "sliding_window",
    ends=({"window": "2", "pattern": "local"}, {"window": "64", "pattern": "global"}),
    controls=f"window pattern context real cw-pick-model {PROMPTED}",
    real=lesson.users(),
    preset=("Mistral 7B v0.1", {"pattern": "local", "real": model_name("mistral-7b-v0.1")}),
    links=("window=4&pattern=1:1", "pattern=local&row=10&step=20", "window=32&prompt=zoe+wheel+leo+plum+%3F+leo"),
    prompts=RECALL,
    nonsense=bad(("window", "99"), ("window", "abc"), ("pattern", "x"), ("context", "12")),
    source=("class AttentionModule", "class Window"),
    users=lambda: [model_name(key) for key in lesson.users()],
    screen=Screen(
        maps=6,
        last=5,
        figure="reach",
        moves=("layers", "reach"),
        alt=("bands 8 wide", "places in the stack can still reach ann"),
        linked="window pattern context real section prompt v",
        stage="shares",
        beside=(".st-key-pattern",),
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup ? ivy ann")
RECIPE = recipes.windowed("local-5-1")


def stack(*reaches, taps: int = 0) -> ModelSpec:
    """Attention layers with these reaches."""
    base = recipes.attention("G")
    return ModelSpec("stack", 64, 136, tuple(Layer(replace(base, reach=reach), None, input_conv=taps) for reach in reaches))


def reached(spec: ModelSpec, n: int) -> np.ndarray:
    """(n, n) bool by the graph: can word s (column) reach token t (row) after the last layer?"""
    graph, top = diagram.reachability(spec, n), len(spec.layers)
    got = np.zeros((n, n), bool)
    for t in range(n):
        for level, s in nx.ancestors(graph, (top, t)):
            got[t, s] |= level == 0
    return got


STACKS = {
    "one window": stack(Window(4)),
    "three windows": stack(*(Window(4),) * 3),
    "window 1": stack(*(Window(1),) * 3),
    "convolution": stack(*(Window(3),) * 2, taps=3),
    "chunks": stack(*(Chunk(5),) * 2),
    "chunks and convolution": stack(*(Chunk(5),) * 2, taps=2),
    "5:1": recipes.spec("local-5-1"),
    "all local": recipes.spec("all-local"),
    "mixed": stack(Window(3), Full(), Window(2)),
}


@pytest.mark.parametrize("name", STACKS)
def test_reachability_is_the_product_of_the_masks(name):
    """Brute force: boolean matrices of who sees whom, written out token by token, multiplied layer by layer."""
    spec, n = STACKS[name], 30
    total = np.eye(n, dtype=bool)
    for layer in spec.layers:
        mask = np.zeros((n, n), bool)
        for t in range(n):
            for key in range(t + 1):
                reach = layer.mixer.reach
                near = (
                    t - key < reach.size
                    if reach.kind == "sliding"
                    else t // reach.size == key // reach.size
                    if reach.kind == "chunked"
                    else True
                )
                for s in range(max(0, key - max(0, layer.input_conv - 1)), key + 1):
                    mask[t, s] |= near
        total = mask.astype(int) @ total.astype(int) > 0
    assert (reached(spec, n) == total).all()


@pytest.mark.parametrize("name", ["three windows", "convolution", "chunks and convolution", "all local", "5:1"])
def test_reachability_is_what_gradients_say(name):
    """A word reaches a token exactly where the token's output depends on the word's embedding."""
    spec, n, t = STACKS[name], 62, 61
    model = build(spec, seed=1).double()
    x = model.embed(torch.randint(136, (1, n), generator=torch.Generator().manual_seed(0)), 0).detach().requires_grad_()
    out, _ = model.trunk(x, (), NOTHING)
    out[0, t].sum().backward()
    depends = (x.grad[0].abs().sum(-1) > 0).numpy()
    assert (depends == reached(spec, n)[t]).all()


@pytest.mark.parametrize("depth, window, taps", [(1, 8, 1), (6, 8, 1), (6, 8, 3), (3, 1, 1), (4, 2, 2), (2, 1, 3)])
def test_the_range_of_a_stack_of_windows(depth, window, taps):
    """l (w - 1) + 1 tokens, itself included; each tap of a convolution beyond the first adds one a layer."""
    n = 80
    far = int(reached(stack(*(Window(window),) * depth, taps=taps if taps > 1 else 0), n)[n - 1].sum())
    assert far == lesson.information_range(depth, window, taps)
    if taps == 1:
        assert far == depth * (window - 1) + 1


@pytest.mark.parametrize("pattern", lesson.PATTERNS)
@pytest.mark.parametrize("window", [2, 8, 64])
def test_counted_bytes_are_measured_bytes_after_every_token(pattern, window):
    scene = lesson.scene(pattern, window, PROMPT)
    assert scene.cache_bytes.tolist() == [lesson.live_cost(pattern, window, n + 1).cache_bytes for n in range(len(scene.words))]


def test_a_ring_stops_growing_and_a_global_layer_does_not():
    local, full = (lesson.measured_growth(pattern, 8) for pattern in (lesson.ALL_LOCAL, lesson.FULL))
    assert (local[:8] == full[:8]).all() and len(set(local[7:])) == 1 and (np.diff(full) > 0).all()
    assert (lesson.whole(20) == full[:20]).all()


def test_a_window_beyond_the_prompt_is_full_attention_up_to_the_rope_of_its_layers():
    """The limit case: window >= n sees what full attention sees."""
    local = Model(recipes.spec("all-local", 64)).eval()
    spec = replace(local.spec, layers=tuple(replace(la, mixer=replace(la.mixer, reach=Full())) for la in local.spec.layers))
    full = Model(spec).eval()
    full.load_state_dict(local.state_dict())
    tokens = torch.randint(136, (2, 60), generator=torch.Generator().manual_seed(0))
    assert torch.equal(local(tokens)[0], full(tokens)[0])


def test_another_window_runs_the_trained_weights():
    trained, other = lesson.live_model("5:1", 8), lesson.live_model("5:1", 32)
    assert all(torch.equal(a, b) for a, b in zip(trained.state_dict().values(), other.state_dict().values()))
    assert [layer.mixer.reach for layer in other.spec.layers].count(Window(32)) == 5
    assert lesson.scene("5:1", 32, PROMPT).run.visible[0].sum(1).max() > 8


@pytest.mark.parametrize("pattern", ["5:1", "3:1", "1:1", lesson.FULL])
def test_models_with_a_global_layer_answer_near_and_far(pattern):
    for answer in lesson.scene(pattern, 8, PROMPT).answers:
        assert answer.said == answer.truth, answer


def test_the_strongest_way_is_a_way_and_its_weight_is_the_product():
    scene = lesson.scene("5:1", 8, PROMPT)
    ask = scene.answers[-1]
    way = lesson.way("5:1", 8, PROMPT, ask.position, ask.source)
    assert way.nodes[0] == (0, ask.source) and way.nodes[-1] == (6, ask.position) and len(way.nodes) == 7
    total = 1.0
    for (level, s), (_, t) in zip(way.nodes, way.nodes[1:]):
        if s != t:
            total *= max(scene.run.attention[level, :, t, k].max() for k in range(s, min(s + 3, t + 1)))
    assert way.weight == pytest.approx(total) and way.weight > 0.2


def test_no_way_is_longer_than_the_range():
    far = lesson.scene(lesson.ALL_LOCAL, 2, PROMPT).answers[-1]
    way = lesson.way(lesson.ALL_LOCAL, 2, PROMPT, far.position, far.source)
    assert way.distance > lesson.stack_range(2).live - 1 and way.nodes == () and way.weight == 0
    assert way.earliest == far.position - lesson.stack_range(2).live + 1


def test_a_token_that_asks_nothing_shows_the_earliest_that_reaches_it():
    way = lesson.way(lesson.ALL_LOCAL, 2, PROMPT, 12)
    assert way.source == way.earliest == max(0, 12 - lesson.stack_range(2).live + 1) and way.nodes


# Recall by distance


def test_backwards_asks_every_pair_at_4j_plus_2():
    tokens, answers = recall.backwards(16, 3, torch.Generator().manual_seed(0))
    assert tokens.shape == (3, 64)
    for row, wanted in zip(tokens.tolist(), answers.tolist()):
        for j, thing in enumerate(wanted):
            at = 33 + 2 * j
            source = row.index(row[at]) + 1
            assert source < 32 and row[source] == thing and at - source == 4 * j + 2
            assert at + 1 >= len(row) or row[at + 1] == thing


def test_near_questions_pick_one_of_the_last_mentions():
    """Every asked name is among the last three names told or asked before it, and its answer is what it was told with."""
    tokens, targets = recall.batch(12, 6, 64, torch.Generator().manual_seed(0), near=3)
    for row, answers in zip(tokens.tolist(), targets.tolist()):
        told = dict(zip(row[0:24:2], row[1:24:2]))
        names = row[0:24:2]
        for at in range(25, 64, 2):
            assert row[at] in names[-3:] and answers[at] == told[row[at]]
            names.append(row[at])


def test_every_other_batch_asks_near():
    settings = RECIPE.settings
    near, mixed = (recall.training_batch(step, torch.Generator().manual_seed(1), **settings)[0] for step in (401, 400))
    plain = recall.training_batch(400, torch.Generator().manual_seed(1), **{**settings, "near": 0})[0]
    assert torch.equal(mixed, plain) and not torch.equal(near, mixed)


class Near:
    """Answers what lies within 16 tokens, and nothing else."""

    def __call__(self, tokens):
        logits = torch.zeros(*tokens.shape, len(recall.WORDS))
        for b, row in enumerate(tokens.tolist()):
            for i in range(33, len(row), 2):
                source = row.index(row[i]) + 1
                logits[b, i, row[source] if i - source <= 16 else 0] = 9.0
        return logits, ()


def test_recall_by_distance_sees_where_a_model_goes_blind():
    found = recall.by_distance(Near(), 16, 8, 0, (8, 16, 32, 64))
    assert found == {"recall@1-8": 1, "recall@9-16": 1, "recall@17-32": 0, "recall@33-64": 0}
    assert recall.by_distance(Near(), 16, 8, 0, ()) == {}


# Rules


def rows(**values):
    """A table of one metric: variant -> value of each seed."""
    return [{"variant": v, "seed": s, "step": 1, "m": x, "k": x} for v, xs in values.items() for s, x in enumerate(xs)]


@pytest.mark.parametrize(
    "values, outcome", [([0.1, 0.1], rules.SHOWS), ([0.1, 0.9], rules.UNCLEAR), ([0.9, 0.8], rules.NOT), ([], rules.UNCLEAR)]
)
def test_at_most(values, outcome):
    assert rules.at_most("m", 0.15, "a")(rows(a=values)).outcome == outcome


def test_every_is_as_weak_as_its_weakest():
    both = rules.every(rules.at_most("m", 0.15, "a"), rules.at_least("k", 0.5, "b"))
    assert both(rows(a=[0.1], b=[0.9])).outcome == rules.SHOWS and both(rows(a=[0.1], b=[0.3])).outcome == rules.NOT
    assert set(both(rows(a=[0.1], b=[0.9])).numbers) == {rules.Level("a", "m"), rules.Level("b", "k")}


# Count


def test_the_share_is_the_formula():
    """(1 + r min(w, n) / n) / (1 + r) where the layers divide evenly, and its limit 1 / (1 + r)."""
    for pattern, r in (("5:1", 5), ("1:1", 1)):
        spec = lesson.live_spec(pattern, 8)
        contexts = np.array([1, 8, 9, 100, 1 << 20])
        assert lesson.cache_share(spec, contexts) == pytest.approx([lesson.kept_share(r, 8, int(n)) for n in contexts])
        assert lesson.limit(spec) == pytest.approx(1 / (1 + r))
    assert lesson.limit(lesson.live_spec(lesson.ALL_LOCAL)) == 0 and lesson.limit(lesson.live_spec(lesson.FULL)) == 1


def test_a_pattern_in_six_layers_is_what_the_page_says():
    assert {p: lesson.layers_by_reach(p) for p in lesson.PATTERNS} == {
        lesson.FULL: (0, 6), "1:1": (3, 3), "3:1": (4, 2), "5:1": (5, 1), lesson.ALL_LOCAL: (6, 0),
    }  # fmt: skip
    letters = recipes.PATTERNS["local-3-1"]
    assert letters in "LLLG" * 4, "cut from the repeated pattern"
    assert recipes.PATTERNS["local-5-1"] in "LLLLLG" * 3 and recipes.PATTERNS["local-1-1"] in "LG" * 4
    assert len({lesson.live_cost(p, 8, 1).params_total for p in lesson.PATTERNS}) == 1, "a window has no weights"


@pytest.mark.parametrize("key", lesson.users())
def test_the_formula_adds_up_to_the_counted_bytes(key):
    for context in (1000, 131072):
        f = lesson.formula(key, context)
        assert 2 * sum(t.numbers for t in f.terms) == f.bytes == lesson.real_model(key, context).released
        assert sum(t.layers for t in f.terms) == len(catalogue.entries()[key].reading.spec.layers)
        assert f.bytes <= f.whole


@pytest.mark.parametrize("key", lesson.users())
def test_a_window_leaves_parameters_and_saves_attention(key):
    spec, r = spec_of(key), lesson.real_model(key, 131072)
    assert cost.count(spec, 1).params_total == cost.count(lesson.everywhere(spec), 1).params_total
    assert r.flops < r.whole_flops and r.local + r.full == len(spec.layers)
    assert r.released / r.whole >= r.limit - 1e-9


def test_mistral_at_32k_keeps_an_eighth():
    r = lesson.real_model("mistral-7b-v0.1", 32768)
    assert (r.window, r.local, r.full, r.limit) == (4096, 32, 0, 0) and r.released * 8 == r.whole == 4 << 30


def test_gemma_3_27b_at_128k():
    """52 local and 10 global layers, 16 KV heads of 128: 16.8% of 66.6 GB (10^9) at 131,072 tokens."""
    if "gemma3-27b" not in lesson.users():
        pytest.skip("not in the catalogue yet")
    r = lesson.real_model("gemma3-27b", 131072)
    assert (r.local, r.full, r.window) == (52, 10, 1024)
    assert r.whole == 62 * 16 * 2 * 128 * 131072 * 2 and r.released / r.whole == pytest.approx(0.168, abs=5e-4)


def test_gemmas_overheads_are_the_ideal_formula():
    base, context, left = lesson.overheads()
    assert (base, context) == (0.6, 32768)
    assert [(o.ratio, round(100 * o.share, 1)) for o in left] == [(3, 16.4), (5, 11.6)]


def test_every_pattern_and_distance_has_every_seed():
    runs = [seeds for found in lesson.by_distance().values() for seeds in found.values()]
    assert len(runs) == 5 * 4 and all(set(seeds) == set(recipes.MECHANISM.seeds) for seeds in runs)
