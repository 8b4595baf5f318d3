"""Attention that reads the keys and values of an earlier layer (cross-layer attention) and keeps none itself.

Glossary
    H, G, d         heads, key/value heads and widths of the attention it would otherwise be
    own             that attention; its key and value projections are left out
    ago             how many layers back the keys and values were made

    q = x W_q       o_i = softmax(q_i K_g^T / sqrt(d) + mask) V_g       y = concat(o) W_o       K, V from layer l - ago

A model in which every second layer borrows keeps half the cache.

Papers: Cross-Layer Attention (arXiv 2405.12981), Hunyuan-Large (arXiv 2411.02265). Simplified: nothing.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from core.errors import SpecError
from core.model.mixers.attention import Attention, AttentionModule
from core.model.part import Mixer, Words, product_text


@dataclass(frozen=True)
class Borrowed(Mixer):
    """Configuration and formulas, in elements."""

    own: Attention
    ago: int = 1

    name = "self_attn"
    kind = "shared"
    family = "attention with borrowed keys and values"
    prefix, called = "borrowed", "borrowed attention"
    limits = {"ago": (1, 4096)}
    takes = ("keys", "borrows keys and values, so a layer before it must be attention with its own")

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.own, Attention):
            raise SpecError("borrowed.own must be attention")

    def build(self, d_model: int) -> "BorrowedModule":
        return BorrowedModule(self, d_model)

    @property
    def absent(self) -> int:
        """Outputs of the two projections that are left out."""
        return self.own.kv_heads * (self.own.k_dim + self.own.v_dim)

    def params(self, d_model: int) -> int:
        """Learned numbers: those of attention without keys, values, their biases and the keys' norm."""
        norms = {"none": 0, "bare": 0, "full": self.own.kv_heads * self.own.k_dim}.get(self.own.qk_norm, self.own.k_dim)
        return self.own.params(d_model) - (d_model + self.own.qkv_bias) * self.absent - norms

    def cache(self, n: int) -> dict[str, int]:
        """Elements that grow with context: none, they are another layer's."""
        return {}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        flops = self.own.flops(d_model, queries, context)
        return {**flops, "projections": flops["projections"] - 2 * queries * d_model * self.absent}

    def in_words(self) -> Words:
        own = self.own.in_words()
        detail = f"q {product_text(self.own.heads, self.own.k_dim)} · k, v of a layer before"
        techniques = (*own.techniques, ("Keys and values of another layer", ""))
        return Words(f"shared K/V, {own.label}", "shared K/V", detail, techniques=techniques)

    def small(self) -> "Borrowed":
        return replace(self, own=self.own.small())

    def cache_read(self, n: int) -> int:
        return self.own.cache_read(n)

    @property
    def cached_heads(self) -> int:
        return self.own.cached_heads

    def masked(self, d_model: int, n: int) -> int:
        return self.own.masked(d_model, n)


class BorrowedModule(AttentionModule):
    """x (B, T, D) -> y (B, T, D); the state holds the position alone."""

    def __init__(self, config: Borrowed, d_model: int):
        super().__init__(config.own, d_model)
        del self.k_proj, self.v_proj
        if config.own.qk_norm not in ("none", "bare"):
            del self.k_norm

    def remembered(self, x: Tensor, positions: Tensor, state: dict, shared: dict) -> tuple[Tensor, Tensor, dict]:
        return *shared["keys and values"], shared

    def kept(self, k: Tensor, v: Tensor, end: int) -> dict:
        return {"position": end}
