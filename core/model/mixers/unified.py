"""Attention whose keys and values may come from one projection (Gemma 4's global layers).

Glossary
    H, G, d         heads, key/value heads and widths of the attention it is otherwise
    own             that attention, with a norm on each query and key head
    one             whether one projection makes both; else they have a projection each, as usual

    p = x W_k       k = rotate(w * norm(p))       v = norm(p)       norm on values: without weights
    o_i = softmax(q_i K_g^T + mask) V_g           y = concat(o) W_o

Keys and values still differ, by the weights of a norm and by rotation, and both are kept, as the reference does. An engine that
kept p alone, and made k and v from it whenever they are read, would need half.

Papers: no report is out; grouped-query attention is arXiv 2305.13245. Simplified: formulas only; the module follows. The factor
on the whole layer, which is loaded and not learned, is counted here as a buffer.
"""

from dataclasses import dataclass, replace

from core.errors import SpecError
from core.model.mixers.attention import Attention
from core.model.part import Mixer, Words


@dataclass(frozen=True)
class Unified(Mixer):
    """Configuration and formulas, in elements."""

    own: Attention
    one: bool = True

    name = "self_attn"
    family = "attention with one projection for keys and values"
    prefix, called = "unified", "attention with one projection"

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.own, Attention) or self.own.k_dim != self.own.v_dim:
            raise SpecError("unified.own must be attention with keys as wide as values")

    @property
    def kind(self) -> str:
        """full or sliding, as its attention."""
        return self.own.kind

    @property
    def absent(self) -> int:
        """Outputs of the projection that is left out."""
        return self.one * self.own.kv_heads * self.own.v_dim

    def params(self, d_model: int) -> int:
        return self.own.params(d_model) - (d_model + self.own.qkv_bias) * self.absent

    def cache(self, n: int) -> dict[str, int]:
        return self.own.cache(n)

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        flops = self.own.flops(d_model, queries, context)
        return {**flops, "projections": flops["projections"] - 2 * queries * d_model * self.absent}

    def buffers(self) -> int:
        """Numbers kept beside the weights: the layer's factor."""
        return 1

    def in_words(self) -> Words:
        own = self.own.in_words()
        techniques = (*own.techniques, *[("One projection for keys and values", "")] * self.one)
        return replace(own, label=own.label + (", one projection" if self.one else ""), techniques=techniques)

    @property
    def cached_heads(self) -> int:
        return self.own.cached_heads

    def tokens_kept(self, n: int) -> int:
        return self.own.tokens_kept(n)

    def tokens_read(self, n: int) -> int:
        return self.own.tokens_read(n)

    def repeated_weights(self, d_model: int, devices: int) -> int:
        left_out = self.own.extra_heads(devices) * self.one * self.own.v_dim * (d_model + self.own.qkv_bias)
        return self.own.repeated_weights(d_model, devices) - left_out

    def masked(self, d_model: int, n: int) -> int:
        return self.own.masked(d_model, n)
