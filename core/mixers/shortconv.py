"""The gated short convolution of LFM2: a token mixes with the few before it, and nothing else is remembered.

Glossary
    D   d_model     width of the residual stream; the convolution is as wide
    K   kernel      taps: the token itself and K - 1 before it (Hugging Face: conv_L_cache)

    B, C, x = h W_in      (D each)
    z = conv(B * x)       depthwise and causal, no activation
    y = (C * z) W_out

Kept: the last K - 1 columns of B * x. Through l such layers a token sees l (K - 1) tokens back, so the models that use them
have some layers of attention.

Papers: LFM2 Technical Report (arXiv 2511.23404). Simplified: formulas only; the module follows.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import flag, whole


@dataclass(frozen=True)
class GatedConv(Recurrent):
    """Configuration and formulas, in elements."""

    kernel: int = 3
    bias: bool = False

    name = "conv"
    family = "the gated short convolution"

    def __post_init__(self):
        whole("shortconv.kernel", self.kernel, low=2, high=64)
        flag("shortconv.bias", self.bias)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices."""
        return 4 * d_model**2

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, taps, biases of all three."""
        return self.weights(d_model) + self.kernel * d_model + self.bias * 5 * d_model

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow."""
        return {"columns": (self.kernel - 1) * d_model}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens."""
        return {"projections": 2 * queries * self.weights(d_model), "convolution": 2 * queries * self.kernel * d_model}
