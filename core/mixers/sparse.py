"""DeepSeek sparse attention: a cheap scorer looks at every earlier token and picks the few that latent attention reads.

Glossary
    h   heads       heads of the scorer (the lightning indexer); w = `width` of each, R = `rope_dim` of it turned
    k   top_k       tokens that are picked for a query
    r'              width of the latent's compressed query c', from which the scorer makes its own
    D   d_model     width of the residual stream

    q_j = c' W_q,j  (w)        key = norm(x W_k)  (w, one for all heads, kept)        g = x W_w  (h)
    score of token s = sum over j of g_j relu(q_j key_s)
    y = latent attention over the k tokens of the highest score, itself included where n <= k

The cache of the latent stays as it was and w numbers a token come on top. The scorer reads all n tokens, so the arithmetic still
grows with n, by 2 h w a token instead of 2 H (2 r + R) for every head of the latent; weighing its heads counts as a gate does.

Papers: DeepSeek-V3.2 (arXiv 2512.02556). Simplified: formulas only; no fp8 and no Hadamard rotation; the module follows.
"""

from dataclasses import dataclass

from core.blocks import Counted
from core.errors import SpecError, flag, whole


@dataclass(frozen=True)
class Indexed(Counted):
    """Latent attention behind a scorer: configuration and formulas, in elements. `latent` is the mixer that reads."""

    latent: object
    heads: int
    width: int
    rope_dim: int
    top_k: int
    reuses: bool = False  # reads what an earlier layer's scorer picked, and has none itself (later GLM-5)

    name = "self_attn"
    kind = "mla+indexer"
    family = "DeepSeek sparse attention"

    def __post_init__(self):
        for field in ("heads", "width", "top_k"):
            whole(f"indexer.{field}", getattr(self, field))
        whole("indexer.rope_dim", self.rope_dim, low=0, high=self.width)
        flag("indexer.reuses", self.reuses)
        if getattr(self.latent, "kind", "") != "mla" or not self.latent.q_rank:
            raise SpecError("indexer.latent must be latent attention with compressed queries")

    @property
    def kept(self) -> int:
        """Width of the key that the scorer keeps."""
        return 0 if self.reuses else self.width

    def weights(self, d_model: int) -> int:
        """Elements of the scorer's matrices: queries, one key, a weight a head."""
        if self.reuses:
            return 0
        return self.latent.q_rank * self.heads * self.width + d_model * (self.width + self.heads)

    def params(self, d_model: int) -> int:
        """Learned numbers: the latent's, the scorer's matrices, its key's norm with weight and bias."""
        return self.latent.params(d_model) + self.weights(d_model) + self.kept * 2

    def cache(self, n: int) -> dict[str, int]:
        """Elements kept after n tokens of one sequence: the latent's and the scorer's key."""
        return {**self.latent.cache(n), "index_key": n * self.kept}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for the last `queries` of `context` tokens: the scorer over all, the latent over the picked."""
        own = self.latent.flops(d_model, queries, context)
        picked = self.latent.flops(d_model, queries, min(context, self.top_k))["attention"]
        scorer = 2 * queries * (self.weights(d_model) + self.heads * self.kept * context)
        return {**own, "attention": picked, "indexer": scorer}
