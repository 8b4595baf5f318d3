"""Experts that a word always goes to: a table says which, no router picks (the first layers of DeepSeek-V4).

Glossary
    V   words       rows of the table
    K               experts of a word
    experts         the mixture; its router still weighs what the table picks

    picked = table[word];  g_i = s_i / sum of the picked s;  y = sum of g_i expert_i(x) + shared(x)

Papers: Hash Layers (arXiv 2106.04426). Simplified: formulas only; the module follows.
"""

from dataclasses import dataclass

from core.errors import LARGEST_VOCABULARY, SpecError
from core.model.ffn.moe import MoE
from core.model.part import Ffn, Words


@dataclass(frozen=True)
class Hashed(Ffn):
    """Configuration and formulas, in elements."""

    experts: MoE
    words: int

    name = "mlp"
    family = "experts by a table of words"
    prefix, called = "hashed", "experts by word"
    limits = {"words": (1, LARGEST_VOCABULARY)}

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.experts, MoE) or self.experts.bias:
            raise SpecError("hashed.experts must be a mixture of experts whose router has no bias that picks")

    def params(self, d_model: int) -> int:
        return self.experts.params(d_model)

    def active(self, d_model: int) -> int:
        return self.experts.active(d_model)

    def buffers(self) -> int:
        """Numbers kept beside the weights: the table."""
        return self.words * self.experts.top_k

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        return self.experts.flops(d_model, queries)

    def in_words(self) -> Words:
        experts = self.experts.in_words()
        techniques = (*experts.techniques, ("Experts chosen by word", ""))
        return Words(f"{experts.label}, by word", "MoE by word", f"experts by word · {experts.detail}", techniques=techniques)
