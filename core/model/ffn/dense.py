"""The dense feed-forward layer: every token passes through all of it.

Glossary
    D   d_model     width of the residual stream
    F   hidden      inner width (Hugging Face: intermediate_size)

    gated    y = W_down( act(W_gate x) * W_up x )     act = silu: SwiGLU; act = gelu: GeGLU   (arXiv 2002.05202)
    plain    y = W_down( act(W_up x) )                act = gelu: GPT-2

Simplified: nothing.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from core.errors import one_of
from core.model.blocks import ACTIVATIONS
from core.model.part import HIDDEN, Ffn, Words
from core.model.trace import NOTHING, Trace

LABELS = {  # (with a gate, without)
    "silu": ("SwiGLU", "SiLU"), "gelu": ("GeGLU", "GELU"), "gelu_tanh": ("GeGLU", "GELU"), "relu": ("ReGLU", "ReLU"),
    "relu2": ("ReLU² gated", "ReLU²"),
}  # fmt: skip


@dataclass(frozen=True)
class Dense(Ffn):
    """Configuration and formulas, in elements."""

    hidden: int
    activation: str = "silu"
    gated: bool = True
    bias: bool = False
    gate_scale: float = 1.0  # factor on what the activation reads (Falcon-H1)

    name = "mlp"
    family = "dense feed-forward"
    prefix, called = "ffn", "the feed-forward part"
    limits = {"hidden": (1, 1 << 24)}

    def __post_init__(self):
        super().__post_init__()
        one_of("ffn.activation", self.activation, tuple(ACTIVATIONS))

    def build(self, d_model: int) -> "DenseModule":
        return DenseModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices."""
        return (3 if self.gated else 2) * d_model * self.hidden

    def params(self, d_model: int) -> int:
        return self.weights(d_model) + self.bias * ((2 if self.gated else 1) * self.hidden + d_model)

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        return {"ffn": 2 * queries * self.weights(d_model)}

    def in_words(self) -> Words:
        gated, plain = LABELS[self.activation]
        detail = f"{'gate, up' if self.gated else 'up'} → {self.hidden:,} → down"
        return Words(f"{gated if self.gated else plain} {self.hidden:,}", "dense", detail)

    def small(self) -> "Dense":
        return replace(self, hidden=min(self.hidden, HIDDEN))


class DenseModule(nn.Module):
    """x (B, T, D) -> y (B, T, D)."""

    def __init__(self, config: Dense, d_model: int):
        super().__init__()
        self.config = config
        if config.gated:
            self.gate_proj = nn.Linear(d_model, config.hidden, bias=config.bias)
        self.up_proj = nn.Linear(d_model, config.hidden, bias=config.bias)
        self.down_proj = nn.Linear(config.hidden, d_model, bias=config.bias)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        act = ACTIVATIONS[self.config.activation]
        up = self.up_proj(x)  # (B, T, F)
        hidden = act(self.config.gate_scale * self.gate_proj(x)) * up if self.config.gated else act(up)
        return self.down_proj(hidden), state, shared
