"""Multi-head latent attention (MLA): what is cached is a summary from which every head makes its own keys and values.

Glossary
    H   heads       query heads; every one has keys and values of its own, but none of them is kept
    r   kv_rank     width of the latent c (DeepSeek-V2: d_c; Hugging Face: kv_lora_rank)
    r'  q_rank      width of the compressed query (d_c'; q_lora_rank); 0 = queries come straight from x
    d   nope_dim    width of a head's query and key that carry no position (d_h; qk_nope_head_dim)
    R   rope_dim    width of the rotated part, one key a token for all heads (d_R; qk_rope_head_dim)
    v   v_dim       width of a head's value (v_head_dim)
    D   d_model     width of the residual stream

    c = norm(x W_dkv)  (r, kept)       k_rope = rotate(x W_kr)  (R, kept)
    k_i = [c W_uk,i ; k_rope]          v_i = c W_uv,i           q_i = [q_nope,i ; rotate(q_rope,i)]
    o_i = softmax(q_i k_i^T / sqrt(d + R) + mask) v_i           y = concat(o) W_o

Two forms, one result. Expanded: k_i and v_i are made for every token that is read. Absorbed: W_uk is multiplied into the query
and W_uv into the output, so that all heads read the latents themselves, as multi-query attention with keys of r + R and values
of r numbers. Possible because no rotation stands between W_uk and the query; that is why the rotated key is kept apart.

Papers: DeepSeek-V2 (arXiv 2405.04434, equations 37 to 47), DeepSeek-V3 (arXiv 2412.19437). Simplified: no fp8, no fused kernel;
`cut` (a truncated latent, from a singular value decomposition of W_uk and W_uv) is ours.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import WIDEST, one_of, whole
from core.model.blocks import Full, Norm, attend
from core.model.part import RANK, Mixer, Words, narrow
from core.model.rope import Rope
from core.model.trace import NOTHING, Trace

FORMS = ("by length", "expanded", "absorbed")


@dataclass(frozen=True)
class Latent(Mixer):
    """Configuration and formulas, in elements. `form` "by length": one token absorbed, more of them expanded, as engines do."""

    heads: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    v_dim: int
    q_rank: int = 0
    rope: Rope = Rope()  # turns the rope_dim numbers, all or none of them (Kimi Linear)
    form: str = "by length"
    bias: bool = False  # on the two compressions and the output
    norm_eps: float = 1e-6
    scale: float = 0.0  # factor on the scores; 0 means 1 / sqrt(nope_dim + rope_dim)
    cut: int = 0  # the latent is kept in so many directions only; 0 = as it is

    name = "self_attn"
    family = "latent attention"
    prefix, called = "mla", "latent attention"
    limits = {"rope_dim": (0, WIDEST), "q_rank": (0, WIDEST), "cut": (0, "kv_rank")}
    kind = "mla"
    reach = Full()

    def __post_init__(self):
        super().__post_init__()
        whole("mla.rope.dim", self.rope.dim, low=0, high=self.rope_dim)
        one_of("mla.form", self.form, FORMS)

    @property
    def kept(self) -> int:
        """Numbers of the latent that are kept for a token."""
        return self.cut or self.kv_rank

    @property
    def k_dim(self) -> int:
        """Width of a head's query and key."""
        return self.nope_dim + self.rope_dim

    def build(self, d_model: int) -> "LatentModule":
        return LatentModule(self, d_model)

    def projections(self, d_model: int) -> dict[str, int]:
        """Elements of each matrix, under its name."""
        query = {"q_a": d_model * self.q_rank, "q_b": self.q_rank * self.heads * self.k_dim}
        return {
            **(query if self.q_rank else {"q": d_model * self.heads * self.k_dim}),
            "kv_a": d_model * (self.kv_rank + self.rope_dim),
            **({"kv_cut": self.kv_rank * self.cut} if self.cut else {}),
            "kv_b": self.kept * self.heads * (self.nope_dim + self.v_dim),
            "o": self.heads * self.v_dim * d_model,
        }

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, the norms of both compressions, biases."""
        compressed = self.kv_rank + self.rope_dim + self.q_rank
        return sum(self.projections(d_model).values()) + self.kv_rank + self.q_rank + self.bias * (compressed + d_model)

    def cache(self, n: int) -> dict[str, int]:
        """Elements kept after n tokens of one sequence: the normed latent and the rotated key."""
        return {"latent": n * self.kept, "rope_key": n * self.rope_dim}

    def is_absorbed(self, queries: int) -> bool:
        """Whether so many queries at once are answered in the absorbed form."""
        return self.form == "absorbed" or (self.form == "by length" and queries == 1)

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for the last `queries` of `context` tokens, by the form that they take."""
        own = {name: n for name, n in self.projections(d_model).items() if name != "kv_b"}
        if self.is_absorbed(queries):
            width, made = 2 * self.kept + self.rope_dim, queries  # each query passes W_uk, each output W_uv
        else:
            width, made = self.k_dim + self.v_dim, context  # every token that is read passes both
        return {
            "projections": 2 * queries * sum(own.values()),
            "latent": 2 * made * self.kept * self.heads * (self.nope_dim + self.v_dim),
            "attention": 2 * queries * self.heads * width * context,
        }

    def reads(self, context: int, queries: int = 1) -> int:
        """Elements of keys and values that attention itself reads at this context: what is kept, or every head's own."""
        a_token = self.kept + self.rope_dim if self.is_absorbed(queries) else self.heads * (self.k_dim + self.v_dim)
        return context * a_token

    def in_words(self) -> Words:
        query = f"q via {self.q_rank:,} · " if self.q_rank else ""
        kept = f"latent {self.kept:,} + rope key {self.rope_dim}"
        detail = f"{query}{kept} · {self.heads} heads of {self.nope_dim} + {self.rope_dim}"
        techniques = (("Multi-head latent attention", "mla"),)
        return Words(f"MLA {self.kept}+{self.rope_dim}", "MLA", detail, techniques=techniques)

    def small(self) -> "Latent":
        nope, v_dim, rope = (narrow(width, self.nope_dim) for width in (self.nope_dim, self.v_dim, self.rope_dim))
        rope = 2 * max(1, rope // 2) if self.rope_dim else 0
        turned = self.rope.resized(rope) if self.has_rope else self.rope
        return replace(
            self, heads=min(self.heads, 4), kv_rank=min(self.kv_rank, RANK), q_rank=min(self.q_rank, RANK + 4), nope_dim=nope,
            rope_dim=rope, v_dim=v_dim, rope=turned, cut=min(self.cut, RANK - 4),
        )  # fmt: skip

    @property
    def has_rope(self) -> bool:
        return self.rope.dim > 0

    @property
    def unshared(self) -> int:
        return self.heads * (self.k_dim + self.v_dim)

    def repeated_weights(self, d_model: int, devices: int) -> int:
        return (devices - 1) * d_model * (self.kv_rank + self.rope_dim + self.q_rank)

    def masked(self, d_model: int, n: int) -> int:
        flops = self.flops(d_model, n, n)["attention"]
        return flops - flops * self.reach.pairs(n) // (n * self.reach.span(n))


class LatentModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds latent (B, S, r), rope_key (B, S, R) and the position."""

    def __init__(self, config: Latent, d_model: int):
        super().__init__()
        c = self.config = config
        if c.q_rank:
            self.q_a_proj = nn.Linear(d_model, c.q_rank, bias=c.bias)
            self.q_a_layernorm = Norm("rms", c.norm_eps).build(c.q_rank)
            self.q_b_proj = nn.Linear(c.q_rank, c.heads * c.k_dim, bias=False)
        else:
            self.q_proj = nn.Linear(d_model, c.heads * c.k_dim, bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(d_model, c.kv_rank + c.rope_dim, bias=c.bias)
        self.kv_a_layernorm = Norm("rms", c.norm_eps).build(c.kv_rank)
        if c.cut:
            self.kv_cut_proj = nn.Linear(c.kv_rank, c.cut, bias=False)
        self.kv_b_proj = nn.Linear(c.kept, c.heads * (c.nope_dim + c.v_dim), bias=False)
        self.o_proj = nn.Linear(c.heads * c.v_dim, d_model, bias=c.bias)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c, start, T = self.config, state.get("position", 0), x.shape[1]
        positions = torch.arange(start, start + T, device=x.device)

        # 1. queries, their last R numbers turned
        made = self.q_a_layernorm(self.q_a_proj(x)) if c.q_rank else x  # (B, T, r') or (B, T, D)
        q_nope, q_rope = self.queries(made).split([c.nope_dim, c.rope_dim], dim=-1)  # (B, H, T, d), (B, H, T, R)
        q_rope = c.rope.rotate(q_rope, positions)

        # 2. the latent and the rotated key: all that is kept
        latent, rope_key = self.compress(x, positions)  # (B, T, r), (B, T, R)
        if state:
            latent, rope_key = torch.cat([state["latent"], latent], 1), torch.cat([state["rope_key"], rope_key], 1)
        read = torch.arange(start + T, device=x.device)  # (S,)
        visible = c.reach.visible(positions[:, None], read[None, :])  # (T, S)

        # 3. attention in one of two forms
        (out, weights), kept, shared = self.attention(x, made, (q_nope, q_rope, latent, rope_key, visible), state, shared, trace)
        trace.put("attention", weights)  # out (B, H, T, v), weights (B, H, T, S)
        trace.put("positions", read)

        # 4. heads side by side, and back to the residual stream
        y = self.o_proj(out.transpose(1, 2).flatten(2))
        return y, {"latent": latent, "rope_key": rope_key, **kept, "position": start + T}, shared

    def attention(self, x: Tensor, made: Tensor, parts: tuple, state: dict, shared: dict, trace: Trace):
        """What is read of all that can be read, what else is kept, what later layers share: a scorer may stand in between."""
        return self.attended(*parts), {}, shared

    def attended(self, q_nope, q_rope, latent, rope_key, visible) -> tuple[Tensor, Tensor]:
        """Output (B, H, T, v) and weights (B, H, T, S), in the form that the number of queries asks for."""
        form = self.absorbed if self.config.is_absorbed(q_nope.shape[2]) else self.expanded
        return form(q_nope, q_rope, latent, rope_key, visible)

    def queries(self, made: Tensor) -> Tensor:
        """Queries (B, H, T, d + R), of compressed ones where the configuration says so."""
        q = self.q_b_proj(made) if self.config.q_rank else self.q_proj(made)
        return q.unflatten(-1, (self.config.heads, -1)).transpose(1, 2)

    def compress(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, D) -> the normed latent (B, T, r) and the rotated key (B, T, R)."""
        c = self.config
        latent, key = self.kv_a_proj_with_mqa(x).split([c.kv_rank, c.rope_dim], dim=-1)
        latent = self.kv_a_layernorm(latent)
        return self.kv_cut_proj(latent) if c.cut else latent, c.rope.rotate(key[:, None], positions)[:, 0]

    @property
    def up(self) -> tuple[Tensor, Tensor]:
        """W_uk (H, d, r) and W_uv (H, v, r)."""
        c = self.config
        return self.kv_b_proj.weight.view(c.heads, c.nope_dim + c.v_dim, c.kept).split([c.nope_dim, c.v_dim], dim=1)

    @property
    def scale(self) -> float:
        """Factor on the scores."""
        return self.config.scale or self.config.k_dim**-0.5

    def expanded(self, q_nope, q_rope, latent, rope_key, visible) -> tuple[Tensor, Tensor]:
        """Keys and values of every head, made from the latents of every token that is read."""
        c = self.config
        made = self.kv_b_proj(latent).unflatten(-1, (c.heads, -1)).transpose(1, 2)  # (B, H, S, d + v)
        k_nope, v = made.split([c.nope_dim, c.v_dim], dim=-1)
        k = torch.cat([k_nope, rope_key[:, None].expand(-1, c.heads, -1, -1)], dim=-1)  # (B, H, S, d + R)
        return attend(torch.cat([q_nope, q_rope], dim=-1), k, v, visible, self.scale)

    def absorbed(self, q_nope, q_rope, latent, rope_key, visible) -> tuple[Tensor, Tensor]:
        """Every head reads the latents themselves: W_uk has gone into the query, W_uv follows the sum."""
        w_uk, w_uv = self.up
        q = torch.cat([q_nope @ w_uk, q_rope], dim=-1)  # (B, H, T, r + R)
        k = torch.cat([latent, rope_key], dim=-1)[:, None]  # (B, 1, S, r + R)
        out, weights = attend(q, k, latent[:, None], visible, self.scale)  # (B, H, T, r)
        return out @ w_uv.transpose(-1, -2), weights
