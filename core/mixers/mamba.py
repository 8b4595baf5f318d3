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

Papers: Mamba (arXiv 2312.00752), Mamba-2 (arXiv 2405.21060). Simplified: formulas only; the modules follow.
"""

from dataclasses import dataclass

from core.blocks import Recurrent
from core.errors import SpecError, divides, flag, number, one_of, whole


@dataclass(frozen=True)
class Mamba1(Recurrent):
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

    def __post_init__(self):
        for field in ("inner", "state_size", "rank"):
            whole(f"mamba.{field}", getattr(self, field))
        whole("mamba.kernel", self.kernel, low=2, high=64)
        one_of("mamba.norms", self.norms, ("none", "learned", "bare"))
        number("mamba.norm_eps", self.norm_eps)
        for field in ("conv_bias", "proj_bias"):
            flag(f"mamba.{field}", getattr(self, field))

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
        """Elements kept that do not grow."""
        return {"memory": self.inner * self.state_size, "conv": (self.kernel - 1) * self.inner}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "convolution": 2 * queries * self.kernel * self.inner,
            "recurrence": 2 * queries * 3 * self.inner * self.state_size,
        }


@dataclass(frozen=True)
class Mamba2(Recurrent):
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

    def __post_init__(self):
        for field in ("heads", "width", "state_size", "groups"):
            whole(f"mamba2.{field}", getattr(self, field))
        divides("mamba2.groups", self.groups, "mamba2.heads", self.heads)
        whole("mamba2.kernel", self.kernel, low=2, high=64)
        number("mamba2.norm_eps", self.norm_eps)
        for field in ("conv_bias", "in_bias", "out_bias", "norm"):
            flag(f"mamba2.{field}", getattr(self, field))
        if not isinstance(self.scales, tuple) or len(self.scales) != 5:
            raise SpecError("mamba2.scales must be five numbers, for z, x, B, C and t")
        for factor in self.scales:
            number("mamba2.scales", factor, low=-1e12)

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
        """Elements kept that do not grow."""
        return {"memory": self.inner * self.state_size, "conv": (self.kernel - 1) * self.channels}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens; a step decays, writes and reads."""
        return {
            "projections": 2 * queries * self.weights(d_model),
            "convolution": 2 * queries * self.kernel * self.channels,
            "recurrence": 2 * queries * 3 * self.inner * self.state_size,
        }
