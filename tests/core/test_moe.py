"""Mixtures of experts: the limit cases that define them, the rules that balance them, the counts of a batch."""

import pytest
import torch

from core.errors import SpecError
from core.model.blocks import ACTIVATIONS
from core.model.ffn.moe import MoE
from core.model.model import Model
from core.model.registry import BASE
from core.model.spec import Layer, ModelSpec
from core.model.trace import Trace
from core.train.tasks import experts as task
from core.train.tasks.domains import WORDS

D = 12


def module(seed=0, **settings):
    torch.manual_seed(seed)
    return MoE(**{"experts": 8, "top_k": 2, "hidden": 5, **settings}).build(D).requires_grad_(False)


def inputs(n=40, seed=1):
    return torch.randn(1, n, D, generator=torch.Generator().manual_seed(seed))


def dense(part, e, x):
    """One expert, written out."""
    gate, up = (x @ part.gate_up_proj[e].T).chunk(2, -1)
    return (ACTIVATIONS["silu"](gate) * up) @ part.down_proj[e].T


def run(part, x, *names):
    trace = Trace(*names)
    return part(x, {}, {}, trace)[0], trace


# Limit cases


@pytest.mark.parametrize("top_k", [1, 3, 8])
@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_experts_that_are_all_the_same_are_one_dense_layer(top_k, scores):
    part, x = module(top_k=top_k, scores=scores), inputs()
    for weight in (part.experts.gate_up_proj, part.experts.down_proj):
        weight.copy_(weight[:1].expand_as(weight))
    assert torch.allclose(run(part, x)[0], dense(part.experts, 0, x), atol=1e-6)


def test_all_experts_with_equal_gates_are_their_mean():
    part, x = module(top_k=8), inputs()
    part.gate.weight.zero_()
    mean = torch.stack([dense(part.experts, e, x) for e in range(8)]).mean(0)
    assert torch.allclose(run(part, x)[0], mean, atol=1e-6)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@pytest.mark.parametrize("normalise", [True, False])
def test_a_token_gets_the_weighted_sum_of_its_own_experts_and_the_shared_one(scores, normalise):
    part, x = module(scores=scores, normalise=normalise, scale=1.5, shared=7), inputs()
    y, _ = run(part, x)
    for n in range(x.shape[1]):
        logits = part.gate.weight @ x[0, n]
        s = torch.softmax(logits, 0) if scores == "softmax" else torch.sigmoid(logits)
        best = sorted(range(8), key=lambda e: -s[e])[:2]
        total = s[best].sum() if normalise else 1.0
        wanted = sum(1.5 * s[e] / total * dense(part.experts, e, x[0, n]) for e in best) + part.shared_experts(x[0, n])
        assert torch.allclose(y[0, n], wanted, atol=1e-5)


def test_the_bias_picks_but_does_not_weigh():
    part, x = module(scores="sigmoid", bias=True, normalise=False), inputs()
    part.gate.e_score_correction_bias[3] = 10.0
    _, trace = run(part, x, "affinity", "routing", "gates")
    assert (trace[0, "routing"][..., 0] == 3).all(), "picked by every token"
    assert torch.equal(trace[0, "gates"], trace[0, "affinity"].gather(-1, trace[0, "routing"])), "weighed without the bias"
    assert trace[0, "gates"].max() < 1


@pytest.mark.parametrize("group_best", [1, 2])
def test_group_limits_are_those_of_a_naive_loop(group_best):
    part = module(experts=12, top_k=3, groups=4, top_groups=2, group_best=group_best, scores="sigmoid", bias=True)
    part.gate.e_score_correction_bias.copy_(torch.linspace(-0.3, 0.3, 12))
    x = inputs(200)
    _, trace = run(part, x, "affinity", "routing")
    limited = 0
    for s, picked in zip(trace[0, "affinity"][0] + part.gate.e_score_correction_bias, trace[0, "routing"][0]):
        s = s.tolist()
        groups = [list(range(3 * g, 3 * g + 3)) for g in range(4)]
        worth = [sum(sorted((s[e] for e in group), reverse=True)[:group_best]) for group in groups]
        allowed = [e for g in sorted(range(4), key=lambda g: -worth[g])[:2] for e in groups[g]]
        assert picked.tolist() == sorted(allowed, key=lambda e: -s[e])[:3]
        limited += set(picked.tolist()) != set(sorted(range(12), key=lambda e: -s[e])[:3])
    assert limited > 20, "the limit bites"


def test_more_experts_than_the_picked_groups_hold_are_refused():
    with pytest.raises(SpecError, match="top_k must be at most 6"):
        MoE(12, 7, 5, groups=4, top_groups=2)


# Balancing


def even(E=8, K=2):
    return torch.stack([torch.arange(n, n + K) % E for n in range(E)])  # (N, K): every expert K times


def test_the_auxiliary_loss_is_one_where_all_get_the_same_and_largest_where_few_get_all():
    flat = torch.full((8, 8), 1 / 8)
    assert task.unevenness(flat, even()).item() == pytest.approx(1.0)
    sure = torch.zeros(8, 8).index_fill_(1, torch.tensor([0, 1]), 0.5)
    assert task.unevenness(sure, torch.tensor([[0, 1]] * 8)).item() == pytest.approx(8 / 2)
    assert task.unevenness(3 * sure, torch.tensor([[0, 1]] * 8)).item() == pytest.approx(8 / 2), "sigmoids are normalised first"


def test_the_auxiliary_loss_is_that_of_transformers():
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(2))
    routing = logits.topk(2, -1).indices
    theirs = load_balancing_loss_func((logits,), 8, 2)  # sums over the K picks, where ours takes their mean
    assert task.unevenness(logits.softmax(-1), routing).item() == pytest.approx(theirs.item() / 2, rel=1e-5)


def model(bias=False, **settings):
    ffn = MoE(8, 1, 4, normalise=False, bias=bias, **settings)
    torch.manual_seed(0)
    return Model(ModelSpec("toy", 16, len(WORDS), (Layer(BASE, ffn),) * 2))


def test_the_auxiliary_loss_reaches_the_router_of_every_layer():
    toy, tokens = model(), torch.arange(30).view(2, 15)
    plain, _ = task.loss(toy, tokens, tokens), toy.zero_grad()
    total = task.loss(toy, tokens, tokens, balance="loss", alpha=0.5)
    (total - plain).backward()
    assert total > plain and all(part.gate.weight.grad.abs().max() > 0 for part in task.mixtures(toy))


def test_the_rule_moves_the_bias_against_the_load_by_gamma():
    bias = torch.zeros(4)
    task.nudge(bias, torch.tensor([7, 1, 4, 4]), 0.25)
    assert bias.tolist() == [-0.25, 0.25, 0.0, 0.0]


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_the_rule_balances_a_toy(scores):
    part = module(experts=16, scores=scores, bias=True)
    part.gate.weight[:, 0] += torch.linspace(-1, 1, 16)  # and an input that is never zero there: some experts are liked by all
    x = inputs(4000)
    x[..., 0] = 1.0
    before = task.loads(run(part, x, "routing")[1][0, "routing"], 16).max()
    for _ in range(400):
        load = task.picks(run(part, x, "routing")[1][0, "routing"], 16)
        task.nudge(part.gate.e_score_correction_bias, load, 0.002)
    after = task.loads(run(part, x, "routing")[1][0, "routing"], 16)
    assert before > 2 and after.max() < 1.2 and after.min() > 0.8


def test_only_the_bias_variant_moves_a_bias_and_only_its_own():
    toy, tokens = model(bias=True), torch.arange(30).view(2, 15)
    task.after(toy, tokens, tokens, balance="loss")
    assert all((part.gate.e_score_correction_bias == 0).all() for part in task.mixtures(toy))
    task.after(toy, tokens, tokens, balance="bias", gamma=0.5)
    for part in task.mixtures(toy):
        assert set(part.gate.e_score_correction_bias.abs().tolist()) <= {0.0, 0.5} and part.gate.e_score_correction_bias.any()


# What became of it


def test_loads_are_over_the_mean_and_an_unvisited_expert_is_dead():
    routing = torch.tensor([[[0, 1], [0, 2], [0, 1], [0, 2]]])
    assert task.loads(routing, 4).tolist() == [2.0, 1.0, 1.0, 0.0]
    words = torch.arange(4)[None]
    found = task.division(routing, words, torch.zeros(1, 4, dtype=torch.long), 4)
    assert found["busiest"] == 2.0 and found["dead"] == 1 and found["load"] == "2.000 1.000 1.000 0.000"


def test_metrics_name_every_layer_and_dense_models_have_none():
    found = task.evaluate(model().eval())
    assert {f"{name}:{layer}" for name in ("busiest", "dead", "load", "token", "domain", "position") for layer in (1, 2)} <= set(
        found
    )
    assert {"loss", "loss:recipes"} <= set(found)


# Counts


@pytest.mark.parametrize("experts, top_k, tokens", [(256, 8, 1), (256, 8, 32), (16, 2, 5), (8, 8, 3)])
def test_touched_experts_agree_with_drawing_them(experts, top_k, tokens):
    generator = torch.Generator().manual_seed(0)
    draws = [len(torch.rand(tokens, experts, generator=generator).topk(top_k).indices.unique()) for _ in range(3000)]
    assert MoE(experts, top_k, 4).touched(tokens) == pytest.approx(sum(draws) / len(draws), rel=0.01)


def test_touched_experts_of_deepseek_v3():
    """8, 57, 163, 252 of 256 for batches of 1, 8, 32, 128."""
    assert [round(MoE(256, 8, 4).touched(b)) for b in (1, 8, 32, 128)] == [8, 57, 163, 252]
