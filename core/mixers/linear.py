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

Papers: Lightning Attention-2 (arXiv 2401.04658), MiniMax-01 (arXiv 2501.08313). Simplified: formulas only; the module follows.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import number, whole


@dataclass(frozen=True)
class Lightning(Recurrent):
    """Configuration and formulas, in elements."""

    heads: int
    width: int
    block: int = 256
    norm_eps: float = 1e-6

    name = "self_attn"
    family = "lightning attention"

    def __post_init__(self):
        for field in ("heads", "width"):
            whole(f"lightning.{field}", getattr(self, field))
        whole("lightning.block", self.block, high=1 << 16)
        number("lightning.norm_eps", self.norm_eps)

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
        """Elements kept that do not grow."""
        return {"memory": self.heads * self.width**2}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "recurrence": 2 * queries * 3 * self.heads * self.width**2,
        }
