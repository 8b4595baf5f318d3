"""The block form of the matrix memory against the naive loop: python -m pytest tests/core/test_scan.py"""

import pytest
import torch

from core.model import scan


def loop(q, k, v, g, memory, c=None, b=None):
    """The definition, one token after another."""
    out, S = [], memory
    for t in range(q.shape[2]):
        S = g[:, :, t].exp()[..., None] * S
        read = 0 if c is None else torch.einsum("bhd,bhdv->bhv", c[:, :, t], S)
        if c is not None and b is None:
            S = S + torch.einsum("bhd,bhv->bhdv", k[:, :, t], v[:, :, t] - read)
        else:
            S = S + torch.einsum("bhd,bhv->bhdv", k[:, :, t], v[:, :, t])
            if b is not None:
                S = S - torch.einsum("bhd,bhv->bhdv", b[:, :, t], read)
        out.append(torch.einsum("bhd,bhdv->bhv", q[:, :, t], S))
    return torch.stack(out, 2), S


def drawn(tokens, wide, strength=1.0, seed=0):
    """Keys of length 1, decays of any strength."""
    torch.manual_seed(seed)
    B, H, d, v = 2, 3, 5, 4
    q, k, c = (torch.nn.functional.normalize(torch.randn(B, H, tokens, d), dim=-1) for _ in range(3))
    b = c * torch.rand(B, H, tokens, d)
    g = -strength * torch.rand(B, H, tokens, d if wide else 1)
    return q, k, torch.randn(B, H, tokens, v), g, torch.randn(B, H, d, v), c, b


@pytest.mark.parametrize("erase", ["none", "delta", "apart"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 15, 16, 17, 150])
@pytest.mark.parametrize("strength", [0.1, 1.0, 60.0])
def test_the_block_form_equals_the_loop(erase, wide, tokens, strength):
    q, k, v, g, memory, c, b = drawn(tokens, wide, strength)
    beta = torch.rand(*k.shape[:3], 1)
    given = {"none": (k, v), "delta": (beta * k, v, k), "apart": (k, v, c, b)}[erase]
    k, v, c, b = (*given, None, None)[:4]
    ours, theirs = scan.scan(q, k, v, g, memory, c, b), loop(q, k, v, g, memory, c, b)
    for a, expected in zip(ours, theirs):
        assert (a - expected).abs().max() <= 2e-5 * max(1, expected.abs().max())


def test_without_decay_and_writing_the_memory_stays():
    q, k, v, g, memory, c, b = drawn(20, False)
    _, kept = scan.scan(q, 0 * k, v, 0 * g, memory, c, 0 * b)
    assert torch.equal(kept, memory)


def test_total_decay_forgets_everything_before():
    q, k, v, g, memory, *_ = drawn(20, True)
    g = torch.full_like(g, -1e4)
    out, kept = scan.scan(q, k, v, g, memory)
    assert torch.allclose(kept, torch.einsum("bhd,bhv->bhdv", k[:, :, -1], v[:, :, -1]), atol=1e-6)
    assert torch.allclose(out, (q * k).sum(-1, keepdim=True) * v, atol=1e-5)


def test_gradients_pass_through_strong_decay():
    q, k, v, g, memory, c, b = (x.requires_grad_() for x in drawn(40, True, 60.0))
    scan.scan(q, k, v, g, memory, c, b)[0].square().sum().backward()
    assert all(x.grad.isfinite().all() for x in (q, k, v, g, memory, c, b))
