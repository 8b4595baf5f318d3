"""What every architecture shares, written once: norms, who may see whom, attention itself, activations, the short
convolution.

Letters
    B batch   T tokens given now   S tokens that can be read   D model width
    H query heads   G key/value heads, H a multiple of G   d width of a head   K taps of a convolution
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import flag, number, one_of, whole

# Norms


@dataclass(frozen=True)
class Norm:
    """RMSNorm (arXiv 1910.07467) or LayerNorm (arXiv 1607.06450). LayerNorm has a bias as well as a weight; a norm that is not
    `learned` has neither."""

    kind: str = "rms"
    eps: float = 1e-6
    learned: bool = True

    def __post_init__(self):
        one_of("norm.kind", self.kind, ("rms", "layer"))
        number("norm.eps", self.eps, high=1.0)
        flag("norm.learned", self.learned)

    def build(self, width: int) -> nn.Module:
        """A norm over the last `width` numbers."""
        made = nn.RMSNorm if self.kind == "rms" else nn.LayerNorm
        return made(width, self.eps, elementwise_affine=self.learned)

    def params(self, width: int) -> int:
        """Learned numbers."""
        return self.learned * (width if self.kind == "rms" else 2 * width)


# Who may see whom: a token at position q reads a token at position k


def up(n: int, step: int) -> int:
    """The least multiple of `step` that is at least n."""
    return -(-n // step) * step


def unmasked(n: int, most: int) -> int:
    """Pairs of tokens in a prompt of n where each reads itself and those before it, at most so many."""
    grown = min(n, most)
    return grown * (grown + 1) // 2 + (n - grown) * most


@dataclass(frozen=True)
class Full:
    """Every earlier token and itself."""

    kind = "full"

    @property
    def label(self) -> str:
        """What it adds to the name of attention."""
        return ""

    def visible(self, q: Tensor, k: Tensor) -> Tensor:
        """q, k positions that broadcast -> bool."""
        return k <= q

    def first(self, q: int) -> int:
        """The earliest position that a token at position q reads."""
        return 0

    def kept(self, n: int) -> int:
        """Tokens that stay in the cache after n of them."""
        return n

    def reads(self, n: int) -> int:
        """Tokens that the n-th token reads, itself included."""
        return n

    def span(self, n: int) -> int:
        """Tokens a row of a prompt of n is charged for: the causal half is not subtracted."""
        return n

    def pairs(self, n: int) -> int:
        """Pairs of tokens that attention visits in a prompt of n."""
        return unmasked(n, self.kept(n))


@dataclass(frozen=True)
class Window(Full):
    """The last `size` tokens, itself included (so size 1 sees only itself)."""

    size: int = 1
    kind = "sliding"

    def __post_init__(self):
        whole("reach.size", self.size, high=1 << 30)

    @property
    def label(self):
        return f", window {self.size:,}"

    def visible(self, q, k):
        return (k <= q) & (k > q - self.size)

    def first(self, q):
        return max(0, q - self.size + 1)

    def kept(self, n):
        return min(n, self.size)

    reads = span = kept


@dataclass(frozen=True)
class Chunk(Window):
    """The tokens of its own chunk of `size`. The cache is a ring of one chunk's length, as engines keep it."""

    kind = "chunked"

    @property
    def label(self):
        return f", chunk {self.size:,}"

    def visible(self, q, k):
        return (k <= q) & (k // self.size == q // self.size)

    def first(self, q):
        return q // self.size * self.size

    def reads(self, n):
        return (n - 1) % self.size + 1

    def pairs(self, n):
        return n // self.size * unmasked(self.size, self.size) + unmasked(n % self.size, self.size)


@dataclass(frozen=True)
class Everything(Full):
    """Both directions, as a denoiser reads. Nothing is cached: each pass sees the whole text anew."""

    def visible(self, q, k):
        return (k >= 0) & (q >= 0)

    def kept(self, n):
        return 0

    def pairs(self, n):
        return n * n


Reach = Full


# Attention itself


def attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor, scale: float, softcap: float = 0.0, sinks: Tensor | None = None):
    """softmax(q k^T * scale) v, each of G key/value heads read by H/G query heads.

    q (B, H, T, dk), k (B, G, S, dk), v (B, G, S, dv), visible (T, S) bool, sinks (H,) logits of an extra column that
    is read and thrown away -> output (B, H, T, dv), weights (B, H, T, S).
    """
    B, H, T, _ = q.shape
    G, S = k.shape[1], k.shape[2]
    grouped = (q * scale).reshape(B, G, H // G * T, -1)  # the H/G heads of a group are neighbours and read the same keys
    scores = (grouped @ k.transpose(-1, -2)).view(B, H, T, S)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores + torch.zeros_like(visible, dtype=q.dtype).masked_fill_(~visible, float("-inf"))
    if sinks is not None:
        scores = torch.cat([scores, sinks.view(1, H, 1, 1).expand(B, H, T, 1)], dim=-1)
    weights = scores.softmax(-1)[..., :S]
    out = (weights.view(B, G, H // G * T, S) @ v).view(B, H, T, -1)
    return out, weights


def split(x: Tensor, heads: int) -> Tensor:
    """(B, T, heads * d) -> (B, heads, T, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


# Feed-forward activations (names as in transformers' configs)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),
}


# A short causal convolution


class ShortConv(nn.Module):
    """x + a causal depthwise convolution of x over K tokens: each channel mixes with its own recent past.

    State: the last K-1 inputs, (B, D, K-1). The Canon layer (Allen-Zhu, Physics of Language Models 4.1) has the same form.
    """

    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, kernel).uniform_(-1, 1) / kernel**0.5)

    def forward(self, x: Tensor, state: dict) -> tuple[Tensor, dict]:
        """x (B, T, D), state {"columns": (B, D, K-1)} or {} -> y (B, T, D), state."""
        mixed, columns = convolve(x, self.weight, state.get("columns"))
        return x + mixed, {"columns": columns}


def convolve(x: Tensor, weight: Tensor, past: Tensor | None = None, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """A causal depthwise convolution: x (B, T, D), weight (D, K), past (B, D, K-1) or None -> y (B, T, D), the next past."""
    width, kernel = weight.shape
    if past is None:
        past = x.new_zeros(x.shape[0], width, kernel - 1)
    padded = torch.cat([past, x.transpose(1, 2)], dim=-1)  # (B, D, K-1+T)
    if x.shape[1] == 1:  # one step: a sum of K products, without the cost of setting up a convolution
        mixed = torch.einsum("bdk,dk->bd", padded, weight)[..., None]  # (B, D, 1)
        mixed = mixed if bias is None else mixed + bias[:, None]
    else:
        mixed = F.conv1d(padded, weight[:, None, :], bias, groups=width)  # (B, D, T)
    return mixed.transpose(1, 2), padded[..., padded.shape[-1] - (kernel - 1) :]
