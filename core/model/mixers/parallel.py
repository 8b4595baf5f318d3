"""Two mixers side by side in one layer: both read the same normed stream, what they say is added (Falcon-H1).

Glossary
    first, second   the mixers: attention with a cache that grows, a state space model with a state that does not
    a, b            factors on what each reads and says

    y = b_1 first(a_1 x) + b_2 second(a_2 x)

The layer pays for both: a cache and a state.

Papers: Falcon-H1 (arXiv 2507.22448). Simplified: nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import SpecError, number
from core.model.part import Mixer, Words
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class Parallel(Mixer):
    """Configuration and formulas, in elements."""

    first: Mixer
    second: Mixer
    reads: tuple[float, float] = (1.0, 1.0)
    says: tuple[float, float] = (1.0, 1.0)

    name = "mixers"
    family = "a layer with two mixers side by side"
    prefix, called = "parallel", "two mixers side by side"

    def __post_init__(self):
        for field in ("reads", "says"):
            factors = getattr(self, field)
            if not isinstance(factors, tuple) or len(factors) != 2:
                raise SpecError(f"parallel.{field} must be two numbers, one a mixer")
            for factor in factors:
                number(f"parallel.{field}", factor, low=-1e12)

    def build(self, d_model: int) -> "ParallelModule":
        return ParallelModule(self, d_model)

    @property
    def kind(self) -> str:
        """Both kinds."""
        return f"{self.first.kind}+{self.second.kind}"

    def params(self, d_model: int) -> int:
        return self.first.params(d_model) + self.second.params(d_model)

    def cache(self, n: int) -> dict[str, int]:
        return added(self.first.cache(n), self.second.cache(n))

    def state(self, d_model: int) -> dict[str, int]:
        return added(self.first.state(d_model), self.second.state(d_model))

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        return added(self.first.flops(d_model, queries, context), self.second.flops(d_model, queries, context))

    def in_words(self) -> Words:
        first, second = self.first.in_words(), self.second.in_words()
        label, brief = f"{first.label} ∥ {second.label}", f"{first.brief} ∥ {second.brief}"
        techniques = (*first.techniques, *second.techniques, ("Attention and state side by side", ""))
        return Words(label, brief, f"{first.label}: {first.detail}", first.size or second.size, techniques)

    def small(self) -> "Parallel":
        return self.remade(lambda mixer: mixer.small())

    def side_by_side(self) -> tuple[Mixer, ...]:
        return self.first, self.second


def added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Two counts name by name."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in (*a, *b)}


class ParallelModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds what both hold, under their names."""

    def __init__(self, config: Parallel, d_model: int):
        super().__init__()
        self.config = config
        for mixer in (config.first, config.second):
            self.add_module(mixer.name, mixer.build(d_model))

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c, y = self.config, torch.zeros_like(x)
        kept: dict[str, Tensor] = {}
        for mixer, reads, says in zip((c.first, c.second), c.reads, c.says):
            said, new, shared = getattr(self, mixer.name)(reads * x, state, shared, trace)
            y, kept = y + says * said, kept | new
        return y, kept, shared
