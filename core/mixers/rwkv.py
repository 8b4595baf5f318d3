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

Papers: RWKV-7 "Goose" (arXiv 2503.14456). Simplified: formulas only; the modules follow.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import CountedOnly, flag, whole


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

    def __post_init__(self):
        for field in ("heads", "width", "decay_rank", "erase_rank", "value_rank", "gate_rank"):
            whole(f"rwkv.{field}", getattr(self, field))
        flag("rwkv.first", self.first)

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
        """Elements kept that do not grow."""
        return {"memory": self.heads * self.width**2, "shift": d_model}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, reads for the erasure, erases, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "recurrence": 2 * queries * 5 * self.heads * self.width**2,
        }


@dataclass(frozen=True)
class ChannelMix:
    """The feed-forward part of RWKV-7: it reads the token before as well. Configuration and formulas, in elements."""

    hidden: int

    name = "ffn"
    family = "RWKV-7"

    def __post_init__(self):
        whole("ffn.hidden", self.hidden, high=1 << 24)

    def build(self, d_model: int):
        """The torch module: none yet."""
        raise CountedOnly(self.family)

    def params(self, d_model: int) -> int:
        """Learned numbers: two matrices and one mix."""
        return 2 * d_model * self.hidden + d_model

    def active(self, d_model: int) -> int:
        """Learned numbers that one token visits: all."""
        return self.params(d_model)

    def buffers(self) -> int:
        """Numbers kept beside the weights: none."""
        return 0

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow: the token before."""
        return {"shift": d_model}

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens."""
        return {"ffn": 2 * queries * 2 * d_model * self.hidden}
