"""The gated short convolution of LFM2: a token mixes with the few before it, and nothing else is remembered.

Glossary
    D   d_model     width of the residual stream; the convolution is as wide
    K   kernel      taps: the token itself and K - 1 before it (Hugging Face: conv_L_cache)

    B, C, x = h W_in      (D each)
    z = conv(B * x)       depthwise and causal, no activation
    y = (C * z) W_out

Kept: the last K - 1 columns of B * x. Through l such layers a token sees l (K - 1) tokens back, so the models that use them
have some layers of attention.

Papers: LFM2 Technical Report (arXiv 2511.23404). Simplified: nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.model.blocks import convolve
from core.model.part import Convolved, Words
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class GatedConv(Convolved):
    """Configuration and formulas, in elements."""

    kernel: int = 3
    bias: bool = False

    name = "conv"
    family = "the gated short convolution"
    prefix, called = "shortconv", "the short convolution"

    def build(self, d_model: int) -> "GatedConvModule":
        return GatedConvModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices."""
        return 4 * d_model**2

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, taps, biases of all three."""
        return self.weights(d_model) + self.kernel * d_model + self.bias * 5 * d_model

    def state(self, d_model: int) -> dict[str, int]:
        return {"columns": (self.kernel - 1) * d_model}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        return {"projections": self.weights(d_model), "convolution": self.kernel * d_model}

    def in_words(self) -> Words:
        techniques = (("Gated short convolution", "liquid"),)
        return Words(f"short convolution {self.kernel}", "convolution", f"two gates · {self.kernel} taps", techniques=techniques)

    def small(self) -> "GatedConv":
        return self  # as wide as the model


class GatedConvModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds columns (B, D, K - 1)."""

    def __init__(self, config: GatedConv, d_model: int):
        super().__init__()
        c = self.config = config
        self.in_proj = nn.Linear(d_model, 3 * d_model, bias=c.bias)
        self.conv = nn.Conv1d(d_model, d_model, c.kernel, groups=d_model, bias=c.bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=c.bias)

    def forward(self, h: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        # 1. two gates and what they gate
        before, after, x = self.in_proj(h).chunk(3, dim=-1)  # (B, T, D) each

        # 2. gated, mixed with the K - 1 tokens before, gated again
        taps = self.conv.weight[:, 0]  # (D, K)
        mixed, columns = convolve(before * x, taps, state.get("columns"), self.conv.bias)
        for name, record in (("write", before), ("query", after), ("value", x)):
            trace.put(name, record[:, None])
        if trace.wants("effective"):
            trace.put("effective", reached(taps, before, after)[:, None])
        return self.out_proj(after * mixed), {"columns": columns}, shared


def reached(taps: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """What each output holds of each input, over channels (their mean, signs left out): (B, T, T), a band K wide."""
    kernel, n = taps.shape[1], before.shape[1]
    back = torch.arange(n)[:, None] - torch.arange(n)[None]  # (T, T)
    tap = taps.abs()[:, (kernel - 1 - back).clamp(0, kernel - 1)]  # (D, T, T)
    seen = torch.einsum("btd,dts,bsd->bts", after.abs(), tap, before.abs()) / taps.shape[0]
    return seen * ((back >= 0) & (back < kernel))
