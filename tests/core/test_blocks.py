"""Attention and the short convolution against naive versions written out token by token."""

import math

import pytest
import torch

from core.model.blocks import Chunk, Everything, Full, ShortConv, Window, attend


def naive(q, k, v, visible, scale, softcap=0.0, sinks=None):
    """One query, one head, one token at a time."""
    B, H, T, _ = q.shape
    share = H // k.shape[1]
    out = torch.zeros(B, H, T, v.shape[-1])
    for b in range(B):
        for h in range(H):
            for t in range(T):
                scores = []
                for s in range(k.shape[2]):
                    score = float(q[b, h, t] @ k[b, h // share, s]) * scale
                    scores.append(softcap * math.tanh(score / softcap) if softcap else score)
                terms = [math.exp(x) if visible[t, s] else 0.0 for s, x in enumerate(scores)]
                total = sum(terms) + (math.exp(float(sinks[h])) if sinks is not None else 0.0)
                for s, term in enumerate(terms):
                    out[b, h, t] += term / total * v[b, h // share, s]
    return out


@pytest.mark.parametrize("softcap, sinks", [(0.0, False), (2.0, False), (0.0, True), (2.0, True)])
def test_attend_equals_the_naive_sum(softcap, sinks):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, n, d, generator=g) for heads, n, d in ((4, 5, 3), (2, 7, 3), (2, 7, 2)))
    visible = Full().visible(torch.arange(2, 7)[:, None], torch.arange(7)[None])
    sink = torch.randn(4, generator=g) if sinks else None
    out, weights = attend(q, k, v, visible, 0.7, softcap, sink)
    assert torch.allclose(out, naive(q, k, v, visible, 0.7, softcap, sink), atol=1e-5)
    assert (weights[..., ~visible] == 0).all() if visible.ndim == 1 else (weights.masked_select(~visible) == 0).all()


def test_who_sees_whom():
    i = torch.arange(7)

    def seen(reach):
        return [int(row.sum()) for row in reach.visible(i[:, None], i[None])]

    assert seen(Full()) == [1, 2, 3, 4, 5, 6, 7]
    assert seen(Window(3)) == [1, 2, 3, 3, 3, 3, 3]  # three keys, the token itself included
    assert seen(Chunk(3)) == [1, 2, 3, 1, 2, 3, 1]
    assert seen(Everything()) == [7] * 7


@pytest.mark.parametrize("reach", [Full(), Window(3), Chunk(3)])
def test_what_is_read_and_where_it_starts_follow_from_who_sees_whom(reach):
    i = torch.arange(11)
    visible = reach.visible(i[:, None], i[None])
    assert [reach.reads(n) for n in range(1, 12)] == visible.sum(1).tolist()
    assert [reach.first(q) for q in range(11)] == visible.int().argmax(1).tolist()
    assert [reach.kept(n) for n in range(1, 12)] == [min(n, getattr(reach, "size", n)) for n in range(1, 12)]


def test_the_short_convolution_equals_its_definition():
    torch.manual_seed(0)
    conv, x = ShortConv(3, 3), torch.randn(2, 6, 3)
    expected = x.clone()
    for t in range(6):
        for back in range(3):  # the last tap is the token itself
            if t - back >= 0:
                expected[:, t] += conv.weight[:, 2 - back] * x[:, t - back]
    assert torch.allclose(conv(x, {})[0], expected, atol=1e-6)
