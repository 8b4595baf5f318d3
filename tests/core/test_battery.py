"""One battery for every mechanism: python -m pytest tests/core/test_battery.py -k sliding"""

import copy
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.count import cost
from core.model.blocks import Everything
from core.model.ffn.moe import MoE
from core.model.model import build, elements
from core.model.registry import EXAMPLES
from core.model.trace import Trace
from core.shape.twin import draw
from tests.core import stand_ins

pytestmark = pytest.mark.fast

SPECS = {spec.name: spec for spec in (*EXAMPLES, *stand_ins.specs())}
N = 23  # beyond twice every window, chunk and kernel here, and a multiple of none


def bidirectional(spec):
    return any(layer.mixer and isinstance(getattr(layer.mixer, "reach", None), Everything) for layer in spec.layers)


def routed(spec):
    return any(isinstance(layer.ffn, MoE) for layer in spec.layers)


def bound(spec):
    """1e-5, and 1e-4 where a recurrence has a block form beside its step (float32 adds up in another order)."""
    return 1e-4 if any("state" in layer.kind for layer in spec.layers) else 1e-5


BACKWARD = [name for name, spec in SPECS.items() if not bidirectional(spec)]


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


@pytest.fixture(params=BACKWARD)
def backward(request):
    return SPECS[request.param]


def model_of(spec, seed=3):
    return draw(build(spec, seed), seed).requires_grad_(False)


def text(spec, batch=2, n=N, seed=1):
    return torch.randint(spec.vocab, (batch, n), generator=torch.Generator().manual_seed(seed))


def steps(model, tokens, state=()):
    logits = []
    for i in range(tokens.shape[1]):
        out, state = model(tokens[:, i : i + 1], state)
        logits.append(out)
    return torch.cat(logits, 1), state


def test_parameters_are_counted_exactly(spec):
    assert cost.count(spec, N).params_total == sum(p.numel() for p in model_of(spec).parameters())


def test_shape_and_size_of_the_output(spec):
    logits, state = model_of(spec)(text(spec))
    assert logits.shape == (2, N, spec.vocab) and logits.isfinite().all()
    assert logits.std() >= 0.1
    assert len(state) == len(spec.layers)


@pytest.mark.parametrize("n", [1, 4, 5, 6, N])
def test_cache_and_state_are_counted_exactly(backward, n):
    model, counted = model_of(backward), cost.count(backward, n, batch=2)
    grows = backward.cache_names()
    for _, state in (model(text(backward, n=n)), steps(model, text(backward, n=n))):
        kept = elements(state)
        assert sum(v for k, v in kept.items() if k in grows) == counted.cache_elements
        assert sum(v for k, v in kept.items() if k not in grows) == counted.state_elements


def test_a_later_token_changes_nothing_earlier(backward):
    model, tokens = model_of(backward), text(backward)
    changed = tokens.clone()
    changed[:, 12] = (changed[:, 12] + 1) % backward.vocab
    before, after = model(tokens)[0], model(changed)[0]
    if routed(backward):  # an expert's tokens are multiplied together, so a changed token moves the others' last digits
        assert torch.allclose(before[:, :12], after[:, :12], rtol=1e-5, atol=1e-6)
    else:
        assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12], after[:, 12])


def test_a_denoiser_reads_both_ways_and_keeps_nothing():
    spec = SPECS["denoiser"]
    model, tokens = model_of(spec), text(spec)
    changed = tokens.clone()
    changed[:, 12] = (changed[:, 12] + 1) % spec.vocab
    before, state = model(tokens)
    assert (before[:, :12] - model(changed)[0][:, :12]).abs().amax(-1).min() > 1e-4
    assert sum(elements(state).values()) == 0
    assert cost.count(spec, N).cache_elements == cost.count(spec.causal(), N).cache_elements > 0  # counted on its trunk


@pytest.mark.parametrize("half", [1, N // 2])
def test_prefill_then_decode_equals_one_pass(backward, half):
    model, tokens = model_of(backward), text(backward)
    full, _ = model(tokens)
    first, state = model(tokens[:, :half])
    rest, _ = steps(model, tokens[:, half:], state)
    assert (torch.cat([first, rest], 1) - full).abs().max() <= bound(backward) * max(1, full.abs().max())


def test_a_prompt_in_pieces_equals_one_pass(backward):
    model, tokens = model_of(backward), text(backward)
    first, state = model(tokens[:, :7])
    second, _ = model(tokens[:, 7:], state)
    assert (torch.cat([first, second], 1) - model(tokens)[0]).abs().max() <= 1e-4


def test_a_state_is_never_written_in_place(backward):
    model, tokens = model_of(backward), text(backward)
    _, state = model(tokens[:, :9])
    kept = copy.deepcopy(state)
    model(tokens[:, 9:12], state)
    model(tokens[:, 9:10], state)
    assert str(kept) == str(state)


def test_nothing_is_stored_on_the_modules(spec):
    model = model_of(spec)
    before = {name: sorted(vars(m)) for name, m in model.named_modules()}
    buffers = len(list(model.buffers()))
    model(text(spec), trace=Trace("attention", "residual"))
    assert before == {name: sorted(vars(m)) for name, m in model.named_modules()}
    assert buffers == len(list(model.buffers()))


def test_two_visitors_interleaved_see_what_each_would_alone(backward):
    model, a, b = model_of(backward), text(backward, seed=5), text(backward, seed=6)
    alone = [steps(model, t)[0] for t in (a, b)]
    states, seen = [(), ()], [[], []]
    for i in range(N):
        for who, tokens in enumerate((a, b)):
            out, states[who] = model(tokens[:, i : i + 1], states[who])
            seen[who].append(out)
    assert all(torch.equal(torch.cat(s, 1), full) for s, full in zip(seen, alone))


def test_a_sequence_does_not_feel_its_neighbours(spec):
    model, tokens = model_of(spec), text(spec, batch=3)
    together, apart = model(tokens)[0], torch.cat([model(t[None])[0] for t in tokens])
    assert (together - apart).abs().max() <= 1e-5 * max(1, apart.abs().max())


@pytest.mark.parametrize("n", [3, N])
def test_flops_of_a_decode_step_equal_what_torch_counts(backward, n):
    model, tokens = model_of(backward), text(backward, batch=1, n=n)
    state = model(tokens[:, :-1])[1]
    with FlopCounterMode(display=False) as counter:
        model(tokens[:, -1:], state)
    unseen = sum(layer.mixer.unseen(backward.d_model, 1, n) for layer in backward.layers if layer.mixer)
    assert cost.count(backward, n).flops_per_token == counter.get_total_flops() + unseen


def test_flops_of_a_prompt_are_per_token_flops_times_tokens_where_nothing_is_cut(spec):
    c = cost.count(spec, N)
    if set(c.layers_by_kind) <= {"full", "none"}:
        assert c.prefill_flops == N * c.flops_per_token


def test_a_description_is_a_value(spec):
    again = copy.deepcopy(spec)
    assert again == spec and hash(again) == hash(spec) and repr(again) == repr(spec)
    assert replace(spec, name="other") != spec


def test_attention_rows_sum_to_one_over_visible_tokens(backward):
    trace = Trace("attention", "positions")
    model_of(backward)(text(backward), trace=trace)
    for (layer, name), tensor in trace.records.items():
        if name == "attention" and not getattr(backward.layers[layer].mixer, "sinks", False):
            assert torch.allclose(tensor.sum(-1), torch.ones(()), atol=1e-5)
            assert tensor.shape[-1] == len(trace[layer, "positions"])
