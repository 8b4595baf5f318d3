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

Papers: DeepSeek-V3.2 (arXiv 2512.02556). Simplified: no fp8 and no Hadamard rotation (it changes no
product); a prompt is masked to what is picked, a single token reads the picked alone. The scorer learns from the attention
without it, not from the language loss: what it reads is cut off from the gradient.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import SpecError
from core.model.blocks import split, unmasked
from core.model.mixers.latent import Latent, LatentModule
from core.model.part import HEAD, PICKED, Mixer, Words, product_text
from core.model.trace import Trace


@dataclass(frozen=True)
class Indexed(Mixer):
    """Latent attention behind a scorer: configuration and formulas, in elements. `latent` is the mixer that reads."""

    latent: Latent
    heads: int
    width: int
    rope_dim: int
    top_k: int
    reuses: bool = False  # reads what an earlier layer's scorer picked, and has none itself (later GLM-5)

    name = "self_attn"
    kind = "mla+indexer"
    family = "DeepSeek sparse attention"
    prefix, called = "indexer", "the scorer"
    limits = {"rope_dim": (0, "width")}

    def __post_init__(self):
        super().__post_init__()
        if getattr(self.latent, "kind", "") != "mla" or not self.latent.q_rank:
            raise SpecError("indexer.latent must be latent attention with compressed queries")

    def build(self, d_model: int) -> "IndexedModule":
        return IndexedModule(self, d_model)

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

    def in_words(self) -> Words:
        own = self.latent.in_words()
        picks = "picks reused" if self.reuses else f"top {self.top_k:,}"
        detail = f"scorer {product_text(self.heads, self.width)} picks {self.top_k:,} · {own.detail}"
        techniques = (*own.techniques, ("DeepSeek sparse attention", "sparse_attention"))
        return Words(f"{own.label}, {picks}", own.brief, detail, techniques=techniques)

    def small(self) -> "Indexed":
        latent = self.latent.small()
        turned = min(self.rope_dim, latent.rope_dim)
        width = min(self.width, max(HEAD, turned + 2 * (self.width > self.rope_dim)))
        heads, top_k = min(self.heads, 3), min(self.top_k, PICKED)
        return replace(self, latent=latent, heads=heads, width=width, rope_dim=turned, top_k=top_k)

    @property
    def gives(self) -> str:
        return "" if self.reuses else "picks"

    @property
    def takes(self) -> tuple[str, str]:
        return ("picks", "takes over picked tokens, so a layer before it must pick some") if self.reuses else ("", "")

    def spans(self) -> tuple[int, ...]:
        return (self.top_k,)

    @property
    def bends(self) -> set[int]:
        return {self.top_k}

    def cache_read(self, n: int) -> int:
        return sum(self.latent.cache(min(n, self.top_k)).values()) + n * self.kept

    def repeated_weights(self, d_model: int, devices: int) -> int:
        return self.latent.repeated_weights(d_model, devices) + (devices - 1) * self.weights(d_model)

    def masked(self, d_model: int, n: int) -> int:
        most, flops = min(n, self.top_k), self.flops(d_model, n, n)["attention"]
        scan = 2 * self.heads * self.kept * (n * n - unmasked(n, n))
        return flops - flops * unmasked(n, most) // (n * most) + scan


class IndexedModule(LatentModule):
    """x (B, T, D) -> y (B, T, D); the state holds latent (B, S, r), rope_key (B, S, R), index_key (B, S, w) and the position."""

    def __init__(self, config: Indexed, d_model: int):
        super().__init__(config.latent, d_model)
        self.scorer = config
        if not config.reuses:
            self.indexer = IndexerModule(config, d_model)

    def attention(self, x: Tensor, made: Tensor, parts: tuple, state: dict, shared: dict, trace: Trace):
        q_nope, q_rope, latent, rope_key, visible = parts
        kept: dict[str, Tensor] = {}
        count = min(self.scorer.top_k, latent.shape[1])

        # 1. which tokens are read: scored here, or taken over from an earlier layer
        if not self.scorer.reuses:
            scores, keys = self.indexer(x.detach(), made.detach(), state)  # (B, T, S), (B, S, w)
            scores = scores.masked_fill(~visible, -torch.inf)
            kept = {"index_key": keys}
            best = scores.sort(dim=-1, descending=True, stable=True).indices  # of equal ones the earliest: relu leaves many zeros
            shared = {**shared, "picked": best[..., :count]}  # (B, T, k)
            trace.put("indexer", scores)
        picked = shared["picked"]
        chosen = torch.zeros(len(x), *visible.shape, dtype=torch.bool, device=x.device).scatter(-1, picked, True) & visible
        trace.put("picked", chosen)

        # 2. a prompt: everything but the picked is masked
        if x.shape[1] > 1:
            return self.attended(q_nope, q_rope, latent, rope_key, chosen[:, None]), kept, shared

        # 3. one token: the picked alone are read
        at = picked[:, 0, :, None]  # (B, k, 1)
        near, near_key = (part.gather(1, at.expand(-1, -1, part.shape[-1])) for part in (latent, rope_key))
        out, weights = self.attended(q_nope, q_rope, near, near_key, torch.ones(1, count, dtype=torch.bool, device=x.device))
        full = weights.new_zeros(*weights.shape[:3], latent.shape[1])
        return (out, full.scatter(-1, picked[:, None].expand(-1, weights.shape[1], -1, -1), weights)), kept, shared


class IndexerModule(nn.Module):
    """The lightning indexer: x (B, T, D) and compressed queries (B, T, r') -> scores (B, T, S), keys (B, S, w)."""

    def __init__(self, config: Indexed, d_model: int):
        super().__init__()
        c = self.config = config
        self.wq_b = nn.Linear(c.latent.q_rank, c.heads * c.width, bias=False)
        self.wk = nn.Linear(d_model, c.width, bias=False)
        self.k_norm = nn.LayerNorm(c.width, eps=1e-6)
        self.weights_proj = nn.Linear(d_model, c.heads, bias=False)

    def forward(self, x: Tensor, made: Tensor, state: dict) -> tuple[Tensor, Tensor]:
        c, start = self.config, state.get("position", 0)
        positions = torch.arange(start, start + x.shape[1], device=x.device)

        # 1. queries and one key, their first numbers turned
        q = self.turned(split(self.wq_b(made), c.heads), positions)  # (B, h, T, w)
        k = self.turned(self.k_norm(self.wk(x))[:, None], positions)[:, 0]  # (B, T, w)
        k = torch.cat([state["index_key"], k], dim=1) if state else k

        # 2. how much each head likes each token, and how much each head counts
        likes = F.relu(q @ k[:, None].transpose(-1, -2)) * c.width**-0.5  # (B, h, T, S)
        weights = self.weights_proj(x).transpose(1, 2) * c.heads**-0.5  # (B, h, T)
        return (weights[..., None] * likes).sum(1), k

    def turned(self, x: Tensor, positions: Tensor) -> Tensor:
        """x (B, h, T, w), its first `rope_dim` numbers turned by their position."""
        c = self.config
        first, rest = x.split([c.rope_dim, c.width - c.rope_dim], dim=-1)
        return torch.cat([c.latent.rope.rotate(first, positions), rest], dim=-1)
