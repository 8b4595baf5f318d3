"""How models differ: what they are made of, what they cost, and the context from which one is cheaper.

A `Side` is a model as its config reads. All counts are for one sequence and come from cost.py; "kept" is the cache and the state
that does not grow, in bytes, at the dtypes of the side.

Crossovers are solved on the counts themselves, on whole tokens. Between two kinks (a window, a chunk, a top-k, a ratio of
compression) a count is a straight line, so two of them change places at most once there, and a bisection finds the token. Where a
count goes up and down in steps, the steps around every change are searched as well, until none is found that was not known.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from core.count import cost
from core.count.dtypes import stored
from core.lessons.common import columns
from core.lessons.inference.lesson import as_released
from core.model.spec import Layer, ModelSpec
from core.real import catalogue
from core.shape import ladder

MOST = 4  # models at once
NOTHING = "—"  # a field that a model does not have
OWN = "as released"


@dataclass(frozen=True)
class Side:
    """One of the models compared. `key` is its catalogue key, "" for a config that the reader gave."""

    name: str
    key: str
    spec: ModelSpec
    context: int  # the longest that its config says
    weight_dtype: str
    cache_dtype: str
    state_dtype: str
    assumed: tuple[str, ...] = ()  # fields that its config leaves out
    unknown: tuple[str, ...] = ()  # fields that were not understood
    released: int = 0  # bytes of the weights where its release mixes dtypes; 0: all in `weight_dtype`
    mix: str = ""  # those dtypes

    def __hash__(self):
        return hash((self.name, self.key, self.weight_dtype, self.cache_dtype, self.state_dtype))

    @property
    def keeps(self) -> bool:
        """Does it keep anything from token to token? What denoises or solves in steps reads both ways and does not."""
        return self.spec.decoding == "autoregressive"

    @property
    def solver(self) -> bool:
        """Does it carry a board of one size from step to step? Then it is counted on that board at every context."""
        return self.spec.decoding == "recursion"

    @property
    def depth(self) -> int:
        """Layers."""
        return len(self.spec.layers)


def side(key: str, weight_dtype: str = OWN, cache_dtype: str = OWN) -> Side:
    """A model of the catalogue, in its own dtypes or in others."""
    entry = catalogue.entries()[key]
    return of(entry.reading, entry.name, key, weight_dtype, cache_dtype)


def of(reading, name: str, key: str = "", weight_dtype: str = OWN, cache_dtype: str = OWN) -> Side:
    """A config that was read, as a side."""
    weight = reading.weight_dtype if weight_dtype == OWN else weight_dtype
    cache = reading.cache_dtype if cache_dtype == OWN else cache_dtype
    own = reading.state_dtype, tuple(reading.assumed), tuple(reading.unknown_fields)
    mixed = as_released(reading) if weight_dtype == OWN else None
    return Side(name, key, reading.spec, reading.context, weight, cache, *own, *((mixed.bytes, mixed.mix) if mixed else ()))


def with_distinct_names(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """The same sides, no two of one name."""
    names = [s.name for s in sides]
    return tuple(
        replace(s, name=f"{s.name}, {names[:i].count(s.name) + 1}") if s.name in names[:i] else s for i, s in enumerate(sides)
    )


PRESETS = {  # one tap -> two keys
    "Llama 3, Gemma 3": ("llama3-8b", "gemma3-12b"),
    "Qwen3, Qwen3-Next": ("qwen3-30b-a3b", "qwen3-next-80b-a3b"),
    "DeepSeek-V3, V3.2": ("deepseek-v3", "deepseek-v3.2"),
}


# What they are made of


@lru_cache(maxsize=64)
def distinct(s: Side) -> tuple[tuple[Layer, int], ...]:
    """The different layers of a model, reading backwards, with how often each stands in it."""
    return tuple(Counter(s.spec.causal().layers).items())


def side_ladders(sides: tuple[Side, ...], context: int) -> dict[str, tuple]:
    """{name: (rungs, folded blocks)}: what the ladders are drawn from."""
    return ladder.ladders({s.name: s.spec for s in sides}, context)


def rung_table(models: dict[str, tuple]) -> dict[str, list]:
    """All rungs of all ladders as columns."""
    rows = [
        (name, r.index + 1, r.mixer, r.size, r.ffn, r.params, r.active, r.cache, r.state)
        for name, (rungs, _) in models.items()
        for r in rungs
    ]
    heads = ("model", "layer", "mixer", "state size", "feed-forward", "parameters", "active", "cached numbers", "state numbers")
    return columns(heads, rows)


# What they cost


@lru_cache(maxsize=512)
def side_cost(s: Side, context: int) -> cost.Cost:
    """Everything that the calculator says of a side."""
    return cost.count(s.spec, s.context if s.solver else context, 1, s.weight_dtype, s.cache_dtype, s.state_dtype)


@lru_cache(maxsize=64)
def fixed(s: Side) -> tuple[int, int]:
    """What does not depend on the context: bytes of state; FLOPs of a token outside the layers."""
    c = side_cost(s, 1)
    return c.state_bytes, c.flops_per_token - summed(s, 1, "flops")


def summed(s: Side, context: int, field: str) -> int:
    """One field of all layers, each different one counted once."""
    norm, streams = s.spec.norm.params(s.spec.d_model), s.spec.streams
    each = ((cost.layer_cost(layer, s.spec.d_model, norm, context, streams), n) for layer, n in distinct(s))
    return sum(n * sum(getattr(c, field).values()) for c, n in each)


@lru_cache(maxsize=16384)
def sequence_bytes(s: Side, context: int) -> int:
    """Bytes that one sequence keeps after so many tokens: cache and state."""
    return stored(summed(s, context, "cache"), s.cache_dtype) + fixed(s)[0]


def bytes_at(s: Side, context: int) -> int:
    """Bytes that one sequence keeps, or a solver carries over its board; a denoiser's released code keeps none."""
    return sequence_bytes(s, context) if s.keeps else side_cost(s, context).state_bytes if s.solver else 0


@lru_cache(maxsize=16384)
def arithmetic(s: Side, context: int) -> int:
    """FLOPs of one token at a context."""
    return summed(s, context, "flops") + fixed(s)[1]


QUANTITIES: dict[str, Callable[[Side, int], int]] = {"kept": sequence_bytes, "arithmetic": arithmetic}


@dataclass(frozen=True)
class Delta:
    """One quantity of every side; `bytes` says how to write it. A ratio is to the first side, None where that has none."""

    name: str
    values: tuple[int, ...]
    bytes: bool

    @property
    def differences(self) -> tuple[int, ...]:
        """Of each other side from the first."""
        return tuple(value - self.values[0] for value in self.values[1:])

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """Of each other side to the first."""
        return tuple(value / self.values[0] if self.values[0] else None for value in self.values[1:])


COUNTED = (  # name, field of the calculator, in bytes
    ("parameters", "params_total", False),
    ("active for a token", "params_active", False),
    ("weights", "weight_bytes", True),
    ("cached numbers", "cache_elements", False),
    ("cache", "cache_bytes", True),
    ("state numbers", "state_elements", False),
    ("state", "state_bytes", True),
    ("FLOPs of a token", "flops_per_token", False),
    ("FLOPs of the prompt", "prefill_flops", False),
)


def deltas(sides: tuple[Side, ...], context: int) -> tuple[Delta, ...]:
    """Every quantity of every side at a context."""
    costs = [replace(c, weight_bytes=s.released or c.weight_bytes) for s in sides for c in (side_cost(s, context),)]
    return tuple(Delta(name, tuple(getattr(c, field) for c in costs), in_bytes) for name, field, in_bytes in COUNTED)


def hue(s: Side, context: int) -> str:
    """The palette key of what a model keeps most of."""
    total: Counter[str] = Counter()
    for r in ladder.rungs(s.spec, context):
        total.update({r.hue: r.cache, "state": r.state})
    return total.most_common(1)[0][0] if total.total() else "soft"


def hues(sides: tuple[Side, ...], context: int) -> dict[str, str]:
    """{name: palette key of what it keeps most of}."""
    return {s.name: hue(s, context) for s in sides}
