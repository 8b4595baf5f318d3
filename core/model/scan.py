"""A matrix memory that decays, erases along one key and writes along another: token by token, or a block of tokens at once.

Glossary
    S           memory of one head, (d, v): d numbers a key, v a value
    g           log of the decay of a token, one for the head (..., 1) or one for each row of S (..., d); never above 0
    q, k, v     what asks (d), the key of the write (d), the value (v)
    c, b        keys of the erasure: along c the decayed memory is read, along b what it said is taken out. Without c: nothing is
                erased. Without b: erased along k, so that c = k and a v scaled alike give the delta rule
    T           tokens; a block is BLOCK of them

    S <- diag(exp g) S            u = c S
    S <- S + k v^T - b u^T        o = q S

One kernel for Gated DeltaNet and Kimi Delta Attention (c = k', k = beta k', b = k), RWKV-7 (c, k and b differ), Mamba-2 and
lightning attention (no c). Within a block the erasures depend on each other through a triangular system, which is solved at once
(the WY form of DeltaNet, arXiv 2406.06484; Gated DeltaNet, arXiv 2412.06464, section 3.3). Decays enter as exp of differences
that are never above 0, so that nothing overflows however strong they are. The naive loop is in tests/core/test_scan.py.
"""

import math

import torch
from torch import Tensor

BLOCK, NARROW = 64, 16  # tokens a block where the decay is one for the head; where every row has its own
MILD = 20.0  # decays within a block that are no stronger than exp(-20) are split into two factors


def scan(q: Tensor, k: Tensor, v: Tensor, g: Tensor, memory: Tensor, c: Tensor | None = None, b: Tensor | None = None):
    """q, k, c, b (B, H, T, d), v (B, H, T, v), g (B, H, T, 1 or d), memory (B, H, d, v) -> o (B, H, T, v), memory."""
    if q.shape[2] == 1:
        return step(q, k, v, g, memory, c, b)
    size, out = BLOCK if g.shape[-1] == 1 else NARROW, []
    for at in range(0, q.shape[2], size):
        part = (x if x is None else x[:, :, at : at + size] for x in (q, k, v, g, c, b))
        o, memory = block(memory, *part)
        out.append(o)
    return torch.cat(out, dim=2), memory


def step(q, k, v, g, memory, c=None, b=None):
    """One token, T = 1: matrix products only, but for the decay."""
    memory = g.exp().transpose(-1, -2) * memory  # (B, H, d, v)
    if c is None:
        memory = memory + k.transpose(-1, -2) @ v
    elif b is None:
        memory = memory + k.transpose(-1, -2) @ (v - c @ memory)
    else:
        memory = memory - b.transpose(-1, -2) @ (c @ memory) + k.transpose(-1, -2) @ v
    return q @ memory, memory


def block(memory, q, k, v, g, c, b):
    """Up to BLOCK tokens at once."""
    total = g.cumsum(2)  # (B, H, C, 1 or d): log of what is left at token i of the block's start
    since, left = total.exp(), (total[:, :, -1:] - total).exp()  # of the start at i; of i at the end
    pairs = paired(total)

    # 1. what the erasures read: each sees the memory as the writes and erasures before it left it
    u = None
    if c is not None:
        seen = (c * since) @ memory
        reads = pairs(c, k).tril(-1)
        u = solve(reads, v - seen) if b is None else solve(pairs(c, b).tril(-1), seen + reads @ v)  # without b: v - what is read

    # 2. what the queries read: what is left of the start, and every write up to their own token
    written = v if c is None or b is not None else u
    o = (q * since) @ memory + pairs(q, k).tril() @ written
    memory = since[:, :, -1:].transpose(-1, -2) * memory + (k * left).transpose(-1, -2) @ written
    if b is not None:
        o = o - pairs(q, b).tril() @ u
        memory = memory - (b * left).transpose(-1, -2) @ u
    return o, memory


def solve(lower: Tensor, right: Tensor) -> Tensor:
    """x of (1 + lower) x = right; lower (..., C, C) strictly lower triangular."""
    return torch.linalg.solve_triangular(lower, right, upper=False, unitriangular=True)


def paired(total: Tensor):
    """A function of two sets of keys (B, H, C, d): their products (B, H, C, C), row i and column j <= i decayed from j to i."""
    size = total.shape[2]
    later = torch.ones(size, size, dtype=torch.bool, device=total.device).triu(1)
    if total.shape[-1] > 1 and total.min() > -MILD:  # the decay of a pair is a product of one factor each
        grown, faded = (-total).exp(), total.exp()
        return lambda x, y: ((x * faded) @ (y * grown).transpose(-1, -2)).masked_fill(later, 0)
    decay = (total[:, :, :, None] - total[:, :, None]).masked_fill(later[..., None], -torch.inf).exp()  # (B, H, C, C, 1 or d)
    if decay.shape[-1] == 1:
        return lambda x, y: x @ y.transpose(-1, -2) * decay[..., 0]
    return lambda x, y: torch.einsum("bhid,bhijd,bhjd->bhij", x, decay, y)


def effective(q: Tensor, k: Tensor, g: Tensor, c: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    """What each output holds of each value: (B, H, T, T), row t of them sums with the values to o_t, from an empty memory.

    The output is linear in the values, so values that are one at their own token and zero elsewhere give the weights.
    """
    B, H, T, d = k.shape
    marks = torch.eye(T, dtype=k.dtype, device=k.device).expand(B, H, T, T)
    return scan(q, k, marks, g, k.new_zeros(B, H, d, T), c, b)[0]


def column(x: Tensor) -> Tensor:
    """A number a head (B, T, H) -> (B, H, T, 1)."""
    return x.transpose(1, 2)[..., None]


def unit(x: Tensor) -> Tensor:
    """Of length 1 along the last dimension."""
    return x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt()


def decay_rates(heads: int) -> Tensor:
    """Where the log of a decay's rate starts: rates from .01 to 1, evenly. The released models draw up to 16, for texts a
    thousand times as long as ours; there a tiny model has forgotten the first word before it has learned to keep it."""
    return torch.linspace(0.01, 1.0, heads).log()


def step_bias(width: int, low: float = 1e-3, high: float = 1e-1) -> Tensor:
    """Where the bias of a step size starts: softplus of it lies between `low` and `high`, evenly in its log (Mamba)."""
    dt = torch.exp(torch.empty(width).uniform_(math.log(low), math.log(high)))
    return dt + torch.log(-torch.expm1(-dt))
