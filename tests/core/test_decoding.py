"""Decoding token by token: python -m pytest tests/core/test_decoding.py"""

import numpy as np
import pytest
import torch

from core.errors import SpecError
from core.model.decoding.autoregressive import GREEDY, Sampling, distribution, follow, generate, pick, record
from core.model.model import build
from core.model.registry import EXAMPLES
from core.model.trace import Trace
from core.shape.twin import draw

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0])
MODEL = draw(build(EXAMPLES[1]), 0)


def test_greedy_takes_the_largest():
    assert pick(LOGITS) == 0 and distribution(LOGITS, GREEDY).tolist() == [1, 0, 0, 0, 0]


def test_temperature_divides_the_logits():
    assert torch.allclose(distribution(LOGITS, Sampling(0.5)), (LOGITS * 2).softmax(-1))


def test_top_k_keeps_the_likeliest():
    p = distribution(LOGITS, Sampling(1.0, top_k=2))
    assert torch.allclose(p[:2], LOGITS[:2].softmax(-1)) and p[2:].sum() == 0


def test_top_p_keeps_the_fewest_that_reach_p():
    p = LOGITS.softmax(-1)
    for top_p, kept in ((0.01, 1), (float(p[0]) + 1e-4, 2), (float(p[:2].sum()) - 1e-4, 2), (1.0, 5)):
        assert int((distribution(LOGITS, Sampling(1.0, top_p=top_p)) > 0).sum()) == kept, top_p


@pytest.mark.parametrize("temperature, top_k, top_p", [(0.7, 3, 0.6), (1.3, 4, 0.9), (1.0, 2, 0.99), (2.0, 50, 0.5)])
def test_filters_combine_as_in_transformers(temperature, top_k, top_p):
    from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = LOGITS[None]
    for warp in (TemperatureLogitsWarper(temperature), TopKLogitsWarper(top_k), TopPLogitsWarper(top_p)):
        scores = warp(None, scores)
    assert torch.allclose(distribution(LOGITS, Sampling(temperature, top_k, top_p)), scores[0].softmax(-1), atol=1e-6)


def test_samples_follow_the_distribution():
    generator, sampling = torch.Generator().manual_seed(0), Sampling(0.8, top_k=4)
    drawn = np.bincount([pick(LOGITS, sampling, generator) for _ in range(4000)], minlength=5) / 4000
    assert np.abs(drawn - distribution(LOGITS, sampling).numpy()).max() < 0.03


@pytest.mark.parametrize("bad", [{"temperature": -1}, {"temperature": float("inf")}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.5}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(SpecError, match=next(iter(bad))):
        Sampling(**bad)


def test_the_same_seed_gives_the_same_text():
    a, b, c = (generate(MODEL, [1, 2, 3], 12, Sampling(1.5), seed) for seed in (4, 4, 5))
    assert a == b != c and len(a) == 12


def test_steps_with_a_cache_are_greedy_decoding_without_one():
    tokens = [3, 1, 4]
    for _ in range(8):
        tokens.append(int(MODEL(torch.tensor([tokens]))[0][0, -1].argmax()))
    assert generate(MODEL, [3, 1, 4], 8) == tokens[3:]


def test_given_tokens_are_read_and_their_probability_is_told():
    steps = list(follow(MODEL, [3, 1, None, 4]))
    assert [s.given for s in steps] == [True, True, False, True] and [s.token for s in steps][:2] == [3, 1]
    assert steps[1].probability == pytest.approx(float(steps[0].next[1])) and steps[2].token == int(steps[1].next.argmax())


def test_every_step_keeps_its_own_state():
    states = [s.state for s in follow(MODEL, [3, 1, 4, 1, 5])]
    assert [s[0]["mixer"]["k"].shape[2] for s in states] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("spec", [s for s in EXAMPLES if s.name in ("gqa", "sliding", "chunked", "convolution", "local-global")])
def test_a_recorded_run_has_the_maps_of_one_full_pass(spec):
    model = draw(build(spec), 1)
    tokens = torch.randint(31, (1, 13), generator=torch.Generator().manual_seed(2))
    run, trace = record(model, tokens[0].tolist()), Trace("attention", "positions")
    model(tokens, trace=trace)
    for layer in range(len(spec.layers)):
        assert np.allclose(run.attention[layer], trace[layer, "attention"][0].detach().numpy(), atol=1e-5)
    assert (run.attention.sum(1)[~run.visible] == 0).all()
    assert run.cache[-1] > 0 and (np.diff(run.cache) >= 0).all()
