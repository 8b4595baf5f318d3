"""Sliding windows: the trained models run with any window on the reader's words, what can reach what, the cache counted and
measured, real models with the windows they were released with and without.

Letters: L layers, w window (tokens that a local layer sees, itself included), r local layers to a global one, n tokens, K taps
of the short convolution.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log

import networkx as nx
import numpy as np

from core.count import cost
from core.lessons.common import cache_bytes, keys_where, measured_prompt, model_name, spec_of
from core.lessons.recall import DTYPE, LENGTHS, Answer, Finder, Scene, finder, play
from core.lessons.recall import checkpoint_scene as trained_scene
from core.model.blocks import Full, Window
from core.model.mixers.attention import Attention
from core.model.model import Model
from core.model.part import inside
from core.model.spec import ModelSpec
from core.shape import diagram
from core.train import evidence, zoo
from core.train.recipes import sliding_window as recipes
from core.train.tasks import recall

WINDOWS = (2, 4, 8, 16, 32, 64)
TRAINED = recipes.WINDOW
FULL, ALL_LOCAL = "global", "local"
PATTERNS = {FULL: "full", "1:1": "local-1-1", "3:1": "local-3-1", "5:1": "local-5-1", ALL_LOCAL: "all-local"}
PAIRS = recipes.RECIPES[0].settings["pairs"]
METRIC, LOSS = f"loss@{PAIRS}", f"loss at {PAIRS} pairs, nats"
FOUND = 0.1  # a head is said to find a word from this attention weight on
FASTEST = 1e-12  # an attention weight below this is taken as this, so that its logarithm exists


def live_spec(pattern: str, window: int = TRAINED) -> ModelSpec:
    """The live model of a setting of the controls."""
    return recipes.spec(PATTERNS[pattern], window)


@lru_cache(maxsize=64)
def live_model(pattern: str, window: int) -> Model:
    """The trained weights of a pattern, read through another window."""
    made = Model(live_spec(pattern, window))
    made.load_state_dict(zoo.load(PATTERNS[pattern]).state_dict())
    return made.eval().requires_grad_(False)


@lru_cache(maxsize=256)
def scene(pattern: str, window: int, prompt: recall.Prompt) -> Scene:
    """A pattern and a window on a prompt, token by token with the cache."""
    if window == TRAINED or pattern == FULL:
        return trained_scene(PATTERNS[pattern], prompt)
    return play(live_model(pattern, window), prompt)


def local(pattern: str) -> tuple[bool, ...]:
    """Which layers have a window."""
    return tuple(letter == "L" for letter in recipes.PATTERNS[PATTERNS[pattern]])


def layers_by_reach(pattern: str) -> tuple[int, int]:
    """How many layers are local, and how many global."""
    return sum(local(pattern)), len(local(pattern)) - sum(local(pattern))


def pattern_text(pattern: str) -> str:
    """A pattern in a sentence."""
    return f"all {pattern}" if pattern in (FULL, ALL_LOCAL) else pattern


def finding_head(scene: Scene, answer: Answer) -> Finder | None:
    """The head that looks hardest at the true thing, where one does."""
    best = finder(scene, answer) if answer.source >= 0 else None
    return best if best and best.weight > FOUND else None


def maps(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Attention of each layer, the mean over its heads (L, T, T), and which cells are seen (L, T, T)."""
    return scene.run.attention.mean(1), scene.run.visible


# What can reach what


@lru_cache(maxsize=64)
def graph(pattern: str, window: int, tokens: int) -> nx.DiGraph:
    """The stack as a graph of tokens and layers."""
    return diagram.reachability(live_spec(pattern, window), tokens)


@dataclass(frozen=True)
class Way:
    """How the word at `source` gets to the token at `target`. `nodes` are (layer, token) from the words up; `weight` is the
    product of the attention weights on it, in the head that looks hardest; both empty where no way exists."""

    source: int
    target: int
    earliest: int  # the first token that can reach the target at all
    nodes: tuple[tuple[int, int], ...]
    weight: float

    @property
    def moves(self) -> int:
        """Layers in which the word moves on to another token; in the others it stays where it is."""
        return sum(a[1] != b[1] for a, b in zip(self.nodes, self.nodes[1:]))

    @property
    def distance(self) -> int:
        """Tokens from the source to the target."""
        return self.target - self.source


def cone(pattern: str, window: int, tokens: int, target: int) -> frozenset[tuple[int, int]]:
    """Every (layer, token) from which something can still reach the target after the last layer."""
    g, end = graph(pattern, window, tokens), (len(local(pattern)), target)
    return frozenset(nx.ancestors(g, end) | {end})


@lru_cache(maxsize=512)
def way(pattern: str, window: int, prompt: recall.Prompt, target: int, source: int = -1) -> Way:
    """The strongest way through the live model from `source` to `target`; from the earliest token that gets there if -1."""
    shown = scene(pattern, window, prompt)
    tokens = len(shown.words)
    reached = cone(pattern, window, tokens, target)
    earliest = min(t for level, t in reached if level == 0)
    source = earliest if source < 0 else source
    if (0, source) not in reached:
        return Way(source, target, earliest, (), 0.0)
    stack = graph(pattern, window, tokens).subgraph(reached)
    weights = hop_weights(shown)
    length, nodes = nx.single_source_dijkstra(stack, (0, source), (len(local(pattern)), target), weight=length_of(weights))
    return Way(source, target, earliest, tuple(nodes), exp(-length))


def hop_weights(scene: Scene) -> np.ndarray:
    """(L, T, T): the largest weight, over heads and taps of the convolution, with which token t takes up token s."""
    strongest = scene.run.attention.max(1)
    taps = range(max(1, recipes.CONVOLUTION))
    return np.max([np.pad(strongest[..., back:], ((0, 0), (0, 0), (0, back))) for back in taps], axis=0)


def length_of(weights: np.ndarray):
    """An edge is as long as its attention weight is small; staying at a token costs nothing."""

    def length(a: tuple[int, int], b: tuple[int, int], _: dict) -> float:
        return 0.0 if a[1] == b[1] else -log(max(FASTEST, float(weights[a[0], b[1], a[1]])))

    return length


def information_range(depth: int, window: int, taps: int = 1) -> int:
    """Tokens, itself included, from which something reaches a token through `depth` layers that all have a window."""
    return depth * (window - 1 + taps - 1) + 1


NEAREST = information_range(1, TRAINED, recipes.CONVOLUTION) - 1  # how far back one local layer looks, convolution included


@dataclass(frozen=True)
class Range:
    """How far back a stack of local layers can look: by its windows alone, and with the short convolution as well."""

    layers: int
    window: int
    plain: int
    live: int
    more: int  # tokens that the convolution adds a layer


def stack_range(window: int) -> Range:
    """The six live layers, were all of them local."""
    sizes = recipes.DEPTH, window
    return Range(*sizes, information_range(*sizes), information_range(*sizes, recipes.CONVOLUTION), recipes.CONVOLUTION - 1)


def asks(scene: Scene, row: int | None) -> Answer | None:
    """The question at a token: the last one if none is isolated, None where the isolated token is none."""
    if row is None:
        return scene.answers[-1]
    return next((a for a in scene.answers if a.position == row), None)


# Count


@lru_cache(maxsize=4096)
def live_cost(pattern: str, window: int, tokens: int) -> cost.Cost:
    """The live model counted at so many tokens."""
    return cost.count(live_spec(pattern, window), tokens, weight_dtype=DTYPE, cache_dtype=DTYPE, state_dtype=DTYPE)


@lru_cache(maxsize=64)
def measured_growth(pattern: str, window: int) -> np.ndarray:
    """Cache bytes really kept by the live model after each token of a long random prompt (126,)."""
    return scene(pattern, window, measured_prompt(recall.MAX_PAIRS - 1, asked=16)).cache_bytes


def measured_cache(pattern: str, window: int) -> np.ndarray:
    """The same at the lengths that a curve marks."""
    return measured_growth(pattern, window)[np.array(LENGTHS) - 1]


def measured_share(pattern: str, window: int) -> np.ndarray:
    """What the live model kept of the cache that the all-global one kept, at the same lengths (0 to 1)."""
    return measured_cache(pattern, window) / measured_cache(FULL, TRAINED)


def whole(tokens: int) -> np.ndarray:
    """Cache bytes really kept after each token where every layer is global: no word changes them (tokens,)."""
    return measured_growth(FULL, TRAINED)[:tokens]


def cache_curves(pattern: str, window: int, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Cache bytes at each length, counted: every layer global, the chosen pattern, every layer local."""
    names = dict.fromkeys((FULL, pattern, ALL_LOCAL))
    return {pattern_text(name): np.array([live_cost(name, window, int(n)).cache_bytes for n in lengths]) for name in names}


def everywhere(spec: ModelSpec) -> ModelSpec:
    """The same model with every attention layer global."""

    def reaching(mixer):
        return mixer.remade(reaching) if mixer.made_of() else replace(mixer, reach=Full())

    return replace(spec, layers=tuple(replace(layer, mixer=reaching(layer.mixer)) for layer in spec.layers))


def cache_share(spec: ModelSpec, contexts: np.ndarray) -> np.ndarray:
    """What is kept of the cache that the same model would need with every layer global, at each context (0 to 1)."""
    return np.array([cache_bytes(spec, int(n)) / cache_bytes(everywhere(spec), int(n)) for n in contexts])


def limit(spec: ModelSpec) -> float:
    """Where that share ends for ever longer contexts: 1 / (1 + r), where all layers are equally wide."""
    numbers = [(layer.kind == "full", sum(layer.mixer.cache(1).values())) for layer in spec.layers if layer.mixer]
    return sum(n for grows, n in numbers if grows) / sum(n for _, n in numbers)


def real_cache_curves(key: str, contexts: np.ndarray) -> tuple[np.ndarray, ...]:
    """A real model's cache bytes at each context: with every layer global, and as released."""
    spec = spec_of(key)
    return tuple(np.array([cache_bytes(s, int(n)) for n in contexts]) for s in (everywhere(spec), spec))


@dataclass(frozen=True)
class Windowed:
    """A real model as released, and with every layer global, at one context. Bytes of one sequence, 16-bit cache."""

    key: str
    name: str
    window: int
    kind: str
    local: int
    full: int
    released: int
    whole: int
    limit: float
    flops: int  # attention of one token, as released
    whole_flops: int

    @property
    def share(self) -> float:
        """Of the cache that every layer global would need."""
        return self.released / self.whole


def attention_of(mixer) -> Attention | None:
    """The attention of a layer, also where one projection makes its keys and values; None for anything else."""
    return next(inside(mixer, Attention), None) if mixer and mixer.kind in ("full", "sliding", "chunked") else None


def windows(spec: ModelSpec) -> list[Window]:
    """The reaches of the layers that do not see everything; [] where a layer is not attention."""
    mixers = [attention_of(layer.mixer) for layer in spec.layers]
    return [m.reach for m in mixers if m and isinstance(m.reach, Window)] if all(mixers) else []


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models that have windows, oldest first."""
    return keys_where(windows)


@lru_cache(maxsize=1024)
def real_model(key: str, context: int) -> Windowed:
    """One model at one context."""
    spec = spec_of(key)
    local = windows(spec)
    full = everywhere(spec)
    flops = [cost.count(s, context).flops["attention"] for s in (spec, full)]
    sizes = cache_bytes(spec, context), cache_bytes(full, context)
    outside = len(spec.layers) - len(local)
    return Windowed(key, model_name(key), local[0].size, local[0].kind, len(local), outside, *sizes, limit(spec), *flops)


def real_models(context: int) -> list[Windowed]:
    """Every model with windows, the largest all-global cache first."""
    return sorted((real_model(key, context) for key in users()), key=lambda row: -row.whole)


def reference(wanted: str) -> str:
    """The key of a preset's model, or of the first one with windows where the catalogue lacks it."""
    return wanted if wanted in users() else users()[0]


@dataclass(frozen=True)
class Term:
    """One kind of layer in the formula: so many layers, tokens kept by each, numbers a token: kv_heads x (k_dim + v_dim)."""

    kind: str
    layers: int
    tokens: int
    kv_heads: int
    k_dim: int
    v_dim: int

    @property
    def numbers(self) -> int:
        """Numbers of all these layers."""
        return self.layers * self.tokens * self.kv_heads * (self.k_dim + self.v_dim)


@dataclass(frozen=True)
class Formula:
    """The cache of a model as a sum over its kinds of layers, each number in 2 bytes."""

    name: str
    context: int
    terms: tuple[Term, ...]
    bytes: int
    whole: int

    @property
    def share(self) -> float:
        """Of what every layer global would need."""
        return self.bytes / self.whole


def formula(key: str, context: int) -> Formula:
    """The cache formula of a real model, with the numbers that the calculator gives."""
    spec = spec_of(key)
    found = ((layer.kind, m) for layer in spec.layers if (m := attention_of(layer.mixer)))
    counts = Counter((kind, m.reach.kept(context), m.kv_heads, m.k_dim, m.v_dim) for kind, m in found)
    terms = tuple(Term(kind, n, *sizes) for (kind, *sizes), n in sorted(counts.items()))
    return Formula(model_name(key), context, terms, cache_bytes(spec, context), cache_bytes(everywhere(spec), context))


# Prove


GEMMA, GEMMAS = "2503.19786", "gemma3-27b"  # the report, and the row of the catalogue whose window it is


def by_distance() -> dict[str, dict[str, dict[int, float]]]:
    """{pattern: {distance: {seed: recall}}}."""
    return {
        pattern: {at.removeprefix("recall@"): evidence.by_seed("sliding_window", variant, at) for at in recipes.BUCKETS}
        for pattern, variant in PATTERNS.items()
    }


@dataclass(frozen=True)
class Overhead:
    """The cache as a share of the weights, at a local:global ratio and window."""

    ratio: int
    window: int
    share: float


def gemma() -> dict:
    """The table of Gemma 3's report."""
    return next(t for t in evidence.published("sliding_window") if t["paper"] == GEMMA)


def overheads() -> tuple[float, int, list[Overhead]]:
    """What the ideal formula makes of Gemma 3's printed overhead of a global-only model -> that overhead, its context, and what
    is left at the two ratios that are often mixed up."""
    table = gemma()
    base, window = float(table["rows"][0][1].rstrip(" %")) / 100, windows(spec_of(GEMMAS))[0].size
    context = int(re.findall(r"(\d+)K tokens", table["what"])[0]) << 10
    left = [Overhead(r, window, base * kept_share(r, window, context)) for r in (3, 5)]
    return base, context, left


def kept_share(ratio: int, window: int, context: int) -> float:
    """(1 + r min(w, n) / n) / (1 + r): the share of a global-only cache, where the layers divide evenly."""
    return (1 + ratio * min(window, context) / context) / (1 + ratio)
