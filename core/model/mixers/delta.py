"""The delta rule with decay: a matrix a head from which old values are erased along a key before new ones are written.

Glossary
    S               the memory of one value head, (d, v), kept from token to token
    H   value_heads heads with a memory of their own; G = key_heads of queries and keys are shared among them (Gated DeltaNet)
    d   k_dim       width of a query and of a key; v = v_dim of a value (Kimi Delta Attention: one `width` for both)
    a   alpha       how much of S stays, 0 to 1, made from x: one number a head (Gated DeltaNet) or one a row of S (Kimi)
    b   beta        how strongly a value is written, 0 to 1: one number a head
    K   kernel      taps of the causal convolution that queries, keys and values pass, followed by SiLU
    D   d_model     width of the residual stream

    q, k, v = silu(conv(x W))          q and k of length 1, q times 1 / sqrt(d)
    S <- a S                           decay
    S <- S + b k (v - k S)             what S answers for k is taken out, v is put in
    o  = q S                           y = W_o( norm(o) * g )       g = silu(x W_z), Kimi: sigmoid(x W_1 W_2)

Kimi's a and g come through a bottleneck as wide as a head. Nothing grows with context: H d v numbers, and K - 1 columns of what
the convolution reads.

Papers: Gated Delta Networks (arXiv 2412.06464), Kimi Linear (arXiv 2510.26692). Simplified: no fused kernel; a whole prompt
goes through core/model/scan.py in blocks.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import SpecError, divides
from core.model.blocks import convolve, split
from core.model.part import HEAD, MAX_RATIO, Convolved, Words, narrow, product_text
from core.model.scan import column, decay_rates, effective, scan, step_bias, unit
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class GatedDelta(Convolved):
    """Gated DeltaNet (Qwen3-Next, Qwen3.5): configuration and formulas, in elements."""

    key_heads: int
    value_heads: int
    k_dim: int
    v_dim: int
    kernel: int = 4
    norm_eps: float = 1e-6

    name = "linear_attn"
    family = "Gated DeltaNet"
    prefix, called = "delta", "Gated DeltaNet"

    def __post_init__(self):
        super().__post_init__()
        divides("delta.key_heads", self.key_heads, "delta.value_heads", self.value_heads)

    @property
    def channels(self) -> int:
        """Numbers a token that the convolution reads: queries, keys, values."""
        return 2 * self.key_heads * self.k_dim + self.value_heads * self.v_dim

    def build(self, d_model: int) -> "GatedDeltaModule":
        return GatedDeltaModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys, values, gate, output; decay and write strength of each head."""
        values = self.value_heads * self.v_dim
        return d_model * (self.channels + 2 * values + 2 * self.value_heads)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, convolution, base and bias of the decay, the norm that all heads share."""
        return self.weights(d_model) + self.kernel * self.channels + 2 * self.value_heads + self.v_dim

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.value_heads * self.k_dim * self.v_dim, "conv": (self.kernel - 1) * self.channels}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, reads for the erasure, writes and reads."""
        return {
            "projections": self.weights(d_model),
            "convolution": self.kernel * self.channels,
            "recurrence": 4 * self.elementwise,
        }

    @property
    def elementwise(self) -> int:
        return self.value_heads * self.k_dim * self.v_dim

    def in_words(self) -> Words:
        size, techniques = product_text(self.value_heads, self.k_dim, self.v_dim), (("Gated DeltaNet", "gated_deltanet"),)
        heads = f"q, k {product_text(self.key_heads, self.k_dim)} · v {product_text(self.value_heads, self.v_dim)}"
        return Words("Gated DeltaNet", "delta", f"{heads} · convolution {self.kernel} · gate", size, techniques)

    def small(self) -> "GatedDelta":
        ratio, keys = self.value_heads // self.key_heads, min(self.key_heads, 2)
        if ratio > MAX_RATIO:
            raise SpecError(f"value heads must be at most {MAX_RATIO} times key heads for a live twin, not {ratio:,} times")
        widths = {"k_dim": narrow(self.k_dim, self.k_dim), "v_dim": narrow(self.v_dim, self.k_dim)}
        return replace(self, key_heads=keys, value_heads=ratio * keys, **widths)

    @property
    def state_heads(self) -> int:
        return self.value_heads


@dataclass(frozen=True)
class KimiDelta(Convolved):
    """Kimi Delta Attention: every row of the memory has a decay of its own. Configuration and formulas, in elements."""

    heads: int
    width: int
    kernel: int = 4
    norm_eps: float = 1e-6

    name = "self_attn"
    family = "Kimi Delta Attention"
    prefix, called = "kimi_delta", "Kimi Delta Attention"

    @property
    def k_dim(self) -> int:
        """Width of a head's key, and of its value."""
        return self.width

    v_dim = k_dim

    @property
    def inner(self) -> int:
        """Width of all heads side by side."""
        return self.heads * self.width

    def build(self, d_model: int) -> "KimiDeltaModule":
        return KimiDeltaModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys, values, output; decay and gate in two steps each; write strength."""
        narrow = d_model * self.width + self.width * self.inner
        return 4 * d_model * self.inner + 2 * narrow + d_model * self.heads

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, convolution, base and bias of the decay, the norm that all heads share."""
        return self.weights(d_model) + 3 * self.kernel * self.inner + self.heads + self.inner + self.width

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.heads * self.width**2, "conv": 3 * (self.kernel - 1) * self.inner}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, reads for the erasure, writes and reads."""
        return {
            "projections": self.weights(d_model),
            "convolution": 3 * self.kernel * self.inner,
            "recurrence": 4 * self.elementwise,
        }

    @property
    def elementwise(self) -> int:
        return self.heads * self.width**2

    def in_words(self) -> Words:
        size, techniques = product_text(self.heads, self.width, self.width), (("Kimi Delta Attention", "gated_deltanet"),)
        detail = f"q, k, v {product_text(self.heads, self.width)} · convolution {self.kernel} · decay a channel"
        return Words("Kimi Delta Attention", "KDA", detail, size, techniques)

    def small(self) -> "KimiDelta":
        return replace(self, heads=min(self.heads, 4), width=min(self.width, HEAD))

    @property
    def state_heads(self) -> int:
        return self.heads


class GatedDeltaModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, d, v) and conv (B, channels, K - 1)."""

    def __init__(self, config: GatedDelta, d_model: int):
        super().__init__()
        c = self.config = config
        values = c.value_heads * c.v_dim
        self.in_proj_qkv = nn.Linear(d_model, c.channels, bias=False)
        self.in_proj_z = nn.Linear(d_model, values, bias=False)
        self.in_proj_b = nn.Linear(d_model, c.value_heads, bias=False)
        self.in_proj_a = nn.Linear(d_model, c.value_heads, bias=False)
        self.conv1d = nn.Conv1d(c.channels, c.channels, c.kernel, groups=c.channels, bias=False)
        self.A_log = nn.Parameter(decay_rates(c.value_heads))
        self.dt_bias = nn.Parameter(step_bias(c.value_heads))
        self.norm = nn.RMSNorm(c.v_dim, c.norm_eps)
        self.out_proj = nn.Linear(values, d_model, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. queries, keys and values, each mixed with the three tokens before
        mixed, columns = convolve(self.in_proj_qkv(x), self.conv1d.weight[:, 0], state.get("conv"))
        keys = c.key_heads * c.k_dim
        q, k, v = F.silu(mixed).split([keys, keys, c.value_heads * c.v_dim], dim=-1)
        q, k = (unit(self.shared(split(part, c.key_heads))) for part in (q, k))  # (B, H, T, d)
        v = split(v, c.value_heads)  # (B, H, T, v)

        # 2. how much stays and how strongly is written
        g = -self.A_log.exp() * F.softplus(self.in_proj_a(x) + self.dt_bias)  # (B, T, H)
        beta = self.in_proj_b(x).sigmoid()

        # 3. decay, erase, write, read
        out, memory = remember(c, q, k, v, column(g), column(beta), state, trace)

        # 4. normed, gated, and back to the residual stream
        out = self.norm(out.transpose(1, 2)) * F.silu(self.in_proj_z(x).unflatten(-1, (c.value_heads, -1)))
        return self.out_proj(out.flatten(2)), {"memory": memory, "conv": columns}, shared

    def shared(self, x: Tensor) -> Tensor:
        """A key head's queries or keys (B, G, T, d) for every value head that uses them (B, H, T, d)."""
        return x.repeat_interleave(self.config.value_heads // self.config.key_heads, dim=1)


class KimiDeltaModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, d, d) and conv (B, 3 H d, K - 1)."""

    def __init__(self, config: KimiDelta, d_model: int):
        super().__init__()
        c = self.config = config
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(d_model, c.inner, bias=False) for _ in range(3))
        self.conv1d = nn.Conv1d(3 * c.inner, 3 * c.inner, c.kernel, groups=3 * c.inner, bias=False)
        self.f_a_proj, self.f_b_proj = nn.Linear(d_model, c.width, bias=False), nn.Linear(c.width, c.inner, bias=False)
        self.b_proj = nn.Linear(d_model, c.heads, bias=False)
        self.g_a_proj, self.g_b_proj = nn.Linear(d_model, c.width, bias=False), nn.Linear(c.width, c.inner, bias=False)
        self.A_log = nn.Parameter(decay_rates(c.heads))
        self.dt_bias = nn.Parameter(step_bias(c.inner))
        self.o_norm = nn.RMSNorm(c.width, c.norm_eps)
        self.o_proj = nn.Linear(c.inner, d_model, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. queries, keys and values, each mixed with the three tokens before
        made = torch.cat([self.q_proj(x), self.k_proj(x), self.v_proj(x)], dim=-1)
        mixed, columns = convolve(made, self.conv1d.weight[:, 0], state.get("conv"))
        q, k, v = (split(part, c.heads) for part in F.silu(mixed).chunk(3, dim=-1))  # (B, H, T, d)

        # 2. how much of each row stays and how strongly is written
        rate = F.softplus(split(self.f_b_proj(self.f_a_proj(x)) + self.dt_bias, c.heads))
        g = -self.A_log.exp()[:, None, None] * rate  # (B, H, T, d)
        beta = column(self.b_proj(x).sigmoid())

        # 3. decay, erase, write, read
        out, memory = remember(c, unit(q), unit(k), v, g, beta, state, trace)

        # 4. normed, gated, and back to the residual stream
        gate = self.g_b_proj(self.g_a_proj(x)).unflatten(-1, (c.heads, -1)).sigmoid()
        out = self.o_norm(out.transpose(1, 2)) * gate
        return self.o_proj(out.flatten(2)), {"memory": memory, "conv": columns}, shared


def remember(c, q, k, v, g, beta, state: dict, trace: Trace) -> tuple[Tensor, Tensor]:
    """q, k (B, H, T, d) of length 1, v (B, H, T, v), log decay g, beta (B, H, T, 1) -> o (B, H, T, v), memory (B, H, d, v)."""
    q = q * q.shape[-1] ** -0.5
    memory = state.get("memory", q.new_zeros(*q.shape[:2], q.shape[-1], v.shape[-1]))
    for name, record in (("query", q), ("key", k), ("value", v), ("decay", g), ("write", beta)):
        trace.put(name, record)
    if trace.wants("effective"):
        trace.put("effective", effective(q, beta * k, g, k))
    return scan(q, beta * k, v, g, memory, k)
