"""What lessons share: models of the catalogue by key and what they keep, the contexts that sliders and axes show, a search for
the context from which on something holds, the prompt that live models are measured on, runs by variant, rows as columns.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from core.count import cost
from core.model.spec import ModelSpec
from core.real import catalogue
from core.train import evidence
from core.train.tasks import recall
from core.units import power

CONTEXTS = {power(n): n for n in (1 << k for k in range(10, 21))}
AXIS = {power(n): n for n in (1 << k for k in range(0, 21, 4))}  # ticks
USUAL_CONTEXT = CONTEXTS["128k"]  # at which caches of real models are compared where a page has no slider for it


def model_name(key: str) -> str:
    """The name of a model of the catalogue."""
    return catalogue.entries()[key].name


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


def by_pairs(mechanism: str, variants: Iterable[str], counts: Iterable[int]) -> dict[str, dict[int, list[float]]]:
    """{variant: {pairs: recall of every seed}}, of the variants that have runs."""
    every = {v: {n: evidence.final(mechanism, v, f"recall@{n}") for n in counts} for v in variants}
    return {v: runs for v, runs in every.items() if any(runs.values())}


def learning_curves(mechanism: str, variants: Iterable[str], metric: str) -> dict[str, dict[int, tuple]]:
    """Learning curves of the variants that have runs: {variant: {seed: (steps, values)}}."""
    every = {v: evidence.learning(mechanism, v, metric) for v in variants}
    return {v: runs for v, runs in every.items() if runs}
