"""One model on a card: its family of attention, what it keeps, what it would keep as plain multi-head attention, the techniques
it is made of, whether it can run here, where its config comes from.

Letters: n tokens of context. Cache and state are counted for one sequence, by cost.py.

    rate        what one more token adds to the cache once every window is full: (cache(2 N) - cache(N)) / N at N = 2^24
    multi-head  a key and a value for every query head, in every layer that mixes tokens; a layer that has no query heads counts
                as attention of the model's width, 2 d_model
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.count import cost
from core.count.dtypes import stored
from core.errors import LONGEST, SpecError
from core.model.mixers.attention import Attention
from core.model.part import inside
from core.model.registry import PAGES
from core.model.spec import ModelSpec
from core.real import released
from core.shape.twin import build, shrink

FAR = 1 << 24  # tokens: longer than any window
CONTEXTS = (4096, 32768, 131072)
HEADS = 8  # query heads of the models on the page on sharing


@dataclass(frozen=True)
class Family:
    """A family of attention: its name, the palette key of what it keeps, what that means."""

    name: str
    hue: str
    words: str


FAMILIES = {
    family.name: family
    for family in (
        Family("Multi-head", "query", "every query head keeps keys and values of its own"),
        Family("Grouped", "kv", "query heads share keys and values"),
        Family("Latent", "latent", "one compressed latent a token in place of keys and values"),
        Family("Sparse", "latent", "a scorer picks the few tokens that are read"),
        Family("Windows", "window", "some or all layers look back a fixed number of tokens only"),
        Family("Hybrid", "state", "attention and a state of fixed size, layer by layer or side by side"),
        Family("Recurrent", "state", "no attention at all: a state of fixed size"),
    )
}


def family(spec: ModelSpec) -> str:
    """The name of the family that a model belongs to; "" where no layer mixes tokens."""
    kinds = {layer.kind for layer in spec.layers if layer.mixer}
    if kinds & {"state", "full+state"}:
        return "Recurrent" if kinds == {"state"} else "Hybrid"
    for members, name in (({"mla+indexer", "compressed"}, "Sparse"), ({"mla"}, "Latent"), ({"sliding", "chunked"}, "Windows")):
        if kinds & members:
            return name
    shared = any(a.kv_heads < a.heads for layer in spec.layers if (a := attention_inside(layer.mixer)))
    return ("Grouped" if shared else "Multi-head") if kinds else ""


def attention_inside(mixer) -> Attention | None:
    """The attention inside a mixer that is built on it; None where there is none."""
    return next(inside(mixer, Attention), None)


# What it keeps


def keeps(spec: ModelSpec) -> bool:
    """Does its released code keep a cache at all? What denoises or solves in steps reads both ways and keeps none."""
    return spec.decoding == "autoregressive"


@lru_cache(maxsize=512)
def rate(spec: ModelSpec) -> int:
    """Numbers that one more token adds to the cache once every window is full."""
    if not keeps(spec):
        return 0
    near, far = (cost.count(spec, n).cache_elements for n in (FAR, 2 * FAR))
    return round((far - near) / FAR)


def added(reading) -> int:
    """Bytes that one more token adds, in the model's own cache dtype."""
    return stored(rate(reading.spec), reading.cache_dtype)


@dataclass(frozen=True)
class Kept:
    """Bytes of one sequence at a context; `own` where that is the model's longest, `beyond` where it was not made for so many."""

    context: int
    cache: int
    own: bool
    beyond: bool


def caches(reading) -> tuple[Kept, ...]:
    """The cache at the usual contexts and at the model's longest, where its config says one, in its own cache dtype."""
    longest = reading.context if limited(reading) else 0
    contexts = sorted({*CONTEXTS, longest} - {0})
    sizes = [cost.count(reading.spec, n, cache_dtype=reading.cache_dtype).cache_bytes * keeps(reading.spec) for n in contexts]
    return tuple(Kept(n, size, n == longest, 0 < longest < n) for n, size in zip(contexts, sizes))


def limited(reading) -> bool:
    """Does the config say how long a context it was made for? Else the context that is counted at is assumed."""
    return not any(name.rpartition(".")[2] == "context" for name in reading.assumed)


def longest_cost(reading) -> cost.Cost:
    """Everything at the model's longest context, in its own dtypes."""
    return cost.count(reading.spec, reading.context, 1, reading.weight_dtype, reading.cache_dtype, reading.state_dtype)


@lru_cache(maxsize=256)
def weights(reading) -> released.Released | None:
    """How the release stores its weights; None where that cannot be told."""
    return released.weights(reading)


def multi_head(spec: ModelSpec) -> int:
    """Numbers a token with a key and a value for every query head in every layer that mixes tokens."""
    return sum(width(layer.mixer, spec.d_model) for layer in spec.layers if layer.mixer)


def width(mixer, d_model: int) -> int:
    """Keys and values of one token in one layer, none of them shared."""
    return mixer.unshared or 2 * d_model


@dataclass(frozen=True, eq=False)
class Curve:
    """Bytes of one sequence against context: what grows, what does not, and plain multi-head attention."""

    contexts: np.ndarray  # (n,)
    cache: np.ndarray  # (n,)
    state: np.ndarray  # (n,)
    multi_head: np.ndarray  # (n,)


@lru_cache(maxsize=256)
def curve(reading) -> Curve:
    """Powers of two from 256 tokens to the model's longest context, 128k at least."""
    last = min(max(reading.context, CONTEXTS[-1]), LONGEST)
    contexts = np.array([*(1 << k for k in range(8, last.bit_length()) if 1 << k < last), last])
    spec, dtype = reading.spec, reading.cache_dtype
    costs = [cost.count(spec, int(n), cache_dtype=dtype, state_dtype=reading.state_dtype) for n in contexts]
    plain = multi_head(spec)
    cache, state = (np.array([getattr(c, field) for c in costs]) for field in ("cache_bytes", "state_bytes"))
    return Curve(contexts, cache * keeps(spec), state, np.array([stored(plain * int(n), dtype) for n in contexts]))


# What it is made of


DECODING = {"diffusion": ("Text diffusion", "text_diffusion"), "recursion": ("Recursive reasoning", "recursive")}


def techniques(spec: ModelSpec) -> tuple[tuple[str, str], ...]:
    """What a model is made of, in the order of its layers: (name, the page that explains it or "")."""
    found: dict[str, str] = {}
    for layer in dict.fromkeys(spec.layers):
        found |= dict(name for part in (layer.mixer, layer.ffn) if part for name in part.in_words().techniques)
        if layer.input_conv:
            found["Short convolution before attention"] = ""
    if spec.streams > 1:
        found["Hyper-connections"] = ""
    if spec.decoding in DECODING:
        found |= dict([DECODING[spec.decoding]])
    there = {page.name for page in PAGES}
    return tuple((name, page if page in there else "") for name, page in found.items())


def near(spec: ModelSpec, page: str) -> dict:
    """The state of a technique's page that is nearest to this model: on sharing, as many query heads a KV head."""
    shared = {a.heads // a.kv_heads for layer in spec.layers if (a := attention_inside(layer.mixer))}
    ratio = shared.pop() if page == "gqa" and len(shared) == 1 else 0
    return {"kv_heads": max(1, HEADS // ratio)} if ratio and (ratio >= HEADS or HEADS % ratio == 0) else {}


@lru_cache(maxsize=512)
def alive(spec: ModelSpec) -> str:
    """Why no small twin of it can run here; "" where one can."""
    try:
        build(shrink(spec)[0])
    except SpecError as error:
        return str(error)
    return ""


# Where it comes from


def origin(source: str) -> str:
    """What kind of place a config was taken from, in words."""
    if source.startswith("transformers default"):
        return "the class default of transformers"
    if re.search(r"(config\.json|\.yaml)\b", source.partition("[")[0]) or "config.json" in source:
        return "the released config, as another repository keeps it"
    return "another project's description, written under the released names"
