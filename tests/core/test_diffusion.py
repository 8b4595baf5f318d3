"""Masked diffusion: its limit cases, each against the plainest form that says the same."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.errors import SpecError
from core.model import model
from core.model.blocks import Everything
from core.model.decoding import diffusion
from core.model.decoding.diffusion import MASK, Sampler, blocks, denoise, draw, sample, split
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec

L, V = 8, 11
SPEC = ModelSpec("t", 16, V, (Layer(Attention(2, 2, 8, 8, Rope(8), Everything()), Dense(24)),), learned_positions=L)


@pytest.fixture(scope="module")
def net():
    """A random denoiser that is far from sure of anything."""
    made = model.build(SPEC, 1).requires_grad_(False)
    made.lm_head.weight.mul_(6.0)
    return made


class Counted:
    """A model that counts how often it is run."""

    def __init__(self, inner):
        self.inner, self.runs = inner, 0

    def __call__(self, tokens):
        self.runs += 1
        return self.inner(tokens)


def blank(count: int = 3, given: dict[int, int] | None = None) -> torch.Tensor:
    """Canvases of masks with a few words given."""
    canvas = torch.full((count, L), MASK)
    for place, word in (given or {}).items():
        canvas[:, place] = word
    return canvas


def run(net, sampler: Sampler, canvas=None, seed: int = 0) -> list[diffusion.Pass]:
    """Every pass."""
    return list(denoise(net, blank() if canvas is None else canvas, sampler, torch.Generator().manual_seed(seed)))


# Training


def test_all_masked_at_t_one_is_plain_cross_entropy_of_every_word(net):
    tokens = torch.randint(1, V, (5, L))
    all_of_it = torch.ones_like(tokens, dtype=torch.bool)
    plain = F.cross_entropy(net(torch.zeros_like(tokens))[0].flatten(0, 1), tokens.flatten())
    assert torch.isclose(diffusion.loss(net, tokens, torch.ones(5), all_of_it), plain, atol=1e-6)


def test_each_masked_word_is_weighted_by_one_over_t(net):
    tokens, t = torch.randint(1, V, (4, L)), torch.tensor([0.1, 0.3, 0.5, 1.0])
    masked = torch.rand(4, L, generator=torch.Generator().manual_seed(1)) < t[:, None]
    total = 0.0
    for b in range(4):
        seen = torch.where(masked[b], MASK, tokens[b])
        log_p = net(seen[None])[0][0].log_softmax(-1)
        total += sum(-log_p[i, tokens[b, i]].item() / t[b].item() for i in range(L) if masked[b, i]) / L
    assert diffusion.loss(net, tokens, t, masked).item() == pytest.approx(total / 4, rel=1e-5)


def test_noise_masks_a_share_t_and_t_is_uniform():
    t, masked = diffusion.noise(4000, 24, torch.Generator().manual_seed(0))
    assert (t > 0).all() and (t <= 1).all() and t.mean().item() == pytest.approx(0.5, abs=0.01)
    assert np.histogram(t.numpy(), 10, (0, 1))[0].tolist() == pytest.approx([400] * 10, abs=8)
    assert torch.allclose(masked.double().mean(1), t.double(), atol=0.45) and (masked.double().mean() - 0.5).abs() < 0.01


def test_who_knows_nothing_is_bounded_by_the_log_of_the_vocabulary():
    flat = lambda tokens: (torch.zeros(*tokens.shape, V), ())
    assert diffusion.bound(flat, torch.randint(1, V, (16, L)), 3, torch.Generator()) == pytest.approx(math.log(V), rel=1e-6)


def test_the_bound_is_the_mean_over_every_way_to_mask(net):
    tokens = torch.randint(1, V, (1, L), generator=torch.Generator().manual_seed(3))
    exact = 0.0
    for hidden in range(1, L + 1):
        ways = list(itertools.combinations(range(L), hidden))
        masked = torch.zeros(len(ways), L, dtype=torch.bool)
        for row, way in enumerate(ways):
            masked[row, list(way)] = True
        logits, _ = net(tokens.expand(len(ways), L).masked_fill(masked, MASK))
        missed = F.cross_entropy(logits.transpose(1, 2), tokens.expand(len(ways), L), reduction="none") * masked
        exact += missed.sum(-1).mean().item() / hidden / L
    drawn = diffusion.bound(net, tokens.expand(2000, L), 4, torch.Generator().manual_seed(1))
    assert drawn == pytest.approx(exact, rel=0.02)


def test_the_bound_lies_above_what_one_order_gives(net):
    """-log p by filling in from left to right is one of the orders whose mean the bound is over (of texts on average)."""
    orders = [tuple(torch.randperm(L, generator=torch.Generator().manual_seed(i)).tolist()) for i in range(400)]
    tokens = torch.randint(1, V, (1, L), generator=torch.Generator().manual_seed(5))
    found = []
    for order in orders:
        total, seen = 0.0, torch.full((1, L), MASK)
        for place in order:
            total -= net(seen)[0][0, place].log_softmax(-1)[tokens[0, place]].item()
            seen[0, place] = tokens[0, place]
        found.append(total / L)
    drawn = diffusion.bound(net, tokens.expand(2000, L), 4, torch.Generator().manual_seed(1))
    assert drawn == pytest.approx(np.mean(found), rel=0.02)


# Sampling


def test_steps_are_split_evenly_with_the_remainder_first():
    assert split(24, 5) == [5, 5, 5, 5, 4] and split(3, 5) == [1, 1, 1, 0, 0] and split(24, 24) == [1] * 24
    assert all(sum(split(n, k)) == n for n in range(1, 30) for k in range(1, 30))


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("order", diffusion.ORDERS)
def test_every_pass_commits_its_share_and_what_stands_is_never_touched(net, steps, order):
    passes = run(net, Sampler(steps, order), blank(4, {2: 5, 6: 9}))
    assert [int(p.kept[0].sum()) for p in passes] == split(6, min(steps, 6))
    before = blank(4, {2: 5, 6: 9})
    for step in passes:
        assert (step.tokens[before != MASK] == before[before != MASK]).all() and not step.taken.any()
        assert (step.open == (before == MASK)).all() and (step.kept <= step.open).all()
        before = step.tokens
    assert (before != MASK).all() and (before[:, 2] == 5).all() and (before[:, 6] == 9).all()


def test_the_network_runs_once_a_pass_and_that_is_foretold(net):
    for sampler in (Sampler(5), Sampler(99), Sampler(8, block=1), Sampler(3, block=4), Sampler(20, revisit=0.5)):
        counted = Counted(net)
        passes = run(counted, sampler, blank(2, {0: 1}))
        assert counted.runs == len(passes) == diffusion.passes(sampler, list(range(1, L)), L)


def test_blocks_of_one_word_are_the_order_from_left_to_right(net):
    passes = run(net, Sampler(L, block=1), blank(2))
    assert [p.kept[0].nonzero().flatten().tolist() for p in passes] == [[i] for i in range(L)]


def test_blocks_are_finished_one_after_the_other(net):
    passes = run(net, Sampler(4, "random", block=4), blank(1))
    assert [sorted(p.kept[0].nonzero().flatten().tolist()) for p in passes[:2]] != [[0, 1, 2, 3], []]
    assert set(torch.cat([p.kept[0].nonzero().flatten() for p in passes[:2]]).tolist()) == {0, 1, 2, 3}
    assert set(torch.cat([p.kept[0].nonzero().flatten() for p in passes[2:]]).tolist()) == {4, 5, 6, 7}
    assert blocks([5], L, Sampler(8, block=4)) == [([5], [1])] and blocks([], L, Sampler(8)) == []


def test_surest_first_at_temperature_0_is_what_loops_give(net):
    tokens, plan = blank(1), split(L, 3)
    for commits in plan:
        p = net(tokens)[0][0].double().index_fill(-1, torch.tensor([MASK]), -math.inf).softmax(-1)
        best = sorted((i for i in range(L) if tokens[0, i] == MASK), key=lambda i: -p[i].max().item())[:commits]
        for i in best:
            tokens[0, i] = int(p[i].argmax())
    assert torch.equal(tokens, sample(net, blank(1), Sampler(3, temperature=0.0), torch.Generator()))


def test_random_order_does_not_depend_on_how_sure_the_network_is(net):
    first = torch.zeros(L)
    for step in run(net, Sampler(L, "random"), blank(4000))[:1]:
        first += step.kept.double().mean(0)
    assert first.tolist() == pytest.approx([1 / L] * L, abs=0.02)


def test_words_are_drawn_as_the_network_says_and_never_the_mask():
    logits = torch.tensor([9.0, 1.0, 0.0, -1.0]).expand(20000, 4)
    for temperature in (0.5, 1.0, 2.0):
        drawn, p = draw(logits, temperature, torch.Generator().manual_seed(0))
        want = (logits[0, 1:].double() / temperature).softmax(-1)
        assert torch.bincount(drawn, minlength=4)[1:].double().div(20000).tolist() == pytest.approx(want.tolist(), abs=0.015)
        plain = logits[0, 1:].double().softmax(-1)
        assert p[drawn == 2][0].item() == pytest.approx(plain[1].item(), rel=1e-6) and not (drawn == MASK).any()
    assert (draw(logits, 0.0, torch.Generator())[0] == 1).all()


def test_the_same_seed_gives_the_same_text_and_another_one_another(net):
    texts = [sample(net, blank(8), Sampler(4), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(texts[0], texts[1]) and not torch.equal(texts[0], texts[2])


def test_the_revisiting_sampler_takes_back_the_least_sure_and_ends_whole(net):
    passes = run(net, Sampler(6, revisit=0.5), blank(4, {3: 2}))
    sure, changed = {}, 0
    for number, step in enumerate(passes):
        for row in range(4):
            back = step.taken[row].nonzero().flatten().tolist()
            standing = {place: p for (r, place), p in sure.items() if r == row}
            assert len(back) == int(0.5 * sum(split(7, 6)[:number]))
            assert set(back) == set(sorted(standing, key=standing.get)[: len(back)])
            for place in back:
                changed += int(passes[number - 1].tokens[row, place] != step.tokens[row, place])
                del sure[row, place]
            for place in step.kept[row].nonzero().flatten().tolist():
                sure[row, place] = step.p[row, place].item()
    assert (passes[-1].tokens != MASK).all() and (passes[-1].tokens[:, 3] == 2).all()
    assert changed, "words that stood were changed"


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": 1.5}, {"order": "left"}, {"block": -1}, {"temperature": -1}, {"revisit": 1.0}, {"steps": "8"}],
)
def test_a_bad_sampler_is_refused_in_one_sentence(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        Sampler(**wrong)


def test_visitors_do_not_disturb_each_other(net):
    """Two samplers advanced in turn give what each gives alone."""
    alone = [run(net, Sampler(4), seed=s)[-1].tokens for s in (1, 2)]
    pair = [denoise(net, blank(), Sampler(4), torch.Generator().manual_seed(s)) for s in (1, 2)]
    last = [SimpleNamespace(tokens=None)] * 2
    for steps in zip(*pair):
        last = steps
    assert all(torch.equal(a, b.tokens) for a, b in zip(alone, last))
