"""Rotary position embedding: a query and a key are turned by an angle that grows with their position.

Glossary
    r       rotary width: the first r of a head's d numbers are turned, the rest are not (partial rope; 0 = no rope)
    base    theta in RoFormer (arXiv 2104.09864, section 3.2.2): pair i turns by base^(-2i/r) radians a token
    pairs   (i, i + r/2), the layout of Llama's and transformers' `rotate_half`

Context extension changes the frequencies: Linear (arXiv 2306.15595), Llama3 (Llama 3.1's release), Yarn (arXiv
2309.00071). Simplified: LongRope (arXiv 2402.13753) uses its short factors at every length, because a switch in the
middle of a sequence would disagree with keys that are already cached.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from core.errors import SpecError, number, whole


@dataclass(frozen=True)
class NoScaling:
    """The frequencies as they are."""

    def scale(self, inverse: Tensor, rope: "Rope") -> tuple[Tensor, float]:
        """inverse (r/2,) radians a token -> the same after context extension, and the factor on cos and sin."""
        return inverse, 1.0

    def resized(self, pairs: int) -> "NoScaling":
        """The same scaling for another number of pairs."""
        return self


@dataclass(frozen=True)
class Linear(NoScaling):
    """Every position divided by `factor`."""

    factor: float

    def scale(self, inverse, rope):
        return inverse / self.factor, 1.0


@dataclass(frozen=True)
class Llama3(NoScaling):
    """Slow pairs divided by `factor`, fast ones kept, a ramp between."""

    factor: float
    low: float
    high: float
    original: int

    def scale(self, inverse, rope):
        turns = self.original * inverse / (2 * math.pi)  # full turns within the original context
        ramp = self.high - self.low  # 0 in Llama 4: no ramp but a step
        keep = ((turns - self.low) / ramp).clamp(0, 1) if ramp else (turns >= self.low).to(turns.dtype)
        return inverse * (keep + (1 - keep) / self.factor), 1.0


@dataclass(frozen=True)
class Yarn(NoScaling):
    """As Llama3 with the ramp over pair numbers, and cos and sin scaled by `magnitude`."""

    factor: float
    original: int
    fast: float = 32.0
    slow: float = 1.0
    magnitude: float = 1.0
    truncate: bool = True

    def scale(self, inverse, rope):
        def pair(turns):  # the pair that makes so many turns within the original context
            return rope.dim * math.log(self.original / (turns * 2 * math.pi)) / (2 * math.log(rope.base))

        low, high = pair(self.fast), pair(self.slow)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, rope.dim - 1)
        ramp = (torch.arange(rope.dim // 2, dtype=torch.float32) - low) / (high - low or 0.001)
        keep = 1 - ramp.clamp(0, 1)
        return inverse * (keep + (1 - keep) / self.factor), self.magnitude


@dataclass(frozen=True)
class Ntk(NoScaling):
    """A larger base: the slowest pair becomes `alpha` times slower, the fastest stays as it is (HunYuan)."""

    alpha: float

    def scale(self, inverse, rope):
        pair = torch.arange(rope.dim // 2, dtype=torch.float32)
        return inverse / self.alpha ** (2 * pair / max(rope.dim - 2, 1)), 1.0


@dataclass(frozen=True)
class LongRope(NoScaling):
    """Every pair divided by a factor of its own."""

    short: tuple[float, ...]
    magnitude: float = 1.0

    def scale(self, inverse, rope):
        return inverse / torch.tensor(self.short, dtype=inverse.dtype), self.magnitude

    def resized(self, pairs):
        picked = tuple(self.short[i * len(self.short) // pairs] for i in range(pairs))
        return LongRope(picked, self.magnitude)


@dataclass(frozen=True)
class Rope:
    """How positions are written into queries and keys. `dim` = 0: not at all (NoPE)."""

    dim: int = 0
    base: float = 10000.0
    scaling: NoScaling = NoScaling()

    def __post_init__(self):
        whole("rope.dim", self.dim, low=0)
        if self.dim % 2:
            raise SpecError(f"rope.dim must be even, not {self.dim}")
        number("rope.base", self.base, low=1.0, high=1e15)

    def frequencies(self) -> tuple[Tensor, float]:
        """Radians a token of each pair, (r/2,), and the factor on cos and sin."""
        return _frequencies(self)

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions (T,) -> cos, sin, each (T, r/2)."""
        inverse, magnitude = self.frequencies()
        turn = positions[:, None] * inverse.to(positions.device)
        return (turn.cos(), turn.sin()) if magnitude == 1 else (turn.cos() * magnitude, turn.sin() * magnitude)

    def rotate(self, x: Tensor, positions: Tensor) -> Tensor:
        """x (B, H, T, d), positions (T,) -> x with the first r of its d numbers turned."""
        if self.dim == 0:
            return x
        cos, sin = self.angles(positions)  # (T, r/2)
        first, second, rest = x.split([self.dim // 2, self.dim // 2, x.shape[-1] - self.dim], dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)

    def resized(self, dim: int) -> "Rope":
        """The same rope on a head of another width."""
        return Rope(dim, self.base, self.scaling.resized(max(dim // 2, 1)))


@lru_cache(maxsize=256)
def _frequencies(rope: Rope) -> tuple[Tensor, float]:
    """Worked out once for every description: a token would wait for them in every layer."""
    inverse = 1.0 / rope.base ** (torch.arange(0, rope.dim, 2, dtype=torch.float32) / rope.dim)
    return rope.scaling.scale(inverse, rope)
