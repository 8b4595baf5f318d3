"""Attention with shared keys and values: multi-head (MHA), grouped-query (GQA), multi-query (MQA).

Glossary
    H   heads       query heads
    G   kv_heads    key/value heads; G = H is MHA, G = 1 is MQA, between is GQA ("G groups" in arXiv 2305.13245)
    d   k_dim       width of a query and of a key in one head (Hugging Face: head_dim); v_dim likewise for values
    D   d_model     width of the residual stream; H * d need not equal it
    n               tokens so far

    q = x W_q  (H, d)      k = x W_k  (G, d)      v = x W_v  (G, d_v)
    head i reads keys and values of group floor(i / (H / G)):
    o_i = softmax(q_i K_g^T / sqrt(d) + mask) V_g          y = concat(o) W_o

Only K and V are kept from token to token: G * (d + d_v) numbers each, so sharing shrinks the cache by H / G. The
arithmetic of the scores stays H * (d + d_v) * n: every query head still makes a map of its own.

Papers: Attention Is All You Need (arXiv 1706.03762), Fast Transformer Decoding (MQA, arXiv 1911.02150), GQA (arXiv
2305.13245), temperature by position (arXiv 2501.19399). Simplified: no dropout, no fused kernel; the softmax runs in the dtype
of the model.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import SpecError, divides, number, one_of, whole
from core.model.blocks import Everything, Full, Norm, Reach, Window, attend, split, up
from core.model.part import BRIEF_ATTENTION, MAX_RATIO, SLIDING, WINDOW, Mixer, Words, narrow, product_text
from core.model.rope import Rope
from core.model.trace import NOTHING, Trace

QK_NORMS = ("none", "head", "full", "turned", "bare")


@dataclass(frozen=True)
class Temperature:
    """Queries are multiplied by 1 + growth * log(1 + floor((position + 1) / every)) (Llama 4); growth 0: by one."""

    every: int = 1
    growth: float = 0.0

    def __post_init__(self):
        whole("attention.temperature.every", self.every, high=1 << 30)
        number("attention.temperature.growth", self.growth)

    def heat(self, q: Tensor, positions: Tensor) -> Tensor:
        """q (B, H, T, d), positions (T,) -> q."""
        if not self.growth:
            return q
        return q * (1 + self.growth * torch.log1p(((positions + 1) // self.every).to(q.dtype)))[:, None]


@dataclass(frozen=True)
class Attention(Mixer):
    """Configuration and formulas. Numbers are counted in elements; cost.py knows about bytes."""

    heads: int
    kv_heads: int
    k_dim: int
    v_dim: int
    rope: Rope = Rope()
    reach: Reach = Full()
    # RMSNorm over each "head" (Qwen3), all at once: "full" (OLMo 2), each once "turned" (Hunyuan), then without weights: "bare"
    qk_norm: str = "none"
    norm_eps: float = 1e-6
    qkv_bias: bool = False
    out_bias: bool = False
    scale: float = 0.0  # factor on the scores; 0 means 1 / sqrt(k_dim)
    softcap: float = 0.0  # scores pass softcap * tanh(scores / softcap); 0 means not (Gemma 2)
    sinks: bool = False  # one learned logit a head that takes attention and gives nothing (gpt-oss)
    gate: bool = False  # the output is multiplied by sigmoid of a projection of x (Qwen3-Next)
    v_scale: float = 1.0  # factor on the values (MiMo-V2-Flash)
    temperature: Temperature = Temperature()

    name = "self_attn"
    family = "attention"
    prefix, called = "attention", "attention"
    gives = "keys"

    def __post_init__(self):
        super().__post_init__()
        divides("attention.kv_heads", self.kv_heads, "attention.heads", self.heads)
        one_of("attention.qk_norm", self.qk_norm, QK_NORMS)
        whole("attention.rope.dim", self.rope.dim, low=0, high=self.k_dim)

    @property
    def kind(self) -> str:
        """full, sliding or chunked: how the cache of this layer grows."""
        return self.reach.kind

    @property
    def q_out(self) -> int:
        """Outputs of the query projection; the gate's come out of the same one, as in Qwen3-Next."""
        return self.heads * (self.k_dim + (self.v_dim if self.gate else 0))

    def build(self, d_model: int) -> "AttentionModule":
        return AttentionModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the four projection matrices."""
        kv = self.kv_heads * (self.k_dim + self.v_dim)
        return d_model * (self.q_out + kv) + self.heads * self.v_dim * d_model

    def params(self, d_model: int) -> int:
        """Learned numbers: projections, biases, query and key norms, sinks."""
        biases = self.qkv_bias * (self.q_out + self.kv_heads * (self.k_dim + self.v_dim)) + self.out_bias * d_model
        norms = {"none": 0, "bare": 0, "full": (self.heads + self.kv_heads) * self.k_dim}.get(self.qk_norm, 2 * self.k_dim)
        return self.weights(d_model) + biases + norms + self.sinks * self.heads

    def cache(self, n: int) -> dict[str, int]:
        """Elements kept after n tokens of one sequence, by name."""
        kept = self.kv_heads * self.reach.kept(n)
        return {"k": kept * self.k_dim, "v": kept * self.v_dim}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for the last `queries` of `context` tokens: projections, and scores with their sums."""
        read = self.reach.reads(context) if queries == 1 else self.reach.span(context)
        return {
            "projections": 2 * queries * self.weights(d_model),
            "attention": 2 * queries * self.heads * (self.k_dim + self.v_dim) * read,
        }

    def causal(self) -> "Attention":
        """The same attention reading backwards only, as the counts of a denoiser's trunk need it."""
        return replace(self, reach=Full()) if isinstance(self.reach, Everything) else self

    def in_words(self) -> Words:
        sharing = "MHA" if self.kv_heads == self.heads else "MQA" if self.kv_heads == 1 else "GQA"
        heads = f"{self.heads}" if self.kv_heads == self.heads else f"{self.heads}/{self.kv_heads}"
        brief = BRIEF_ATTENTION if self.kind == "full" else "local"
        return Words(f"{sharing} {heads}{self.reach.label}", brief, self.detail(), techniques=self.techniques())

    def detail(self) -> str:
        """Heads and what turns, gates and bounds them, in one line."""
        keys, values = product_text(self.kv_heads, self.k_dim), f"{self.v_dim:,}"
        kv = f"k, v {keys}" if self.k_dim == self.v_dim else f"k {keys}, v × {values}"
        turned = "rope" if self.rope.dim == self.k_dim else f"rope on {self.rope.dim}" if self.has_rope else "no rope"
        extras = [
            f"window {self.reach.size:,}" if isinstance(self.reach, Window) else "",
            "q k norm" if self.qk_norm != "none" else "",
        ]
        extras += [turned, "gate" if self.gate else "", "sinks" if self.sinks else "", "soft cap" if self.softcap else ""]
        return " · ".join([f"q {product_text(self.heads, self.k_dim)}", kv, *filter(None, extras)])

    def techniques(self) -> tuple[tuple[str, str], ...]:
        """How heads share, how far they reach, what else they have."""
        reach = {"sliding": [SLIDING], "chunked": [("Chunked attention", "sliding_window")]}.get(self.kind, [])
        sharing = {self.heads: "Multi-head attention", 1: "Multi-query attention"}.get(self.kv_heads, "Grouped-query attention")
        sinks, gate = [("Attention sinks", "")] * self.sinks, [("Gated attention", "")] * self.gate
        return ((sharing, "gqa"), *reach, *sinks, *gate)

    def small(self) -> "Attention":
        ratio = self.heads // self.kv_heads
        if ratio > MAX_RATIO:
            most = f"{MAX_RATIO} times kv_heads ({self.kv_heads:,})"
            raise SpecError(f"heads must be at most {most} for a live twin, not {self.heads:,}")
        kv = min(self.kv_heads, 4 if ratio == 1 else 2)
        k_dim, v_dim = narrow(self.k_dim, self.k_dim), narrow(self.v_dim, self.k_dim)
        rope = self.rope.resized(max(2, k_dim * self.rope.dim // self.k_dim // 2 * 2)) if self.has_rope else self.rope
        reach = replace(self.reach, size=min(self.reach.size, WINDOW)) if isinstance(self.reach, Window) else self.reach
        heat = replace(self.temperature, every=min(self.temperature.every, WINDOW))
        return replace(self, heads=ratio * kv, kv_heads=kv, k_dim=k_dim, v_dim=v_dim, rope=rope, reach=reach, temperature=heat)

    def is_akin(self, other) -> bool:
        return super().is_akin(other) and self.kind == other.kind

    def spans(self) -> tuple[int, ...]:
        return (self.reach.size,) if isinstance(self.reach, Window) else ()

    @property
    def has_rope(self) -> bool:
        return self.rope.dim > 0

    @property
    def unshared(self) -> int:
        return self.heads * (self.k_dim + self.v_dim)

    @property
    def cached_heads(self) -> int:
        return self.kv_heads

    @property
    def bends(self) -> set[int]:
        return set(self.spans())

    @property
    def steps(self) -> set[int]:
        return set(self.spans()) if self.kind == "chunked" else set()

    def tokens_kept(self, n: int) -> int:
        return self.reach.kept(n)

    def tokens_read(self, n: int) -> int:
        return self.reach.reads(n)

    def extra_heads(self, devices: int) -> int:
        """Key/value heads that are repeated where every device has as many."""
        return up(self.kv_heads, devices) - self.kv_heads

    def repeated_weights(self, d_model: int, devices: int) -> int:
        return self.extra_heads(devices) * (self.k_dim + self.v_dim) * (d_model + self.qkv_bias)

    def masked(self, d_model: int, n: int) -> int:
        flops = self.flops(d_model, n, n)["attention"]
        return flops - flops * self.reach.pairs(n) // (n * self.reach.span(n))


class AttentionModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds k (B, G, S, d), v (B, G, S, d_v) and the position."""

    def __init__(self, config: Attention, d_model: int):
        super().__init__()
        c = self.config = config
        self.q_proj = nn.Linear(d_model, c.q_out, bias=c.qkv_bias)
        self.k_proj = nn.Linear(d_model, c.kv_heads * c.k_dim, bias=c.qkv_bias)
        self.v_proj = nn.Linear(d_model, c.kv_heads * c.v_dim, bias=c.qkv_bias)
        self.o_proj = nn.Linear(c.heads * c.v_dim, d_model, bias=c.out_bias)
        if c.qk_norm == "bare":
            self.q_norm = self.k_norm = Norm("rms", c.norm_eps, learned=False).build(c.k_dim)
        elif c.qk_norm != "none":
            groups = (c.heads, c.kv_heads) if c.qk_norm == "full" else (1, 1)
            self.q_norm, self.k_norm = (Norm("rms", c.norm_eps).build(g * c.k_dim) for g in groups)
        if c.sinks:
            self.sinks = nn.Parameter(torch.zeros(c.heads))

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config
        start = state.get("position", 0)
        positions = torch.arange(start, start + x.shape[1], device=x.device)

        # 1. queries, turned by their positions
        q, gate = self.queries(x)
        q = c.rope.rotate(q, positions)  # (B, H, T, d)
        q = self.q_norm(q) if c.qk_norm in ("turned", "bare") else q
        q = c.temperature.heat(q, positions)

        # 2. keys and values of these and earlier tokens, of which only what the first query may reach is read
        k, v, shared = self.remembered(x, positions, state, shared)
        end = start + x.shape[1]
        first = max(c.reach.first(start), end - k.shape[2])
        read = torch.arange(first, end, device=x.device)  # (S,)

        # 3. each query head reads the keys and values of its group
        visible = c.reach.visible(positions[:, None], read[None, :])  # (T, S)
        sinks = self.sinks if c.sinks else None
        out, weights = attend(q, latest(k, end - first), latest(v, end - first), visible, self.scale, c.softcap, sinks)
        trace.put("attention", weights)
        trace.put("positions", read)

        # 4. heads side by side, gated, and back to the residual stream
        out = out.transpose(1, 2).flatten(2)  # (B, T, H * d_v)
        y = self.o_proj(out if gate is None else out * gate.sigmoid())
        return y, self.kept(k, v, end), shared

    def remembered(self, x: Tensor, positions: Tensor, state: dict, shared: dict) -> tuple[Tensor, Tensor, dict]:
        """Keys (B, G, S, d) and values (B, G, S, d_v) of what is kept and of x; a later layer may borrow them."""
        c = self.config
        k = c.rope.rotate(self.keys(x), positions)  # (B, G, T, d)
        k = self.k_norm(k) if c.qk_norm in ("turned", "bare") else k
        v = split(self.v_proj(x), c.kv_heads)  # (B, G, T, d_v)
        v = v if c.v_scale == 1 else c.v_scale * v
        k, v = (torch.cat([state[name], new], dim=2) if name in state else new for name, new in (("k", k), ("v", v)))
        return k, v, {**shared, "keys and values": (k, v)}

    def kept(self, k: Tensor, v: Tensor, end: int) -> dict:
        """The cache: what the reach allows, copied so that what it drops is really gone."""
        keep = min(k.shape[2], self.config.reach.kept(end))
        return {"k": latest(k, keep), "v": latest(v, keep), "position": end}

    @property
    def scale(self) -> float:
        """Factor on the scores."""
        return self.config.scale or self.config.k_dim**-0.5

    def queries(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Queries (B, H, T, d), normed where the configuration says so, and the gate (B, T, H * d_v) or None."""
        c, q, gate = self.config, self.q_proj(x), None
        if c.gate:
            q, gate = q.unflatten(-1, (c.heads, -1)).split([c.k_dim, c.v_dim], dim=-1)
            q, gate = q.flatten(2), gate.flatten(2)
        return self.normed(q, c.heads, "q_norm"), gate

    def keys(self, x: Tensor) -> Tensor:
        """Keys (B, G, T, d)."""
        return self.normed(self.k_proj(x), self.config.kv_heads, "k_norm")

    def normed(self, x: Tensor, heads: int, norm: str) -> Tensor:
        """x (B, T, heads * d) -> (B, heads, T, d), through the norm over all heads or over each."""
        kind = self.config.qk_norm
        if kind == "full":
            x = getattr(self, norm)(x)
        x = split(x, heads)
        return getattr(self, norm)(x) if kind == "head" else x


def latest(x: Tensor, count: int) -> Tensor:
    """The last `count` tokens of x (B, G, S, d): x itself where that is all of it, else a copy."""
    return x if count == x.shape[2] else x[:, :, x.shape[2] - count :].clone()
