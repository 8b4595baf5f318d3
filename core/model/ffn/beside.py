"""A dense feed-forward layer and experts side by side, each between norms of its own (Gemma 4).

Glossary
    D   d_model     width of the residual stream
    E   experts     routed experts; what a router reads is normed and scaled channel by channel
    dense, experts  the two parts

    y = norm_1(dense(h)) + norm_3(experts(norm_2(x)))       h the normed stream, x the stream as it is
    s = softmax(W_r (scale * norm(x)));  g_i = c_i s_i / sum of the picked s       c_i learned, one an expert

Papers: no report is out; mixtures of experts are arXiv 1701.06538. Simplified: formulas only; the module follows.
"""

from dataclasses import dataclass

from core.errors import SpecError
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.part import Ffn, Words


@dataclass(frozen=True)
class Beside(Ffn):
    """Configuration and formulas, in elements."""

    dense: Dense
    experts: MoE

    name = "mlp"
    family = "a dense layer beside experts"
    prefix, called = "beside", "a dense layer beside experts"

    def __post_init__(self):
        if not isinstance(self.dense, Dense) or not isinstance(self.experts, MoE):
            raise SpecError("beside.dense must be a dense layer and beside.experts a mixture of experts")

    def own(self, d_model: int) -> int:
        """Learned numbers of neither: three norms, the router's scale, a factor an expert."""
        return 4 * d_model + self.experts.experts

    def params(self, d_model: int) -> int:
        return self.dense.params(d_model) + self.experts.params(d_model) + self.own(d_model)

    def active(self, d_model: int) -> int:
        return self.dense.active(d_model) + self.experts.active(d_model) + self.own(d_model)

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        flops = self.experts.flops(d_model, queries)
        return {**flops, "ffn": flops["ffn"] + self.dense.flops(d_model, queries)["ffn"]}

    def in_words(self) -> Words:
        dense, experts = self.dense.in_words(), self.experts.in_words()
        techniques = (*experts.techniques, ("A dense layer beside experts", ""))
        label = f"{dense.label} beside {experts.label}"
        return Words(label, "dense and MoE", f"{dense.detail} · {experts.detail}", techniques=techniques)
