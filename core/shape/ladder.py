"""A model as a ladder: one rung a layer, with what it is, what it costs, and which block of layers repeats.

    rungs(spec, context)    every layer, the first one first
    folded(spec)            the same as repeated blocks: 10 x (5 local + 1 global) + 2 local
    blocks_text(blocks)     those in words
    ladders, table          several models side by side, and these as columns

Layers are the same rung where their labels are the same. A block is the one that makes the whole description shortest: every
run of equal layers in it costs one, and so does repeating it; of two descriptions as short, the one with the longer
repetition. Counts are cost.py's, of the trunk that reads backwards only, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from core.count import cost
from core.model.part import BRIEF_ATTENTION, Mixer, Part
from core.model.spec import Layer, ModelSpec

HUES = {  # what a layer keeps, and how it is fed -> the hue that means it; "soft" means nothing
    "full": "kv", "shared": "kv", "full+state": "kv", "sliding": "window", "chunked": "window", "mla": "latent",
    "mla+indexer": "latent", "compressed": "latent", "state": "state", "none": "soft", "routed": "routed", "dense": "soft",
}  # fmt: skip
KINDS = {  # the same in words
    "full": "all keys and values", "sliding": "window", "chunked": "chunk", "mla": "latent", "mla+indexer": "latent and scorer",
    "compressed": "compressed entries", "state": "state", "full+state": "keys, values and state",
    "shared": "another layer's keys and values", "none": "no mixer",
}  # fmt: skip
NONE, STILL = "none", ", no rope"
LONGEST_BLOCK = 64  # layers; a longer block than this is not looked for


@dataclass(frozen=True)
class Rung:
    """One layer. Counts are elements of one sequence; `written` is what one token puts into the cache, `cache` what stands there
    at the context. `hue` and `ffn_hue` are palette keys."""

    index: int  # from 0
    kind: str  # one of cost.KINDS
    mixer: str  # "GQA 32/8", "MLA 512+64", "Gated DeltaNet", "none"
    ffn: str  # "SwiGLU 14,336", "MoE 8 of 256 + 1", "none"
    size: str  # of what the mixer keeps whatever the context: "32 × 128 × 128"; "" where its label says all
    hue: str
    ffn_hue: str
    params: int
    active: int
    written: int
    cache: int
    state: int


@dataclass(frozen=True)
class Block:
    """`parts` (how many in a row, name), all of it `times` over, from layer `start` (from 0); `size` layers each time."""

    start: int
    size: int
    times: int
    parts: tuple[tuple[int, str], ...]


# Labels


def label(part: Part | None) -> str:
    """What mixes tokens or channels, in a few words."""
    return part.in_words().label if part else NONE


def size(m: Mixer | None) -> str:
    """The size of what a mixer keeps whatever the context; "" where there is nothing or its label says it."""
    return m.in_words().size if m else ""


def has_rope(layer: Layer) -> bool | None:
    """Does its attention turn queries and keys by position? None where it is no attention."""
    return layer.mixer.has_rope if layer.mixer else None


# Rungs


def labels(spec: ModelSpec) -> tuple[tuple[str, str, str], ...]:
    """(mixer, its size, ffn) of every layer. Attention that does not turn by position says so where another layer's does."""
    known: dict[Layer, tuple[str, str, str]] = {}
    some = any(has_rope(layer) for layer in dict.fromkeys(spec.layers))
    for layer in spec.layers:
        if layer not in known:
            still = STILL if some and has_rope(layer) is False else ""
            known[layer] = label(layer.mixer) + still, size(layer.mixer), label(layer.ffn)
    return tuple(known[layer] for layer in spec.layers)


@lru_cache(maxsize=256)
def rungs(spec: ModelSpec, context: int) -> tuple[Rung, ...]:
    """Every layer, the first one first, counted at a context of so many tokens."""
    counted, first = (cost.count(spec, n).layers for n in (context, 1))
    return tuple(
        Rung(
            i, c.kind, mixed, fed, kept, HUES.get(c.kind, "kv"), hue(layer.ffn), c.params, c.active,
            sum(token.cache.values()), sum(c.cache.values()), sum(c.state.values()),
        )
        for i, (layer, (mixed, kept, fed), c, token) in enumerate(zip(spec.layers, labels(spec), counted, first))
    )  # fmt: skip


def ladders(models: Mapping[str, ModelSpec], context: int) -> dict[str, tuple]:
    """{name: (rungs, folded blocks)}: what ladders side by side are drawn from."""
    return {name: (rungs(spec, context), folded(spec)) for name, spec in models.items()}


def table(models: Mapping[str, tuple]) -> dict[str, list]:
    """Such ladders as columns, a row a layer: what it is, and the numbers that it keeps."""
    rows = [(who, r.index + 1, r.mixer, r.ffn, r.cache, r.state) for who, (found, _) in models.items() for r in found]
    return dict(zip(("model", "layer", "mixer", "feed-forward", "cache", "state"), map(list, zip(*rows))))


def hue(part: Part | None) -> str:
    """A mixer has the hue of what it keeps, routed experts their own; a dense layer is quiet; "" where there is none."""
    return HUES.get(part.kind, "kv") if part else ""


# Folding


@lru_cache(maxsize=256)
def folded(spec: ModelSpec) -> tuple[Block, ...]:
    """The layers as repeated blocks, shortest description first."""
    every = names(spec)
    codes = np.unique(every, return_inverse=True)[1]
    blocks, at = [], 0
    for period, times in shortest(codes):
        runs = tuple((len(list(run)), name) for name, run in groupby(every[at : at + period]))
        blocks.append(Block(at, period, times, runs))
        at += period * times
    return tuple(blocks)


def shortest(codes: np.ndarray) -> list[tuple[int, int]]:
    """codes (n,) -> [(layers of a block, how often it stands there)], of least cost: see above."""
    n = len(codes)
    run = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1])])  # (n,) number of the run of equal layers
    repeats = [repeated(codes, period) for period in range(1, min(n, LONGEST_BLOCK) + 1)]
    rest = [(0, 0)] * (n + 1)  # of the layers from each place on: the cost, and minus the layers that repeat others
    step = [(0, 0)] * n
    for i in range(n - 1, -1, -1):
        options = []
        for period, times in enumerate((int(r[i]) for r in repeats if i < len(r)), start=1):
            price = int(run[i + period - 1] - run[i]) + 1 + (times > 1 and period > 1)
            after, saved = rest[i + period * times]
            options.append(((after + price, saved - (times - 1) * period), (period, times)))
        rest[i], step[i] = min(options)
    found, at = [], 0
    while at < n:
        period, times = step[at]
        found.append((period, times) if period > 1 else (times, 1))  # equal layers in a row are one part, not a repetition
        at += period * times
    return found


def repeated(codes: np.ndarray, period: int) -> np.ndarray:
    """codes (n,) -> (n - period + 1,): how often the `period` layers from each place on stand there one after another."""
    differs = np.append(codes[:-period] != codes[period:], True)  # (n - period + 1,): from the layer one block later
    breaks, place = np.flatnonzero(differs), np.arange(len(differs))
    return 1 + (breaks[np.searchsorted(breaks, place)] - place) // period


def names(spec: ModelSpec) -> list[str]:
    """The shortest name of every layer that keeps those apart whose labels differ: of the mixer, of the ffn, or of both."""
    every = labels(spec)
    if len(set(every)) == 1:
        return [every[0][0] if every[0][0] != NONE else every[0][2]] * len(every)
    local = any(layer.kind in ("sliding", "chunked") for layer in spec.layers)
    mixers = short_names(
        [short(layer.mixer, local) for layer in spec.layers], [", ".join(filter(None, label[:2])) for label in every]
    )
    ffns = short_names([short(layer.ffn, local) for layer in spec.layers], [label[2] for label in every])
    pairs = list(zip(mixers, ffns))
    ways = ([m or f for m, f in pairs], [f or m for m, f in pairs], [" ".join(filter(None, pair)) for pair in pairs])
    return next((way for way in ways if len(set(way)) == len(set(pairs))), ways[-1])


def short_names(briefs: list[str], whole: list[str]) -> list[str]:
    """Short names, or whole labels where a short name would stand for different ones; "without rope" where that is all."""
    meanings: dict[str, set[str]] = {}
    for brief, label in zip(briefs, whole):
        meanings.setdefault(brief, set()).add(label)
    turned = {brief: {label.replace(STILL, "") for label in found} for brief, found in meanings.items()}
    named = {}
    for brief, label in dict.fromkeys(zip(briefs, whole)):
        apart = label if len(turned[brief]) > 1 else brief + " without rope" * (STILL in label)
        named[brief, label] = apart if len(meanings[brief]) > 1 else brief
    return [named[pair] for pair in zip(briefs, whole)]


def short(part: Part | None, local: bool) -> str:
    """A part's short name; attention to every token is global where some layers have a window."""
    brief = part.in_words().brief if part else ""
    return brief.replace(BRIEF_ATTENTION, "global") if local else brief


def blocks_text(blocks: tuple[Block, ...]) -> str:
    """Blocks in words: "10 × (5 local + 1 global) + 2 local"."""
    if len(blocks) == 1 and len(blocks[0].parts) == 1:
        count, name = blocks[0].parts[0]
        return f"{count} × {name}"
    return " + ".join(map(block_text, blocks))


def block_text(block: Block) -> str:
    """One block in words, what repeats within it folded once more."""
    words = [f"{count} {name}" for count, name in block.parts]
    if block.times == 1:
        return " + ".join(words)
    inner, at = [], 0
    for period, times in shortest(np.unique(words, return_inverse=True)[1]):
        text = " + ".join(words[at : at + period])
        inner.append(f"{times} × ({text})" if times > 1 else text)
        at += period * times
    return f"{block.times} × ({' + '.join(inner)})"
