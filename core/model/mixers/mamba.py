"""State space models: every channel keeps a few numbers that decay and are fed, by amounts made from the token itself.

Glossary
    I   inner       channels of the state space (d_inner; usually 2 D)
    N   state       numbers that each channel keeps (d_state)
    H   heads       Mamba-2: channels that share one decay, P = `width` of them a head
    G   groups      Mamba-2: B and C are shared within a group of heads, as keys are in grouped-query attention
    R   rank        Mamba-1: width of the bottleneck that the step size comes through (dt_rank)
    t   dt          step size: how much of the token enters, and how fast the past leaves
    K   kernel      taps of the causal convolution that comes first
    D   d_model     width of the residual stream (the papers' D, a skip from x to y, is called skip here)

    Mamba-1   x, z = u W_in;  x = silu(conv(x));  t, B, C = x W_x;  t = softplus(t W_t + bias)       a number t a channel
              h <- exp(t A) h + t x B       (I, N), A < 0 learned a channel and number
              y = h C + skip x;  out = (y silu(z)) W_out
    Mamba-2   z, x, B, C, t = u W_in;  x, B, C = silu(conv(.));  t = softplus(t + bias)              a number t a head
              h <- exp(t A) h + t x B       (H, P, N), A < 0 learned a head
              y = h C + skip x;  out = norm(y silu(z)) W_out

Nothing grows with context: I N numbers, and K - 1 columns of what the convolution reads.

Papers: Mamba (arXiv 2312.00752), Mamba-2 (arXiv 2405.21060). Simplified: no fused kernel; a
whole prompt goes through core/model/scan.py in blocks, Mamba-1 with every channel as a head of its own.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import SpecError, divides, number, one_of
from core.model.blocks import Norm, convolve, split
from core.model.part import HEAD, HIDDEN, STATE, Convolved, Words, product_text
from core.model.scan import column, decay_rates, effective, scan, step_bias
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class Mamba1(Convolved):
    """Mamba (Jamba, Falcon-Mamba): configuration and formulas, in elements."""

    inner: int
    state_size: int
    rank: int
    kernel: int = 4
    conv_bias: bool = True
    proj_bias: bool = False
    norms: str = "none"  # RMSNorm on t, B and C: with weights "learned" (Jamba), without "bare" (Falcon-Mamba)
    norm_eps: float = 1e-6

    name = "mamba"
    family = "Mamba"
    prefix, called = "mamba", "Mamba"

    def __post_init__(self):
        super().__post_init__()
        one_of("mamba.norms", self.norms, ("none", "learned", "bare"))

    def build(self, d_model: int) -> "Mamba1Module":
        return Mamba1Module(self, d_model)

    @property
    def made(self) -> int:
        """Numbers made from a token's channels: the step size's bottleneck, B and C."""
        return self.rank + 2 * self.state_size

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: in (x and z), from x to t, B and C, from the bottleneck to t, out."""
        return self.inner * (2 * d_model + self.made + self.rank + d_model)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, biases, convolution, A and the skip, norms."""
        biases = self.inner + self.conv_bias * self.inner + self.proj_bias * (2 * self.inner + d_model)
        own = self.inner * (self.kernel + self.state_size + 1)
        return self.weights(d_model) + biases + own + (self.norms == "learned") * self.made

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.inner * self.state_size, "conv": (self.kernel - 1) * self.inner}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, writes and reads."""
        return {
            "projections": self.weights(d_model),
            "convolution": self.kernel * self.inner,
            "recurrence": 3 * self.elementwise,
        }

    @property
    def elementwise(self) -> int:
        return self.inner * self.state_size

    def in_words(self) -> Words:
        size, techniques = product_text(self.inner, self.state_size), (("Mamba", "mamba"),)
        detail = f"channels {self.inner:,} · state {self.state_size} each · convolution {self.kernel}"
        return Words("Mamba", "Mamba", detail, size, techniques)

    def small(self) -> "Mamba1":
        size, rank = min(self.state_size, STATE // 2), min(self.rank, 4)
        return replace(self, inner=min(self.inner, HIDDEN // 2), state_size=size, rank=rank)


@dataclass(frozen=True)
class Mamba2(Convolved):
    """Mamba-2 (Nemotron-H, Granite 4.0-H, Falcon-H1): configuration and formulas, in elements."""

    heads: int
    width: int
    state_size: int
    groups: int = 1
    kernel: int = 4
    conv_bias: bool = True
    in_bias: bool = False
    out_bias: bool = False
    norm: bool = True  # on the output, over each group
    norm_eps: float = 1e-5
    scales: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)  # factors on z, x, B, C and t (Falcon-H1)

    name = "mamba"
    family = "Mamba-2"
    prefix, called = "mamba2", "Mamba-2"

    def __post_init__(self):
        super().__post_init__()
        divides("mamba2.groups", self.groups, "mamba2.heads", self.heads)
        if not isinstance(self.scales, tuple) or len(self.scales) != 5:
            raise SpecError("mamba2.scales must be five numbers, for z, x, B, C and t")
        for factor in self.scales:
            number("mamba2.scales", factor, low=-1e12)

    def build(self, d_model: int) -> "Mamba2Module":
        return Mamba2Module(self, d_model)

    @property
    def inner(self) -> int:
        """Channels of all heads."""
        return self.heads * self.width

    @property
    def channels(self) -> int:
        """Numbers a token that the convolution reads: x, B and C."""
        return self.inner + 2 * self.groups * self.state_size

    @property
    def entering(self) -> int:
        """Numbers a token that the first matrix makes: z, what the convolution reads, t."""
        return self.inner + self.channels + self.heads

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: in and out."""
        return d_model * (self.entering + self.inner)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, biases, convolution, A, skip and t's bias a head, the norm."""
        biases = self.conv_bias * self.channels + self.in_bias * self.entering + self.out_bias * d_model
        return self.weights(d_model) + biases + self.kernel * self.channels + 3 * self.heads + self.norm * self.inner

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.inner * self.state_size, "conv": (self.kernel - 1) * self.channels}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, writes and reads."""
        return {
            "projections": self.weights(d_model),
            "convolution": self.kernel * self.channels,
            "recurrence": 3 * self.elementwise,
        }

    @property
    def elementwise(self) -> int:
        return self.inner * self.state_size

    def in_words(self) -> Words:
        size, techniques = product_text(self.heads, self.width, self.state_size), (("Mamba-2", "mamba"),)
        heads = f"{self.heads} heads of {self.width} · state {self.state_size} · groups {self.groups}"
        return Words("Mamba-2", "Mamba-2", f"{heads} · convolution {self.kernel}", size, techniques)

    def small(self) -> "Mamba2":
        groups = min(self.groups, 2)
        heads = groups * min(self.heads // self.groups, 3)
        size = min(self.state_size, STATE)
        return replace(self, heads=heads, groups=groups, width=min(self.width, HEAD), state_size=size)

    @property
    def state_heads(self) -> int:
        return self.heads


class Mamba1Module(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, I, N, 1) and conv (B, I, K - 1)."""

    def __init__(self, config: Mamba1, d_model: int):
        super().__init__()
        c = self.config = config
        self.in_proj = nn.Linear(d_model, 2 * c.inner, bias=c.proj_bias)
        self.conv1d = nn.Conv1d(c.inner, c.inner, c.kernel, groups=c.inner, bias=c.conv_bias)
        self.x_proj = nn.Linear(c.inner, c.made, bias=False)
        self.dt_proj = nn.Linear(c.rank, c.inner)
        self.A_log = nn.Parameter(torch.arange(1.0, c.state_size + 1).log().repeat(c.inner, 1))
        self.D = nn.Parameter(torch.ones(c.inner))
        self.out_proj = nn.Linear(c.inner, d_model, bias=c.proj_bias)
        if c.norms != "none":
            sizes = {"dt": c.rank, "b": c.state_size, "c": c.state_size}
            for name, size in sizes.items():
                self.add_module(f"{name}_layernorm", Norm("rms", c.norm_eps, c.norms == "learned").build(size))
        with torch.no_grad():
            self.dt_proj.bias.copy_(step_bias(c.inner))

    def forward(self, u: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. what enters and what gates; the first mixed with the three tokens before
        x, z = self.in_proj(u).chunk(2, dim=-1)
        x, columns = convolve(x, self.conv1d.weight[:, 0], state.get("conv"), self.conv1d.bias)
        x = F.silu(x)

        # 2. step size, where to write, what to read
        made = self.x_proj(x).split([c.rank, c.state_size, c.state_size], dim=-1)
        if c.norms != "none":
            made = (getattr(self, f"{name}_layernorm")(part) for name, part in zip("dt b c".split(), made))
        dt, write, read = made
        dt = column(F.softplus(self.dt_proj(dt)))  # (B, I, T, 1)

        # 3. every channel is a head with N rows and one value
        g = -self.A_log.exp()[:, None] * dt  # (B, I, T, N)
        write, read = (part[:, None].expand(-1, c.inner, -1, -1) for part in (write, read))
        out, memory = remember(read, write, column(x), dt, g, state, trace)  # (B, I, T, 1)

        # 4. the skip, the gate, and back to the residual stream
        y = out[..., 0].transpose(1, 2) + self.D * x
        return self.out_proj(y * F.silu(z)), {"memory": memory, "conv": columns}, shared


class Mamba2Module(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, N, P) and conv (B, channels, K - 1)."""

    def __init__(self, config: Mamba2, d_model: int):
        super().__init__()
        c = self.config = config
        self.in_proj = nn.Linear(d_model, c.entering, bias=c.in_bias)
        self.conv1d = nn.Conv1d(c.channels, c.channels, c.kernel, groups=c.channels, bias=c.conv_bias)
        self.A_log = nn.Parameter(decay_rates(c.heads))
        self.D = nn.Parameter(torch.ones(c.heads))
        self.dt_bias = nn.Parameter(step_bias(c.heads))
        if c.norm:
            self.norm = GroupedNorm(c.inner, c.groups, c.norm_eps)
        self.out_proj = nn.Linear(c.inner, d_model, bias=c.out_bias)

    def forward(self, u: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. what gates; what enters, where to write and what to read, mixed with the three tokens before; the step size
        z, mixed, dt = self.scaled(self.in_proj(u)).split([c.inner, c.channels, c.heads], dim=-1)
        mixed, columns = convolve(mixed, self.conv1d.weight[:, 0], state.get("conv"), self.conv1d.bias)
        shares = c.groups * c.state_size
        x, write, read = F.silu(mixed).split([c.inner, shares, shares], dim=-1)
        dt = column(F.softplus(dt + self.dt_bias))  # (B, H, T, 1)

        # 2. the heads of a group share where they write and what they read
        x = split(x, c.heads)  # (B, H, T, P)
        write, read = (split(part, c.groups).repeat_interleave(c.heads // c.groups, dim=1) for part in (write, read))

        # 3. decay, write, read; then the skip
        g = -self.A_log.exp()[:, None, None] * dt  # (B, H, T, 1)
        out, memory = remember(read, write, x, dt, g, state, trace)
        out = (out + self.D[:, None, None] * x).transpose(1, 2).flatten(2)  # (B, T, H P)

        # 4. gated, normed, and back to the residual stream
        out = out * F.silu(z)
        return self.out_proj(self.norm(out) if c.norm else out), {"memory": memory, "conv": columns}, shared

    def scaled(self, made: Tensor) -> Tensor:
        """What the first matrix makes (B, T, entering), each of its five parts times its factor."""
        c = self.config
        if c.scales == (1.0,) * 5:
            return made
        shares = c.groups * c.state_size
        parts = zip(made.split([c.inner, c.inner, shares, shares, c.heads], dim=-1), c.scales)
        return torch.cat([part * factor for part, factor in parts], dim=-1)


def remember(q: Tensor, k: Tensor, x: Tensor, dt: Tensor, g: Tensor, state: dict, trace: Trace) -> tuple[Tensor, Tensor]:
    """q, k (B, H, T, N), x (B, H, T, P), step size dt (B, H, T, 1), log decay g -> o (B, H, T, P), memory (B, H, N, P)."""
    for name, record in (("query", q), ("key", k), ("value", x), ("decay", g), ("write", dt)):
        trace.put(name, record)
    if trace.wants("effective"):
        trace.put("effective", effective(q, dt * k, g))
    memory = state.get("memory", q.new_zeros(*q.shape[:2], q.shape[-1], x.shape[-1]))
    return scan(q, k, dt * x, g, memory)


class GroupedNorm(nn.Module):
    """RMSNorm over each of `groups` equal parts of the last dimension, with a weight for every number."""

    def __init__(self, width: int, groups: int, eps: float):
        super().__init__()
        self.groups, self.eps = groups, eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """x (..., width) -> the same."""
        parts = x.unflatten(-1, (self.groups, -1))
        return F.rms_norm(parts, parts.shape[-1:], eps=self.eps).flatten(-2) * self.weight
