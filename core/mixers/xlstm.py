"""The mLSTM of xLSTM: an LSTM whose memory is a matrix, with gates that are exponential.

Glossary
    C               memory of one head, (d, v): sum of keys times values
    n               normaliser, (d,): sum of keys
    m               the largest log of a gate so far, one number, so that nothing overflows
    H   heads       heads; d = k_dim of queries and keys, v = v_dim of values
    i, f            input and forget gate, one number a head; o a gate on every output
    D   d_model     width of the residual stream

    m' = max(log sigmoid(f) + m, i)
    f' = exp(log sigmoid(f) + m - m')     i' = exp(i - m')
    C <- f' C + i' k v^T                  n <- f' n + i' k
    h = (q C) / max(|q n|, exp(-m'))      q times 1 / sqrt(d)
    y = W_o( sigmoid(o) * norm(h) )

i and f are capped softly before they are used: cap * tanh(. / cap). Nothing grows with context: d v + d + 1 numbers a head.

Papers: xLSTM (arXiv 2405.04517), xLSTM 7B (arXiv 2503.13427). Simplified: formulas only; the module follows, and with it the
sLSTM, which xLSTM 7B does not use.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import number, whole


@dataclass(frozen=True)
class MLstm(Recurrent):
    """Configuration and formulas, in elements."""

    heads: int
    k_dim: int
    v_dim: int
    gate_cap: float = 15.0
    norm_eps: float = 1e-6

    name = "mlstm_layer"
    family = "the mLSTM"

    def __post_init__(self):
        for field in ("heads", "k_dim", "v_dim"):
            whole(f"mlstm.{field}", getattr(self, field))
        for field in ("gate_cap", "norm_eps"):
            number(f"mlstm.{field}", getattr(self, field))

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys; values, output gate, output; input and forget gate."""
        return d_model * self.heads * (2 * self.k_dim + 3 * self.v_dim + 2)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, biases of the input and the forget gate, the norm of each head."""
        return self.weights(d_model) + 2 * self.heads + self.heads * self.v_dim

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow."""
        return {"memory": self.heads * self.k_dim * self.v_dim, "normaliser": self.heads * self.k_dim, "largest": self.heads}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, writes and reads memory and normaliser."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "recurrence": 2 * queries * 3 * self.heads * self.k_dim * (self.v_dim + 1),
        }
