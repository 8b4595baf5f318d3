"""How models differ: every field of their descriptions, what they cost, and the context from which one is cheaper.

A `Side` is a model as its config reads. All counts are for one sequence and come from cost.py; "kept" is the cache and the state
that does not grow, in bytes, at the dtypes of the side.

Crossovers are solved on the counts themselves, on whole tokens. Between two kinks (a window, a chunk, a top-k, a ratio of
compression) a count is a straight line, so two of them change places at most once there, and a bisection finds the token. Where a
count goes up and down in steps, the steps around every change are searched as well, until none is found that was not known.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache

import numpy as np

from core import catalogue, cost
from core.blocks import Chunk, Everything, Norm, Reach, Window
from core.dtypes import stored
from core.errors import LONGEST
from core.ffn.dense import Dense
from core.ffn.moe import MoE
from core.lessons import ladder
from core.lessons.inference import as_released
from core.lessons.ladder import Rung
from core.lessons.sliding_window import CONTEXTS
from core.mixers.attention import Attention
from core.mixers.compressed import Compressed
from core.mixers.latent import Latent
from core.mixers.rwkv import ChannelMix
from core.mixers.sparse import Indexed
from core.rope import NoScaling, Rope
from core.spec import Layer, ModelSpec, brief
from core.units import binary, count
from core.wording import called

MOST = 4  # models at once
NOTHING = "—"  # a field that a model does not have
LOWEST = 256  # tokens at which curves begin
OWN = "as released"
FINEST = 10_000  # contexts that are looked at for one pair of models


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


def names() -> dict[str, str]:
    """The catalogue for a list that opens: {key: name}, by name."""
    found = {key: entry.name for key, entry in catalogue.entries().items()}
    return dict(sorted(found.items(), key=lambda item: item[1].lower()))


def apart(sides: tuple[Side, ...]) -> tuple[Side, ...]:
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


# What they cost


@lru_cache(maxsize=512)
def counted(s: Side, context: int) -> cost.Cost:
    """Everything that the calculator says of a side."""
    return cost.count(s.spec, s.context if s.solver else context, 1, s.weight_dtype, s.cache_dtype, s.state_dtype)


@lru_cache(maxsize=64)
def distinct(s: Side) -> tuple[tuple[Layer, int], ...]:
    """The different layers of a model, reading backwards, with how often each stands in it."""
    return tuple(Counter(s.spec.causal().layers).items())


@lru_cache(maxsize=64)
def fixed(s: Side) -> tuple[int, int]:
    """What does not depend on the context: bytes of state; FLOPs of a token outside the layers."""
    c = counted(s, 1)
    return c.state_bytes, c.flops_per_token - summed(s, 1, "flops")


def summed(s: Side, context: int, field: str) -> int:
    """One field of all layers, each different one counted once."""
    norm, streams = s.spec.norm.params(s.spec.d_model), s.spec.streams
    each = ((cost.layer_cost(layer, s.spec.d_model, norm, context, streams), n) for layer, n in distinct(s))
    return sum(n * sum(getattr(c, field).values()) for c, n in each)


@lru_cache(maxsize=16384)
def kept(s: Side, context: int) -> int:
    """Bytes that one sequence keeps after so many tokens: cache and state."""
    return stored(summed(s, context, "cache"), s.cache_dtype) + fixed(s)[0]


def held(s: Side, context: int) -> int:
    """Bytes that one sequence keeps, or a solver carries over its board; a denoiser's released code keeps none."""
    return kept(s, context) if s.keeps else counted(s, context).state_bytes if s.solver else 0


@lru_cache(maxsize=16384)
def arithmetic(s: Side, context: int) -> int:
    """FLOPs of one token at a context."""
    return summed(s, context, "flops") + fixed(s)[1]


QUANTITIES: dict[str, Callable[[Side, int], int]] = {"kept": kept, "arithmetic": arithmetic}


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
    costs = [replace(c, weight_bytes=s.released or c.weight_bytes) for s in sides for c in (counted(s, context),)]
    return tuple(Delta(name, tuple(getattr(c, field) for c in costs), in_bytes) for name, field, in_bytes in COUNTED)


def hue(s: Side, context: int) -> str:
    """The palette key of what a model keeps most of."""
    total: Counter[str] = Counter()
    for r in ladder.rungs(s.spec, context):
        total.update({r.hue: r.cache, "state": r.state})
    return total.most_common(1)[0][0] if total.total() else "soft"


# Who is cheaper, and from where on


@dataclass(frozen=True)
class Change:
    """From `tokens` on the first of two sides costs less (sign -1), the same (0) or more (1)."""

    tokens: int
    sign: int


def inner(part) -> Iterator:
    """A mixer or an ffn and those inside it."""
    if part is not None:
        yield part
        for f in fields(part):
            if hasattr(getattr(part, f.name), "params") and not isinstance(getattr(part, f.name), Norm):
                yield from inner(getattr(part, f.name))


def kinks(s: Side) -> tuple[set[int], set[int]]:
    """Contexts at which a count of this model bends, and the lengths of steps in which it goes up and down."""
    bends, steps = set(), set()
    for layer, _ in distinct(s):
        for m in inner(layer.mixer):
            reach = getattr(m, "reach", None)
            bends |= {reach.size} if isinstance(reach, Window) else set()
            steps |= {reach.size} if isinstance(reach, Chunk) else set()
            if isinstance(m, Indexed):
                bends |= {m.top_k}
            if isinstance(m, Compressed):
                bends |= {m.window, max(1, m.ratio * m.top_k)}
                steps |= {m.ratio} if m.ratio else set()
    return bends, steps


def walk(points: list[int], sign: Callable[[int], int]) -> list[Change]:
    """Every change of a sign between neighbouring points, each found by bisection."""
    found = [Change(points[0], sign(points[0]))]
    for left, right in zip(points, points[1:]):
        while sign(right) != found[-1].sign:
            low, high = max(left, found[-1].tokens), right  # the sign is the last one at low, another one at high
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if sign(middle) == found[-1].sign else (low, middle)
            found.append(Change(high, sign(high)))
    return found


@lru_cache(maxsize=256)
def changes(a: Side, b: Side, quantity: str) -> tuple[Change, ...]:
    """Who costs less, from one token on and from every token on at which that changes, up to the longest context counted."""
    f = QUANTITIES[quantity]

    def sign(n: int) -> int:
        return (f(a, n) > f(b, n)) - (f(a, n) < f(b, n))

    bends, steps = (x | y for x, y in zip(kinks(a), kinks(b)))
    points = {n + d for n in bends | steps | {1 << k for k in range(31)} for d in (-1, 0, 1) if 1 <= n + d <= LONGEST}
    found = walk(sorted(points), sign)
    while steps and len(points) < FINEST:
        near = {c.tokens // p * p + k * p + d for c in found for p in steps for k in range(-2, 4) for d in (-1, 0, 1)}
        points |= {n for n in near if 1 <= n <= LONGEST}
        again = walk(sorted(points), sign)
        if again == found:
            break
        found = again
    return tuple(found)


def crossings(a: Side, b: Side, quantity: str) -> tuple[int, ...]:
    """The contexts from which on another side is the cheaper one; a tie on the way does not count."""
    clear = [c for c in changes(a, b, quantity) if c.sign]
    return tuple(after.tokens for before, after in zip(clear, clear[1:]) if before.sign != after.sign)


def pairs(sides: tuple[Side, ...]) -> list[tuple[Side, Side]]:
    """The first side with each of the others, where both keep something."""
    return [(sides[0], other) for other in sides[1:] if sides[0].keeps and other.keeps]


@dataclass(frozen=True)
class Curves:
    """One quantity against context for every side that keeps something, and where the first of them changes places with another:
    (context, value, name of the other)."""

    contexts: np.ndarray  # (n,)
    values: dict[str, np.ndarray]  # name -> (n,)
    crossings: tuple[tuple[int, int, str], ...]


def curves(sides: tuple[Side, ...], quantity: str, highest: int) -> Curves:
    """From 256 tokens to `highest`, at powers of two and between them, at every kink and at every crossing."""
    shown = tuple(s for s in sides if s.keeps)
    found = [(n, b) for a, b in pairs(sides) for n in crossings(a, b, quantity) if LOWEST <= n <= highest]
    bends = set().union(*(kinks(s)[0] | kinks(s)[1] for s in shown)) if shown else set()
    steps = np.geomspace(LOWEST, highest, 4 * (highest.bit_length() - LOWEST.bit_length()) + 1).round().astype(int)
    near = {n + d for n in bends for d in (0, 1)} | {n for n, _ in found}
    contexts = np.array(sorted({*steps.tolist(), *(n for n in near if LOWEST <= n <= highest)}))
    f = QUANTITIES[quantity]
    values = {s.name: np.array([f(s, int(n)) for n in contexts]) for s in shown}
    return Curves(contexts, values, tuple((n, f(b, n), b.name) for n, b in found))


# Fields


GROUPS = {Attention: "attention", Latent: "latent attention", Dense: "dense feed-forward", MoE: "experts"} | {
    ChannelMix: "channel mixing of RWKV-7",
}
HIDDEN = ("form", "cut")  # how we run it, not what it is
NORMED = {
    "none": "no",
    "head": "each head",
    "full": "all heads at once",
    "turned": "each head, once rotated",
    "bare": "each head, without weights",
}
STANDS = {
    "pre": "before a part", "post": "after a part", "sandwich": "before and after", "outer": "on the sum",
    "stream": "on the stream itself",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field of every side, in words."""

    group: str
    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Do the sides differ in it?"""
        return len(set(self.values)) > 1

    @property
    def shown(self) -> tuple[str, ...]:
        """The same, of many values over the layers the first two and the last."""
        return tuple(map(shortened, self.values))


def shortened(text: str, most: int = 6) -> str:
    """Many values of `each_of`: how many, and which stand at the ends."""
    found = re.findall(r"(.+? in \d+)(?:, |$)", text)
    return f"{len(found)} values: {found[0]}, {found[1]}, … {found[-1]}" if len(found) > most else text


def table(sides: tuple[Side, ...]) -> tuple[Field, ...]:
    """Every field that one of the sides has, in the order of the model and then of its parts."""
    described = [described_side(s) for s in sides]
    order = dict.fromkeys(key for d in described for key in d)
    groups = list(dict.fromkeys(group for group, _ in order))
    keys = sorted(order, key=lambda key: groups.index(key[0]))
    return tuple(Field(*key, tuple(d.get(key, NOTHING) for d in described)) for key in keys)


def described_side(s: Side) -> dict[tuple[str, str], str]:
    """(group, field) -> its value in words, for one model."""
    spec, each = s.spec, s.spec.layers
    factors = each_of(brief(layer.scales).removeprefix("Scales") for layer in each)
    model = {
        "layers": value(s.depth), "in blocks": ladder.said(ladder.folded(spec)), "width": value(spec.d_model),
        "vocabulary": value(spec.vocab), "embeddings": "tied to the output" if spec.tied else "apart from the output",
        "learned positions": value(spec.learned_positions or False),
        "norm": "RMSNorm" if spec.norm.kind == "rms" else "LayerNorm",
        "epsilon of its norms": value(spec.norm.eps), "norms stand": each_of(STANDS[layer.norms] for layer in each),
        "convolution before the mixer": each_of(value(layer.input_conv or False) for layer in each),
        "factors on the residual stream": "no" if factors == "()" else factors, "factor on embeddings": value(spec.embed_scale),
        "factor on logits": value(spec.logit_scale), "soft cap on logits": value(spec.softcap or False),
        "norm on embeddings": value(spec.embed_norm), "streams": value(spec.streams), "answers": spec.decoding,
        "longest context": value(s.context), "weights in": s.weight_dtype, "cache in": s.cache_dtype,
    }  # fmt: skip
    return {("model", name): text for name, text in model.items()} | described_parts(spec)


def described_parts(spec: ModelSpec) -> dict[tuple[str, str], str]:
    """The same for its mixers and feed-forward parts, those inside others included."""
    found: dict[tuple[str, str], list[str]] = {}
    for layer in spec.layers:
        for part in (*inner(layer.mixer), *inner(layer.ffn)):
            group = GROUPS.get(type(part), getattr(part, "family", type(part).__name__))
            for name, text in flat(part):
                found.setdefault((group, name), []).append(text)
            found.setdefault((group, "layers"), []).append("")
    depth = len(spec.layers)
    words = {key: f"{len(texts)} of {depth}" if key[1] == "layers" else each_of(texts) for key, texts in found.items()}
    return dict(
        sorted(words.items(), key=lambda item: item[0][1] != "layers")
    )  # how many layers stands first; the sort is stable


def flat(part) -> Iterator[tuple[str, str]]:
    """The fields of one part in words; rope gives three, parts inside it none."""
    for f in fields(part):
        v, name = getattr(part, f.name), called(f.name)
        if isinstance(v, Rope):
            scaling = "none" if type(v.scaling) is NoScaling else brief(v.scaling)
            yield from (
                ("numbers that rope turns", value(v.dim or False)),
                ("base of rope", value(v.base)),
                ("scaling of rope", scaling),
            )
        elif isinstance(v, Reach):
            yield "reaches", reach(v)
        elif f.name not in HIDDEN and not hasattr(v, "params"):
            yield name, spoken(part, f.name, v)


def spoken(part, field: str, v) -> str:
    """A value of a part; a factor on scores that is the usual one says so, however it is written."""
    if field == "scale" and hasattr(part, "k_dim") and (not v or abs(v * part.k_dim**0.5 - 1) < 1e-6):
        return "1 / √ width of a key"
    if field == "softcap" and not v:
        return "no"
    return NORMED.get(v, value(v)) if field == "qk_norm" else value(v)


def reach(r: Reach) -> str:
    """How far back attention looks."""
    if isinstance(r, Chunk):
        return f"its chunk of {r.size:,}"
    return f"{r.size:,} tokens" if isinstance(r, Window) else "both ways" if isinstance(r, Everything) else "everything before"


def value(v) -> str:
    """A value as it stands in the table."""
    if isinstance(v, bool):
        return "yes" if v else "no"
    if isinstance(v, int):
        return f"{v:,}"
    if isinstance(v, float):
        return f"{v:,.0f}" if v.is_integer() else f"{v:,.6g}"
    if is_dataclass(v):
        return "no" if v == type(v)() else brief(v)
    return ", ".join(map(value, v)) if isinstance(v, tuple) else str(v)


def each_of(texts) -> str:
    """One text where all layers say the same, else every one with its number of layers."""
    numbers = Counter(texts)
    if len(numbers) == 1:
        return next(iter(numbers))
    return ", ".join(f"{text} in {n}" for text, n in numbers.items())


# The difference in sentences


def summary(sides: tuple[Side, ...], context: int) -> tuple[str, ...]:
    """Two models against each other; of more of them who is cheaper than the first, and then what each is. One alone: what to do
    about it, and what it is."""
    if len(sides) == 1:
        alone = f"{sides[0].name} stands alone: choose another one under Model B, or hand in a config."
        return (alone, portrait(sides[0], context))
    if len(sides) == 2:
        return tuple(filter(None, differences(*sides, context)))
    between = (cheaper(sides[0], other, quantity) for quantity in QUANTITIES for other in sides[1:])
    return tuple(filter(None, (*between, *(portrait(s, context) for s in sides))))


def portrait(s: Side, context: int) -> str:
    """What one model is, in a sentence or two."""
    c = counted(s, context)
    mixers, ffns = (parts_said(s, part) for part in ("mixer", "ffn"))
    keeps = f"it keeps {binary(kept(s, context))} at {context:,} tokens" if s.keeps else "it keeps nothing from token to token"
    keeps = f"it {carried_said(s)}" if s.solver else keeps
    return (
        f"{s.name} stacks {stacked(s)}. It mixes tokens with {mixers}, channels with {ffns}. "
        f"A token visits {visited(c)} of its {count(c.params_total)} parameters; {keeps}."
    )


def differences(a: Side, b: Side, context: int) -> tuple[str, ...]:
    """What differs between two models, in plain sentences, what matters most first."""
    if a.spec == replace(b.spec, name=a.spec.name):
        return (f"{a.name} and {b.name} are built alike: every field that is counted is the same.",)
    return (
        cheaper(a, b, "kept"),
        cheaper(a, b, "arithmetic"),
        stack(a, b),
        mixed(a, b, "mixer", "mix tokens"),
        mixed(a, b, "ffn", "mix channels"),
        sized(a, b, context),
        memory(a, b, context),
    )


def times(ratio: float) -> str:
    """A factor: "1.47 times", with one digit more where it is close to one."""
    return f"{ratio:,.0f} times" if ratio >= 1000 else f"{ratio:.{4 if 0.95 < ratio < 1.05 else 3}g} times"


def stack(a: Side, b: Side) -> str:
    """How many layers, in which blocks."""
    one, other = stacked(a), stacked(b)
    return f"Both stack {one}." if one == other else f"{a.name} stacks {one}; {b.name} stacks {other}."


def stacked(s: Side) -> str:
    """ "32 layers, all GQA 32/8" or "48 layers: 8 × (5 local + 1 global)" """
    blocks = ladder.folded(s.spec)
    alike = len(blocks) == 1 and len(blocks[0].parts) == 1
    return f"{s.depth} layers, all {blocks[0].parts[0][1]}" if alike else f"{s.depth} layers: {ladder.said(blocks)}"


def mixed(a: Side, b: Side, part: str, verb: str) -> str:
    """Which parts their layers have."""
    one, other = (parts_said(s, part) for s in (a, b))
    if one == other:
        return f"Both {verb} with {one}."
    return f"To {verb}, {a.name} has {one}; {b.name} has {other}."


def parts_said(s: Side, part: str) -> str:
    """ "GQA 16/8, window 1,024 (40 layers) and GQA 16/8 (8)" """
    found = Counter(labelled(r, part) for r in ladder.rungs(s.spec, 1))
    found.pop(ladder.NONE, None)
    if len(found) < 2:
        return next(iter(found), "nothing")
    every = [f"{label} ({n} layer{'s' * (n > 1)})" for label, n in found.items()]
    return f"{', '.join(every[:-1])} and {every[-1]}"


def labelled(r: Rung, part: str) -> str:
    """A part's label, with the size of its state."""
    return r.ffn if part == "ffn" else f"{r.mixer} ({r.size})" if r.size else r.mixer


def sized(a: Side, b: Side, context: int) -> str:
    """Parameters, and those that a token visits."""
    x, y = (counted(s, context) for s in (a, b))
    small, large = sorted(((x, a), (y, b)), key=lambda pair: pair[0].params_total)
    ratio = large[0].params_total / small[0].params_total
    sizes = f"{count(large[0].params_total)} against {count(small[0].params_total)}"
    total = f"{large[1].name} has {times(ratio)} the parameters of {small[1].name}, {sizes}"
    if ratio == 1:
        total = f"Both have {count(x.params_total)} parameters"
    if visited(x) == visited(y) == "all":
        return f"{total}; a token visits all of them."
    return f"{total}; a token visits {visited(x)} of {a.name} and {visited(y)} of {b.name}."


def visited(c: cost.Cost) -> str:
    """How many parameters a token visits."""
    return "all" if c.params_active == c.params_total else f"{count(c.params_active)} ({c.params_active / c.params_total:.1%})"


def memory(a: Side, b: Side, context: int) -> str:
    """What one sequence keeps at the context."""
    if not (a.keeps and b.keeps):
        return " ".join(
            f"{s.name} {carried_said(s) if s.solver else 'reads both ways and keeps nothing from token to token'}."
            for s in (a, b)
            if not s.keeps
        )
    x, y = (kept(s, context) for s in (a, b))
    parts = " ".join(state_said(s, context) for s in (a, b)).strip()
    if x == y:
        return f"At {context:,} tokens one sequence keeps {binary(x)} in both. {parts}".strip()
    both = f"At {context:,} tokens one sequence keeps {binary(x)} in {a.name} and {binary(y)} in {b.name}"
    return f"{both}, {times(y / x)} as much. {parts}".strip() if x else f"{both}. {parts}".strip()


def carried_said(s: Side) -> str:
    """What a solver keeps from step to step."""
    return f"carries {binary(held(s, s.context))} from step to step over its board of {s.context:,} positions"


def state_said(s: Side, context: int) -> str:
    """How much of it does not grow."""
    state = counted(s, context).state_bytes
    return f"In {s.name} {binary(state)} of it is state that does not grow with context." if state else ""


COSTS = {"kept": "takes less memory for a sequence", "arithmetic": "takes less arithmetic for a token"}
TIES = {"kept": "both take the same memory", "arithmetic": "both take the same arithmetic"}


def cheaper(a: Side, b: Side, quantity: str) -> str:
    """Who costs less, and from which context on."""
    if not (a.keeps and b.keeps):
        return ""
    found, less = changes(a, b, quantity), COSTS[quantity]
    clear = [c for c in found if c.sign]
    if not clear:
        return f"{a.name} and {b.name}: {TIES[quantity]} at every context."
    first, last = (a.name if c.sign < 0 else b.name for c in (clear[0], clear[-1]))
    other = b.name if first == a.name else a.name
    swaps = crossings(a, b, quantity)
    if not swaps:
        since = f"from {clear[0].tokens:,} tokens on; up to there {TIES[quantity]}" if clear[0].tokens > 1 else "at every context"
        return f"{first} {less} than {other} {since}."
    if len(swaps) == 1:
        tie = next((c.tokens for c in found if not c.sign and c.tokens < swaps[0]), 0)
        same = f", and at {tie:,} {TIES[quantity]}" if tie == swaps[0] - 1 else ""
        return f"{last} {less} from {swaps[0]:,} tokens on; {first} does below that{same}."
    if len(swaps) == 2:
        return f"{other} {less} from {swaps[0]:,} to {swaps[1] - 1:,} tokens, {first} below and above."
    often = f"then they change places {len(swaps)} times, {last} for good from {swaps[-1]:,} on"
    return f"{first} {less} up to {swaps[0] - 1:,} tokens; {often}."


# For the page


def highest(sides: tuple[Side, ...], context: int) -> int:
    """Where curves end: at twice the context or at the longest of any config, never below 256k nor above 16M."""
    return min(max(2 * context, *(s.context for s in sides), CONTEXTS["256k"]), 1 << 24)


def ladders(sides: tuple[Side, ...], context: int) -> dict[str, tuple]:
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
    return dict(zip(heads, map(list, zip(*rows))))


def hues(sides: tuple[Side, ...], context: int) -> dict[str, str]:
    """{name: palette key of what it keeps most of}."""
    return {s.name: hue(s, context) for s in sides}


def crossed(sides: tuple[Side, ...], quantity: str) -> str:
    """Who costs less from where on: the first model against each of the others."""
    return " ".join(sentence for other in sides[1:] if (sentence := cheaper(sides[0], other, quantity)))


def dtypes(sides: tuple[Side, ...]) -> str:
    """The dtypes of all, once where they agree."""
    each = {s.name: f"weights {s.mix or s.weight_dtype}, cache {s.cache_dtype}, state {s.state_dtype}" for s in sides}
    return (
        next(iter(each.values())) if len(set(each.values())) == 1 else "; ".join(f"{name}: {text}" for name, text in each.items())
    )


def listed(words: tuple[str, ...]) -> str:
    """ "a against b", or "a, b and c" """
    return " against ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"
