"""A model as a ladder: one rung a layer, with what it is, what it costs, and which block of layers repeats.

    rungs(spec, context)    every layer, the first one first
    folded(spec)            the same as repeated blocks: 10 x (5 local + 1 global) + 2 local
    said(blocks)            those in words
    ladders, table          several models side by side, and these as columns

Layers are the same rung where their labels are the same. A block is the one that makes the whole description shortest: every
run of equal layers in it costs one, and so does repeating it; of two descriptions as short, the one with the longer
repetition. Counts are cost.py's, of the trunk that reads backwards only, as everywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from core.count import cost
from core.model.blocks import Chunk, Window
from core.model.ffn.beside import Beside
from core.model.ffn.dense import Dense
from core.model.ffn.hashed import Hashed
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.cells import Cells
from core.model.mixers.compressed import Compressed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.unified import Unified
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.spec import Layer, ModelSpec

HUES = {  # what a layer keeps -> the hue that means it; "soft" means nothing
    "full": "kv", "shared": "kv", "full+state": "kv", "sliding": "window", "chunked": "window", "mla": "latent",
    "mla+indexer": "latent", "compressed": "latent", "state": "state", "none": "soft",
}  # fmt: skip
KINDS = {  # the same in words
    "full": "all keys and values", "sliding": "window", "chunked": "chunk", "mla": "latent", "mla+indexer": "latent and scorer",
    "compressed": "compressed entries", "state": "state", "full+state": "keys, values and state",
    "shared": "another layer's keys and values", "none": "no mixer",
}  # fmt: skip
ACTIVATIONS = {  # (with a gate, without)
    "silu": ("SwiGLU", "SiLU"), "gelu": ("GeGLU", "GELU"), "gelu_tanh": ("GeGLU", "GELU"), "relu": ("ReGLU", "ReLU"),
    "relu2": ("ReLU² gated", "ReLU²"),
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


def attention(m: Attention) -> str:
    """How queries share keys and values, and how far they reach."""
    if m.kv_heads == m.heads:
        return f"MHA {m.heads}{reach(m)}"
    return f"{'MQA' if m.kv_heads == 1 else 'GQA'} {m.heads}/{m.kv_heads}{reach(m)}"


def reach(m: Attention) -> str:
    """ ", window 1,024" or nothing."""
    if isinstance(m.reach, Chunk):
        return f", chunk {m.reach.size:,}"
    return f", window {m.reach.size:,}" if isinstance(m.reach, Window) else ""


def compressed(m: Compressed) -> str:
    """A window, and one entry for so many tokens before it."""
    picks = f", top {m.top_k:,}" if m.top_k else ""
    return f"window {m.window:,}" + (f", 1 entry for {m.ratio}{picks}" if m.ratio else "")


def indexed(m: Indexed) -> str:
    """Latent attention and how many tokens are picked for it, or that it takes the picks of a layer before."""
    return f"{mixer(m.latent)}, " + ("picks reused" if m.reuses else f"top {m.top_k:,}")


def product(*sizes: int) -> str:
    """ "32 × 128 × 128"."""
    return " × ".join(f"{n:,}" for n in sizes)


MIXERS: dict[type, Callable] = {
    Attention: attention,
    Borrowed: lambda m: f"shared K/V, {mixer(m.own)}",
    Cells: lambda m: f"layer across {m.cells:,} cells",
    Compressed: compressed,
    GatedConv: lambda m: f"short convolution {m.kernel}",
    GatedDelta: lambda m: "Gated DeltaNet",
    Indexed: indexed,
    KimiDelta: lambda m: "Kimi Delta Attention",
    Latent: lambda m: f"MLA {m.kept}+{m.rope_dim}",
    Lightning: lambda m: "lightning attention",
    MLstm: lambda m: "mLSTM",
    Mamba1: lambda m: "Mamba",
    Mamba2: lambda m: "Mamba-2",
    Parallel: lambda m: f"{mixer(m.first)} ∥ {mixer(m.second)}",
    Rwkv7: lambda m: "RWKV-7",
    Lstm: lambda m: "LSTM",
    SLstm: lambda m: "sLSTM",
    Unified: lambda m: mixer(m.own) + (", one projection" if m.one else ""),
}
SIZES: dict[type, Callable] = {
    GatedDelta: lambda m: product(m.value_heads, m.k_dim, m.v_dim),
    KimiDelta: lambda m: product(m.heads, m.width, m.width),
    Lightning: lambda m: product(m.heads, m.width, m.width),
    MLstm: lambda m: product(m.heads, m.k_dim, m.v_dim),
    Mamba1: lambda m: product(m.inner, m.state_size),
    Mamba2: lambda m: product(m.heads, m.width, m.state_size),
    Parallel: lambda m: size(m.first) or size(m.second),
    Rwkv7: lambda m: product(m.heads, m.width, m.width),
    SLstm: lambda m: product(m.heads, m.width),
}
FFNS: dict[type, Callable] = {
    Beside: lambda f: f"{ffn(f.dense)} beside {ffn(f.experts)}",
    ChannelMix: lambda f: f"channel mix {f.hidden:,}",
    Dense: lambda f: f"{ACTIVATIONS[f.activation][not f.gated]} {f.hidden:,}",
    Hashed: lambda f: f"{ffn(f.experts)}, by word",
    MoE: lambda f: f"MoE {f.top_k} of {f.experts}" + shared(f),
}
SHORT: dict[type, str] = {  # names inside a folded block; attention and what is built on it are named by their reach
    Borrowed: "shared K/V", Cells: "across cells", GatedConv: "convolution", GatedDelta: "delta", Indexed: "MLA",
    KimiDelta: "KDA", Latent: "MLA",
    Lightning: "lightning", MLstm: "mLSTM", Mamba1: "Mamba", Mamba2: "Mamba-2", Rwkv7: "RWKV-7", SLstm: "sLSTM", Lstm: "LSTM",
    Beside: "dense and MoE", ChannelMix: "channel mix", Dense: "dense", Hashed: "MoE by word", MoE: "MoE",
}  # fmt: skip


def mixer(m) -> str:
    """What mixes tokens, in a few words."""
    return NONE if m is None else MIXERS.get(type(m), lambda m: getattr(m, "family", type(m).__name__))(m)


def size(m) -> str:
    """The size of what a mixer keeps whatever the context; "" where there is nothing or its label says it."""
    return SIZES.get(type(m), lambda m: "")(m)


def ffn(f) -> str:
    """What mixes channels, in a few words."""
    return NONE if f is None else FFNS.get(type(f), lambda f: type(f).__name__)(f)


def shared(f: MoE) -> str:
    """ " + 1": shared experts as wide as a routed one; where they are not, how wide."""
    if not f.shared:
        return ""
    return f" + {f.shared // f.hidden}" if f.shared % f.hidden == 0 else f" + shared {f.shared:,}"


def turns(layer: Layer) -> bool | None:
    """Does its attention turn queries and keys by position? None where it is no attention."""
    return layer.mixer.turns if layer.mixer else None


# Rungs


def labels(spec: ModelSpec) -> tuple[tuple[str, str, str], ...]:
    """(mixer, its size, ffn) of every layer. Attention that does not turn by position says so where another layer's does."""
    known: dict[Layer, tuple[str, str, str]] = {}
    some = any(turns(layer) for layer in dict.fromkeys(spec.layers))
    for layer in spec.layers:
        if layer not in known:
            still = STILL if some and turns(layer) is False else ""
            known[layer] = mixer(layer.mixer) + still, size(layer.mixer), ffn(layer.ffn)
    return tuple(known[layer] for layer in spec.layers)


@lru_cache(maxsize=256)
def rungs(spec: ModelSpec, context: int) -> tuple[Rung, ...]:
    """Every layer, the first one first, counted at a context of so many tokens."""
    counted, first = (cost.count(spec, n).layers for n in (context, 1))
    return tuple(
        Rung(
            i, c.kind, mixed, fed, kept, HUES.get(c.kind, "kv"), ffn_hue(layer.ffn), c.params, c.active,
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


def ffn_hue(f) -> str:
    """Routed experts have a hue; a dense layer is quiet; "" where there is none."""
    return "" if f is None else "routed" if isinstance(f, (MoE, Hashed, Beside)) else "soft"


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
    mixers = told([short(layer.mixer, local) for layer in spec.layers], [", ".join(filter(None, label[:2])) for label in every])
    ffns = told([short(layer.ffn, local) for layer in spec.layers], [label[2] for label in every])
    pairs = list(zip(mixers, ffns))
    ways = ([m or f for m, f in pairs], [f or m for m, f in pairs], [" ".join(filter(None, pair)) for pair in pairs])
    return next((way for way in ways if len(set(way)) == len(set(pairs))), ways[-1])


def told(briefs: list[str], whole: list[str]) -> list[str]:
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


def short(part, local: bool) -> str:
    """A part's short name; attention is local or global where some layers have a window."""
    if part is None:
        return ""
    if isinstance(part, Parallel):
        return f"{short(part.first, local)} ∥ {short(part.second, local)}"
    if type(part) in SHORT:
        return SHORT[type(part)]
    if isinstance(part, Compressed) and part.ratio:
        return f"entries/{part.ratio}"
    kind = getattr(part, "kind", "")
    return {"sliding": "local", "chunked": "local", "full": "global" if local else "attention"}.get(kind, type(part).__name__)


def said(blocks: tuple[Block, ...]) -> str:
    """Blocks in words: "10 × (5 local + 1 global) + 2 local"."""
    if len(blocks) == 1 and len(blocks[0].parts) == 1:
        count, name = blocks[0].parts[0]
        return f"{count} × {name}"
    return " + ".join(map(one, blocks))


def one(block: Block) -> str:
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
