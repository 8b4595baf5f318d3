"""RWKV-7: a matrix a head with a decay for every channel, an erasure along one key and a write along another.

Glossary
    S               memory of one head, (d, d), kept from token to token
    H   heads       heads; d = `width` of each, H d = D
    x', x           the token before, and this one: every projection reads a mix x + (x' - x) mu of its own (token shift)
    r               what asks (a query)
    w               decay a channel, between exp(-exp(-1/2)) and 1; made through a bottleneck of `decay_rank`
    c               key of the erasure, of length 1; a = how much is erased a channel, through `erase_rank`
    k, v            key and value of the write; v is mixed with the first layer's value, through `value_rank`
    g               gate on the output, through `gate_rank`
    D   d_model     width of the residual stream

    S <- S diag(w) - (S c)(a * c)^T + v k^T
    o = norm(S r) + (r . (rho * k)) v          y = (g * o) W_o

    channel mix (the feed-forward part): y = relu(mix(x) W_1)^2 W_2

Nothing grows with context: H d^2 numbers, and two columns for the token before, one a part.

Papers: RWKV-7 "Goose" (arXiv 2503.14456). Simplified: no fused kernel; a whole prompt goes through
core/model/scan.py in blocks. The mix of the first layer's value is that of the released code.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.blocks import split
from core.model.part import D_MODEL, HEAD, HIDDEN, Ffn, Recurrent, Words, product_text
from core.model.scan import effective, scan
from core.model.trace import NOTHING, Trace

SLOWEST = math.exp(-0.5)  # -log w is at most this: no channel loses more than about half a token


@dataclass(frozen=True)
class Rwkv7(Recurrent):
    """Time mixing: configuration and formulas, in elements. The `first` layer makes the value that later ones mix with theirs."""

    heads: int
    width: int
    decay_rank: int
    erase_rank: int
    value_rank: int
    gate_rank: int
    first: bool = False

    name = "attn"
    family = "RWKV-7"
    prefix, called = "rwkv", "RWKV-7"
    gives = "first values"
    repeated_state = ("shift",)

    def build(self, d_model: int) -> "Rwkv7Module":
        return Rwkv7Module(self, d_model)

    @property
    def inner(self) -> int:
        """Width of all heads side by side."""
        return self.heads * self.width

    @property
    def ranks(self) -> int:
        """Widths of all bottlenecks."""
        return self.decay_rank + self.erase_rank + self.gate_rank + (0 if self.first else self.value_rank)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: r, k, v, output, and two of every bottleneck."""
        return 4 * d_model * self.inner + self.ranks * (d_model + self.inner)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, six mixes, biases of the bottlenecks but the gate's, three vectors of k and r, the norm."""
        return self.weights(d_model) + 6 * d_model + (2 if self.first else 3) * self.inner + 3 * self.inner + 2 * self.inner

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.heads * self.width**2, "shift": d_model}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, reads for the erasure, erases, writes and reads."""
        return {"projections": self.weights(d_model), "recurrence": 5 * self.elementwise}

    @property
    def elementwise(self) -> int:
        return self.heads * self.width**2

    def in_words(self) -> Words:
        size, techniques = product_text(self.heads, self.width, self.width), (("RWKV-7", "rwkv"),)
        detail = f"r, k, v {product_text(self.heads, self.width)} · decay, erase, write · token shift"
        return Words("RWKV-7", "RWKV-7", detail, size, techniques)

    def small(self) -> "Rwkv7":
        ranks = zip(("decay_rank", "erase_rank", "value_rank", "gate_rank"), (4, 5, 3, 6))  # none can be taken for another
        narrowed = {name: min(getattr(self, name), size) for name, size in ranks}
        return replace(self, heads=min(self.heads, D_MODEL // HEAD), width=min(self.width, HEAD), **narrowed)

    def placed(self, given: frozenset[str]) -> "Rwkv7":
        return replace(self, first=self.gives not in given)

    def anywhere(self) -> "Rwkv7":
        return replace(self, first=False)

    @property
    def state_heads(self) -> int:
        return self.heads


@dataclass(frozen=True)
class ChannelMix(Ffn):
    """The feed-forward part of RWKV-7: it reads the token before as well. Configuration and formulas, in elements."""

    hidden: int

    name = "ffn"
    family = "channel mixing of RWKV-7"
    prefix, called = "ffn", "the feed-forward part"
    limits = {"hidden": (1, 1 << 24)}

    def build(self, d_model: int) -> "ChannelMixModule":
        return ChannelMixModule(self, d_model)

    def params(self, d_model: int) -> int:
        """Learned numbers: two matrices and one mix."""
        return 2 * d_model * self.hidden + d_model

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow: the token before."""
        return {"shift": d_model}

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        return {"ffn": 2 * queries * 2 * d_model * self.hidden}

    def in_words(self) -> Words:
        return Words(
            f"channel mix {self.hidden:,}",
            "channel mix",
            f"token shift · {self.hidden:,} · ReLU²",
            techniques=(("RWKV channel mix", "rwkv"),),
        )

    def small(self) -> "ChannelMix":
        return replace(self, hidden=min(self.hidden, HIDDEN))


class Rwkv7Module(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, d, d), keys by values, and shift (B, 1, D).

    Vectors and small matrices carry the short names of the released code: x_* mixes, *0 bases, *1 and *2 the bottlenecks of decay
    (w), erasure (a), value (v) and gate (g); k_k and k_a of the keys, r_k of the bonus.
    """

    w0: Tensor
    w2: Tensor

    def __init__(self, config: Rwkv7, d_model: int):
        super().__init__()
        c, self.removal = config, 1.0  # share of the erasure that is done: a copy of a trained model may do less
        self.config = config
        for name in "rwkvag":
            self.register_parameter(f"x_{name}", nn.Parameter(torch.rand(d_model)))
        ranks = {"w": c.decay_rank, "a": c.erase_rank, "g": c.gate_rank} | ({} if c.first else {"v": c.value_rank})
        for name, rank in ranks.items():
            self.register_parameter(f"{name}1", nn.Parameter(torch.randn(d_model, rank) * d_model**-0.5))
            self.register_parameter(f"{name}2", nn.Parameter(torch.randn(rank, c.inner) * 0.1 * rank**-0.5))
            if name != "g":
                self.register_parameter(f"{name}0", nn.Parameter(torch.zeros(c.inner)))
        with torch.no_grad():  # from channels that keep nearly all to channels that keep about half
            self.w0.copy_(torch.linspace(-6.0, 1.0, c.width).repeat(c.heads))
        self.k_k, self.k_a = nn.Parameter(torch.full((c.inner,), 0.85)), nn.Parameter(torch.ones(c.inner))
        self.r_k = nn.Parameter(torch.zeros(c.heads, c.width))
        self.receptance, self.key, self.value = (nn.Linear(d_model, c.inner, bias=False) for _ in range(3))
        self.output = nn.Linear(c.inner, d_model, bias=False)
        self.ln_x = nn.GroupNorm(c.heads, c.inner, eps=1e-5 * c.width)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. six mixes with the token before
        past = before(x, state) - x
        xr, xw, xk, xv, xa, xg = (x + past * getattr(self, f"x_{name}") for name in "rwkvag")

        # 2. what asks, what is written, how strongly is erased; the value leans on the first layer's
        r, k, v = self.receptance(xr), self.key(xk), self.value(xv)  # (B, T, D) each
        a = (self.a0 + xa @ self.a1 @ self.a2).sigmoid()
        if c.first:
            shared = {**shared, "first_value": v}
        else:
            v = v + (shared["first_value"] - v) * (self.v0 + xv @ self.v1 @ self.v2).sigmoid()
        g = -SLOWEST * (self.w0 + torch.tanh(xw @ self.w1) @ self.w2).sigmoid()  # log w

        # 3. the key of the erasure, of length 1 in each head, and that of the write
        erased = F.normalize(split(k * self.k_k, c.heads), dim=-1)  # (B, H, T, d)
        k = k * (1 + (a - 1) * self.k_a)
        r, k, v, a, g = (split(part, c.heads) for part in (r, k, v, a, g))

        # 4. decay, erase, write, read; what is erased is read before the decay
        memory = state.get("memory", r.new_zeros(*r.shape[:2], c.width, c.width))
        keys = erased * (-g).exp(), erased * a * self.removal
        for name, record in (("query", r), ("key", k), ("value", v), ("decay", g), ("erase", a), ("write", erased)):
            trace.put(name, record)
        if trace.wants("effective"):
            trace.put("effective", effective(r, k, g, *keys))
        out, memory = scan(r, k, v, g, memory, *keys)

        # 5. each head normed, the token's own value added, gated, and back to the residual stream
        out = self.ln_x(out.transpose(1, 2).flatten(2).flatten(0, 1)).view(x.shape[0], x.shape[1], -1)
        bonus = (r * k * self.r_k[:, None]).sum(-1, keepdim=True) * v  # (B, H, T, d)
        out = (out + bonus.transpose(1, 2).flatten(2)) * ((xg @ self.g1).sigmoid() @ self.g2)
        return self.output(out), {"memory": memory, "shift": x[:, -1:].clone()}, shared


class ChannelMixModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds shift (B, 1, D)."""

    def __init__(self, config: ChannelMix, d_model: int):
        super().__init__()
        self.x_k = nn.Parameter(torch.rand(d_model))
        self.key = nn.Linear(d_model, config.hidden, bias=False)
        self.value = nn.Linear(config.hidden, d_model, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        mixed = x + (before(x, state) - x) * self.x_k
        return self.value(self.key(mixed).relu().square()), {"shift": x[:, -1:].clone()}, shared


def before(x: Tensor, state: dict) -> Tensor:
    """The token before each: x (B, T, D) -> the same shape, shifted by one."""
    first = state.get("shift", x.new_zeros(x.shape[0], 1, x.shape[2]))
    return torch.cat([first, x[:, :-1]], dim=1)
