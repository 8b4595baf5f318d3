"""Mixture of experts: many feed-forward layers, of which a router sends every token to a few.

Glossary
    E   experts     routed experts (N_r in DeepSeek-V3)
    K   top_k       experts that a token goes to
    F   hidden      inner width of one expert (Hugging Face: moe_intermediate_size)
    S   shared      inner width of the expert that every token passes, 0 = none
    D   d_model     width of the residual stream

    s = softmax(x W_r)  or  sigmoid(x W_r)             affinity of the token to each expert
    picked = the K largest of s + b                    b: a bias that only chooses, never weighs (DeepSeek-V3)
    g_i = s_i / sum of the picked s, times `scale`     (normalise; else g_i = s_i)
    y = sum over the picked of g_i expert_i(x)  +  shared(x)

Groups: experts stand in `groups`; only the best `top_groups` of them may be picked from. A group is as good as its best expert
(DeepSeek-V2) or as its best two together (DeepSeek-V3).

The bias is no weight: after every training step b_i falls by gamma where expert i got more than its share of tokens, and rises
by gamma where it got less (arXiv 2408.15664). The other way to balance is a loss on the affinities (arXiv 2101.03961).

Papers: arXiv 1701.06538, Mixtral (arXiv 2401.04088), DeepSeekMoE (arXiv 2401.06066), DeepSeek-V3 (arXiv 2412.19437), gpt-oss
(arXiv 2508.10925). Simplified: one process, experts one after another; no capacity limit, so no token is ever dropped.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import WIDEST, SpecError, divides, one_of
from core.model.blocks import ACTIVATIONS
from core.model.part import EXPERTS, HIDDEN, Ffn, Words
from core.model.trace import NOTHING, Trace

SCORES = {
    "softmax": lambda x: x.softmax(-1),
    "sigmoid": lambda x: x.sigmoid(),
    "sqrtsoftplus": lambda x: nn.functional.softplus(x).sqrt(),  # DeepSeek-V4
}
CLAMP, SLOPE = 7.0, 1.702  # gpt-oss: inputs of its activation are cut at 7, its sigmoid is this steep


@dataclass(frozen=True)
class MoE(Ffn):
    """Configuration and formulas, in elements."""

    experts: int
    top_k: int
    hidden: int
    shared: int = 0
    scores: str = "softmax"
    normalise: bool = True
    scale: float = 1.0
    bias: bool = False  # a buffer that is added before picking
    groups: int = 1
    top_groups: int = 1
    group_best: int = 1  # a group's score is the sum of its best so many
    activation: str = "silu"  # or "clamped": gpt-oss's own
    router_bias: bool = False
    expert_bias: bool = False
    shared_gate: bool = False  # the shared expert is multiplied by sigmoid of a projection of x
    weigh_input: bool = False  # the gate multiplies what an expert reads, not what it writes (Llama 4)
    gated: bool = True  # an expert is act(gate) * up; else act(up) (Nemotron 3)

    name = "mlp"
    family = "experts"
    prefix, called = "moe", "the experts"
    limits = {
        "experts": (2, WIDEST), "top_k": (1, "experts"), "hidden": (1, 1 << 24), "shared": (0, 1 << 24),
        "top_groups": (1, "groups"), "group_best": (1, "members"),
    }  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        one_of("moe.scores", self.scores, tuple(SCORES))
        one_of("moe.activation", self.activation, (*ACTIVATIONS, "clamped"))
        divides("moe.groups", self.groups, "moe.experts", self.experts)
        if self.top_k > (most := self.experts // self.groups * self.top_groups):
            raise SpecError(f"moe.top_k must be at most {most}, the experts of the picked groups")
        if self.activation == "clamped" and not self.gated:
            raise SpecError("moe.gated must be true where moe.activation is clamped")
        if self.shared_gate and not self.shared:
            raise SpecError("moe.shared_gate must be false where there is no shared expert")

    def build(self, d_model: int) -> "MoEModule":
        return MoEModule(self, d_model)

    @property
    def members(self) -> int:
        """Experts of a group."""
        return max(1, self.experts // self.groups)

    @property
    def inner(self) -> int:
        """Matrices that lead into an expert: gate and up, or up alone."""
        return 2 if self.gated else 1

    def expert(self, d_model: int) -> int:
        """Learned numbers of one routed expert."""
        return (self.inner + 1) * d_model * self.hidden + self.expert_bias * (self.inner * self.hidden + d_model)

    def always(self, d_model: int) -> int:
        """Learned numbers that every token visits: the router and the shared expert."""
        router = d_model * self.experts + self.router_bias * self.experts
        return router + (self.inner + 1) * d_model * self.shared + self.shared_gate * d_model

    def params(self, d_model: int) -> int:
        return self.always(d_model) + self.experts * self.expert(d_model)

    def active(self, d_model: int) -> int:
        return self.always(d_model) + self.top_k * self.expert(d_model)

    def buffers(self) -> int:
        """Numbers kept beside the weights: the bias that picks."""
        return self.experts if self.bias else 0

    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens: the router reads all experts' rows, K experts and the shared one run."""
        run = (self.inner + 1) * d_model * (self.top_k * self.hidden + self.shared) + self.shared_gate * d_model
        return {"router": 2 * queries * d_model * self.experts, "ffn": 2 * queries * run}

    def touched(self, tokens: int) -> float:
        """Routed experts that a batch of tokens visits, on average, if every token picks evenly: E (1 - (1 - K/E)^n)."""
        return self.experts * (1 - (1 - self.top_k / self.experts) ** tokens)

    def in_words(self) -> Words:
        alike = self.shared % self.hidden == 0  # shared experts as wide as a routed one; where they are not, how wide
        beside = f" + {self.shared // self.hidden}" if alike else f" + shared {self.shared:,}"
        always = f" · shared {self.shared:,}" if self.shared else ""
        detail = f"router picks {self.top_k} of {self.experts:,} · hidden {self.hidden:,} each{always}"
        techniques = (("Mixture of experts", "moe"), *[("Shared expert", "moe")] * bool(self.shared))
        label = f"MoE {self.top_k} of {self.experts}" + (beside if self.shared else "")
        return Words(label, "MoE", detail, techniques=techniques)

    def small(self) -> "MoE":
        groups = min(self.groups, 4)
        top_groups = max(1, self.top_groups * groups // self.groups)
        each = min(self.members, 4 if groups > 1 else EXPERTS)
        room = each * top_groups - (self.top_k < self.experts)
        return replace(
            self, experts=each * groups, top_k=min(self.top_k, 3, room), groups=groups, top_groups=top_groups,
            group_best=min(self.group_best, each), hidden=min(self.hidden, HIDDEN // 4), shared=min(self.shared, HIDDEN // 2),
        )  # fmt: skip

    @property
    def routed(self) -> "MoE":
        return self


class Router(nn.Module):
    """x (..., D) -> affinity (..., E), picked experts (..., K), their gates (..., K)."""

    e_score_correction_bias: Tensor

    def __init__(self, config: MoE, d_model: int):
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.experts, d_model).normal_(std=d_model**-0.5))
        if config.router_bias:
            self.bias = nn.Parameter(torch.zeros(config.experts))
        if config.bias:
            self.register_buffer("e_score_correction_bias", torch.zeros(config.experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        logits = nn.functional.linear(x, self.weight, self.bias if c.router_bias else None)
        affinity = SCORES[c.scores](logits)
        picked = self.pick(affinity)  # (..., K)
        gates = affinity.gather(-1, picked)
        if c.normalise:
            gates = gates / gates.sum(-1, keepdim=True).clamp_min(1e-20)
        return affinity, picked, gates * c.scale

    def pick(self, affinity: Tensor) -> Tensor:
        """The K experts with the largest biased affinity, from the best groups only; best first."""
        c = self.config
        scores = affinity + self.e_score_correction_bias if c.bias else affinity
        if c.groups > 1:
            members = scores.unflatten(-1, (c.groups, -1))  # (..., groups, E / groups)
            best = members.topk(c.group_best, dim=-1).values.sum(-1).topk(c.top_groups, dim=-1).indices
            allowed = torch.zeros_like(members[..., 0], dtype=torch.bool).scatter(-1, best, True)
            scores = members.masked_fill(~allowed[..., None], float("-inf")).flatten(-2)
        return scores.topk(c.top_k, dim=-1).indices


class Experts(nn.Module):
    """All routed experts, stacked: gate_up_proj (E, 2F, D), of which ungated ones have the half, down_proj (E, D, F)."""

    def __init__(self, config: MoE, d_model: int):
        super().__init__()
        c = self.config = config
        self.gate_up_proj = nn.Parameter(torch.empty(c.experts, c.inner * c.hidden, d_model).uniform_(-1, 1) * d_model**-0.5)
        self.down_proj = nn.Parameter(torch.empty(c.experts, d_model, c.hidden).uniform_(-1, 1) * c.hidden**-0.5)
        if c.expert_bias:
            self.gate_up_proj_bias = nn.Parameter(torch.zeros(c.experts, c.inner * c.hidden))
            self.down_proj_bias = nn.Parameter(torch.zeros(c.experts, d_model))

    def forward(self, x: Tensor, picked: Tensor, gates: Tensor) -> Tensor:
        """x (N, D), picked and gates (N, K) -> (N, D): each expert runs once, on its own tokens."""
        order = picked.flatten().argsort(stable=True)  # (N K,) picks, those of the first expert first
        token, g = order // self.config.top_k, gates.flatten()[order, None]
        rows = x[token] * g if self.config.weigh_input else x[token]
        count = picked.flatten().bincount(minlength=self.config.experts).tolist()
        out = torch.cat([self.run(e, part) for e, part in enumerate(rows.split(count)) if count[e]])
        return torch.zeros_like(x).index_add(0, token, out if self.config.weigh_input else out * g)

    def run(self, e: int, x: Tensor) -> Tensor:
        """One expert on x (n, D)."""
        biased = self.config.expert_bias
        inner = nn.functional.linear(x, self.gate_up_proj[e], self.gate_up_proj_bias[e] if biased else None)
        hidden = activate(self.config.activation, *inner.chunk(self.config.inner, dim=-1))  # (n, F)
        return nn.functional.linear(hidden, self.down_proj[e], self.down_proj_bias[e] if biased else None)


def activate(activation: str, gate: Tensor, up: Tensor | None = None) -> Tensor:
    """The product inside an expert: act(gate) * up, or act alone; "clamped": gpt-oss's, which cuts both, adds one to `up`."""
    if up is None:
        return ACTIVATIONS[activation](gate)
    if activation != "clamped":
        return ACTIVATIONS[activation](gate) * up
    gate, up = gate.clamp(max=CLAMP), up.clamp(-CLAMP, CLAMP)
    return gate * (SLOPE * gate).sigmoid() * (up + 1)


class Shared(nn.Module):
    """The expert that every token passes."""

    def __init__(self, config: MoE, d_model: int):
        super().__init__()
        self.config = config
        if config.gated:
            self.gate_proj = nn.Linear(d_model, config.shared, bias=False)
        self.up_proj = nn.Linear(d_model, config.shared, bias=False)
        self.down_proj = nn.Linear(config.shared, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        read = (self.gate_proj(x), self.up_proj(x)) if self.config.gated else (self.up_proj(x),)
        return self.down_proj(activate(self.config.activation, *read))


class MoEModule(nn.Module):
    """x (B, T, D) -> y (B, T, D)."""

    def __init__(self, config: MoE, d_model: int):
        super().__init__()
        self.config = config
        self.gate = Router(config, d_model)
        self.experts = Experts(config, d_model)
        if config.shared:
            self.shared_experts = Shared(config, d_model)
        if config.shared_gate:
            self.shared_expert_gate = nn.Linear(d_model, 1, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        # 1. who goes where
        affinity, picked, gates = self.gate(x)  # (B, T, E), (B, T, K), (B, T, K)
        trace.put("affinity", affinity)
        trace.put("routing", picked)
        trace.put("gates", gates)

        # 2. every expert on its own tokens
        y = self.experts(x.flatten(0, 1), picked.flatten(0, 1), gates.flatten(0, 1)).view_as(x)

        # 3. and the shared one on all of them
        if self.config.shared:
            always = self.shared_experts(x)
            y = y + (always * self.shared_expert_gate(x).sigmoid() if self.config.shared_gate else always)
        return y, state, shared
