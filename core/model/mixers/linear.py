"""Lightning attention: linear attention with a fixed decay, a matrix a head that fades and is added to.

Glossary
    S               the memory of one head, (d, d), kept from token to token
    H   heads       heads; d = `width` of each
    s   slope       decay rate, fixed for a head and a layer, not learned
    c   block       tokens that the block form takes at once
    D   d_model     width of the residual stream

    q, k, v = silu(x W)        S <- exp(-s) S + k v^T        o = q S
    y = W_o( sigmoid(x W_g) * norm(o) )

No softmax: S holds the sum over all tokens, so nothing grows with context. Within a block the form with a c x c table of decays
is faster; those tables stand beside the weights (1 + 2 c + c^2 numbers a head).

Papers: Lightning Attention-2 (arXiv 2401.04658), MiniMax-01 (arXiv 2501.08313). Simplified: no
fused kernel; a whole prompt goes through core/model/scan.py in blocks of its own size, so the tables are counted and not kept.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.blocks import Norm, split
from core.model.part import HEAD, SMALL_BLOCK, Recurrent, Words, product_text
from core.model.scan import effective, scan
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class Lightning(Recurrent):
    """Configuration and formulas, in elements."""

    heads: int
    width: int
    block: int = 256
    norm_eps: float = 1e-6
    fade: float = 1.0  # factor on the slopes, smaller in later layers

    name = "self_attn"
    family = "lightning attention"
    prefix, called = "lightning", "lightning attention"
    limits = {"block": (1, 1 << 16), "fade": (0, 1e6)}

    def build(self, d_model: int) -> "LightningModule":
        return LightningModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys, values, gate, output."""
        return 5 * d_model * self.heads * self.width

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices and the norm over all heads."""
        return self.weights(d_model) + self.heads * self.width

    def buffers(self) -> int:
        """Numbers kept beside the weights: slopes and the tables of decay of the block form."""
        return self.heads * (1 + self.block) ** 2

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.heads * self.width**2}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, writes and reads."""
        return {"projections": self.weights(d_model), "recurrence": 3 * self.elementwise}

    @property
    def elementwise(self) -> int:
        return self.heads * self.width**2

    def slopes(self) -> Tensor:
        """Decay rate of each head (H,): a geometric series from 2^(-8/H) on, times `fade`."""
        return self.fade * 2.0 ** (-8.0 * torch.arange(1, self.heads + 1) / self.heads)

    def in_words(self) -> Words:
        size, techniques = product_text(self.heads, self.width, self.width), (("Lightning attention", ""),)
        detail = f"q, k, v {product_text(self.heads, self.width)} · fixed decay a head"
        return Words("lightning attention", "lightning", detail, size, techniques)

    def small(self) -> "Lightning":
        return replace(self, heads=min(self.heads, 4), width=min(self.width, HEAD), block=min(self.block, SMALL_BLOCK))

    def at_any_depth(self) -> "Lightning":
        return replace(self, fade=1.0)  # slopes, other in every layer, make no kind of their own

    @property
    def state_heads(self) -> int:
        return self.heads


class LightningModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, d, d)."""

    def __init__(self, config: Lightning, d_model: int):
        super().__init__()
        c = self.config = config
        inner = c.heads * c.width
        self.qkv_proj = nn.Linear(d_model, 3 * inner, bias=False)  # of each head its query, key and value
        self.output_gate = nn.Linear(d_model, inner, bias=False)
        self.norm = Norm("rms", c.norm_eps).build(inner)
        self.out_proj = nn.Linear(inner, d_model, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. queries, keys, values, none of them negative by much
        q, k, v = split(F.silu(self.qkv_proj(x)), c.heads).chunk(3, dim=-1)  # (B, H, T, d)

        # 2. fade, write, read
        g = -c.slopes().to(x)[:, None, None].expand(len(x), -1, x.shape[1], 1)  # (B, H, T, 1)
        for name, record in (("query", q), ("key", k), ("value", v), ("decay", g)):
            trace.put(name, record)
        if trace.wants("effective"):
            trace.put("effective", effective(q, k, g))
        out, memory = scan(q, k, v, g, state.get("memory", q.new_zeros(*q.shape[:2], c.width, c.width)))

        # 3. normed over all heads, gated, and back to the residual stream
        out = self.norm(out.transpose(1, 2).flatten(2))
        return self.out_proj(self.output_gate(x).sigmoid() * out), {"memory": memory}, shared
