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

Papers: Gated Delta Networks (arXiv 2412.06464), Kimi Linear (arXiv 2510.26692). Simplified: formulas only; the modules follow.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import divides, number, whole


@dataclass(frozen=True)
class GatedDelta(Recurrent):
    """Gated DeltaNet (Qwen3-Next, Qwen3.5): configuration and formulas, in elements."""

    key_heads: int
    value_heads: int
    k_dim: int
    v_dim: int
    kernel: int = 4
    norm_eps: float = 1e-6

    name = "linear_attn"
    family = "Gated DeltaNet"

    def __post_init__(self):
        for field in ("key_heads", "value_heads", "k_dim", "v_dim"):
            whole(f"delta.{field}", getattr(self, field))
        divides("delta.key_heads", self.key_heads, "delta.value_heads", self.value_heads)
        whole("delta.kernel", self.kernel, low=2, high=64)
        number("delta.norm_eps", self.norm_eps)

    @property
    def channels(self) -> int:
        """Numbers a token that the convolution reads: queries, keys, values."""
        return 2 * self.key_heads * self.k_dim + self.value_heads * self.v_dim

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys, values, gate, output; decay and write strength of each head."""
        values = self.value_heads * self.v_dim
        return d_model * (self.channels + 2 * values + 2 * self.value_heads)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, convolution, base and bias of the decay, the norm that all heads share."""
        return self.weights(d_model) + self.kernel * self.channels + 2 * self.value_heads + self.v_dim

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow."""
        return {"memory": self.value_heads * self.k_dim * self.v_dim, "conv": (self.kernel - 1) * self.channels}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, reads for the erasure, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "convolution": 2 * queries * self.kernel * self.channels,
            "recurrence": 2 * queries * 4 * self.value_heads * self.k_dim * self.v_dim,
        }


@dataclass(frozen=True)
class KimiDelta(Recurrent):
    """Kimi Delta Attention: every row of the memory has a decay of its own. Configuration and formulas, in elements."""

    heads: int
    width: int
    kernel: int = 4
    norm_eps: float = 1e-6

    name = "self_attn"
    family = "Kimi Delta Attention"

    def __post_init__(self):
        for field in ("heads", "width"):
            whole(f"kimi_delta.{field}", getattr(self, field))
        whole("kimi_delta.kernel", self.kernel, low=2, high=64)
        number("kimi_delta.norm_eps", self.norm_eps)

    @property
    def inner(self) -> int:
        """Width of all heads side by side."""
        return self.heads * self.width

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys, values, output; decay and gate in two steps each; write strength."""
        narrow = d_model * self.width + self.width * self.inner
        return 4 * d_model * self.inner + 2 * narrow + d_model * self.heads

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, convolution, base and bias of the decay, the norm that all heads share."""
        return self.weights(d_model) + 3 * self.kernel * self.inner + self.heads + self.inner + self.width

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow."""
        return {"memory": self.heads * self.width**2, "conv": 3 * (self.kernel - 1) * self.inner}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, reads for the erasure, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "convolution": 2 * queries * 3 * self.kernel * self.inner,
            "recurrence": 2 * queries * 4 * self.heads * self.width**2,
        }
