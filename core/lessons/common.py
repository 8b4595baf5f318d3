"""What lessons share: models of the catalogue by key and what they keep, the contexts that sliders and axes show, a search for
the context from which on something holds, the prompt that live models are measured on, runs on recall, rows as columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.count import cost
from core.count.cost import LONGEST
from core.model.mixers.attention import Attention
from core.model.part import Mixer, inside
from core.model.spec import ModelSpec
from core.real import catalogue
from core.train import evidence, zoo
from core.train.mechanism import Mechanism
from core.train.tasks import recall
from core.units import power

CONTEXTS = {power(n): n for n in (1 << k for k in range(10, 21))}
AXIS = {power(n): n for n in (1 << k for k in range(0, 21, 4))}  # ticks
USUAL_CONTEXT_TEXT = "128k"
USUAL_CONTEXT = CONTEXTS[USUAL_CONTEXT_TEXT]  # at which caches of real models are compared where a page has no slider for it


def model_name(key: str) -> str:
    """The name of a model of the catalogue."""
    return catalogue.entries()[key].name


@lru_cache(maxsize=1)
def model_names() -> dict[str, str]:
    """Key and name of every model of the catalogue, by name."""
    return {key: entry.name for key, entry in sorted(catalogue.entries().items(), key=lambda item: item[1].name.lower())}


def spec_of(key: str) -> ModelSpec:
    """The description of a model of the catalogue."""
    return catalogue.entries()[key].reading.spec


def keys_where(holds: Callable[[ModelSpec], object]) -> tuple[str, ...]:
    """Keys of the models of the catalogue of whose description something holds, oldest first."""
    return tuple(key for key, entry in catalogue.entries().items() if holds(entry.reading.spec))


@lru_cache(maxsize=16384)
def memory_bytes(spec: ModelSpec, tokens: int, dtype: str = "bfloat16") -> tuple[int, int]:
    """Bytes of the cache and of the recurrent state of one sequence; the state is in 32 bits."""
    counted = cost.count(spec, tokens, cache_dtype=dtype)
    return counted.cache_bytes, counted.state_bytes


def cache_bytes(spec: ModelSpec, tokens: int, dtype: str = "bfloat16") -> int:
    """The cache alone."""
    return memory_bytes(spec, tokens, dtype)[0]


def total_bytes(spec: ModelSpec, tokens: int, dtype: str = "bfloat16") -> int:
    """Both together."""
    return sum(memory_bytes(spec, tokens, dtype))


def measured_prompt(pairs: int = recall.MAX_PAIRS, asked: int = 15) -> recall.Prompt:
    """The long random prompt on which live models are measured."""
    return recall.parse(recall.surprise(pairs, seed=0, asked=asked))


def first_context(holds: Callable[[int], bool], high: int = 1 << 24, low: int = 1) -> int:
    """The first context from `low` up to `high` at which something holds that does not change back; 0 where it never does."""
    if not holds(high):
        return 0
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high


def columns(names: Sequence[str], rows: Iterable[Sequence]) -> dict[str, list]:
    """Rows as columns under their names; empty columns where there is no row."""
    lists = list(map(list, zip(*rows)))
    return dict(zip(names, lists or ([] for _ in names)))


def column(rows: Iterable[object], field: str) -> np.ndarray:
    """One number of every row (n,)."""
    return np.array([getattr(row, field) for row in rows])


def measured_parameters(variant: str) -> int:
    """Numbers in the tensors of a live model."""
    return sum(p.numel() for p in zoo.load(variant).parameters())


def layer_kinds(variant: str) -> set[str]:
    """The kinds of layer that a trained variant has."""
    return {layer.kind for layer in zoo.recipe(variant).spec.layers}


# The same model with attention alone


def attentive(spec: ModelSpec, kinds: tuple[type[Mixer], ...], own: Mixer | None = None) -> ModelSpec:
    """The same model with its own attention, or another one, in place of every mixer that has one of these in it."""
    instead = own or next(spec.parts(Attention))
    return spec.remixed(Mixer, lambda mixer: instead if any(isinstance(m, kinds) for m in inside(mixer)) else mixer)


@lru_cache(maxsize=256)
def smaller_from(spec: ModelSpec, other: ModelSpec, dtype: str = "bfloat16") -> int:
    """The first context at which a model keeps less than another one whose cache grows faster; 0 where it never does."""
    return first_context(lambda n: total_bytes(spec, n, dtype) < total_bytes(other, n, dtype), LONGEST)


def totals(spec: ModelSpec, contexts: np.ndarray, dtype: str = "bfloat16") -> np.ndarray:
    """Bytes that a model keeps at each context."""
    return np.array([total_bytes(spec, int(n), dtype) for n in contexts])


@dataclass(frozen=True)
class Kept:
    """What a model keeps of one sequence at a context, in bytes, and what it would keep with attention alone; the first context
    from which that would be more, 0 where it never is."""

    name: str
    cache: int
    state: int
    whole: int
    crossover: int

    @property
    def total(self) -> int:
        """Cache and state."""
        return self.cache + self.state

    @classmethod
    def of(cls, name: str, spec: ModelSpec, whole: ModelSpec, context: int, dtype: str = "bfloat16") -> "Kept":
        """Counted; `whole` is the model with attention alone."""
        other = total_bytes(whole, context, dtype)
        return cls(name, *memory_bytes(spec, context, dtype), other, smaller_from(spec, whole, dtype))


# Our runs


@dataclass(frozen=True)
class Runs:
    """Runs of some variants that learned to recall so many pairs, as pages show them; a variant without runs is left out."""

    mechanism: Mechanism
    variants: tuple[str, ...]
    pairs: int

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of pairs that recall is measured at."""
        return tuple(n for n in recall.PAIR_COUNTS if n <= self.pairs)

    @property
    def metric(self) -> str:
        """What they learned by, as its table has it."""
        return f"loss@{self.pairs}"

    @property
    def label(self) -> Callable[[str], str]:
        """How a variant is written."""
        return self.mechanism.spelling.variant

    @property
    def steps(self) -> dict[int, list[str]]:
        """The variants as they are written, by how long they were trained, those of the fewest steps first."""
        found: dict[int, list[str]] = {}
        for variant in sorted(self.variants, key=lambda v: zoo.recipe(v).steps):
            found.setdefault(zoo.recipe(variant).steps, []).append(self.label(variant))
        return found

    def recalled(self) -> dict[str, dict[int, dict[int, float]]]:
        """{variant: {pairs: {seed: recall}}}."""
        return evidence.finals(self.mechanism.name, self.variants, {n: f"recall@{n}" for n in self.counts})

    def learning(self) -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
        """Learning curves {variant: {seed: (steps, loss)}}."""
        every = {v: evidence.learning(self.mechanism.name, v, self.metric) for v in self.variants}
        return {v: runs for v, runs in every.items() if runs}
