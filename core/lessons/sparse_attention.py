"""Sparse attention: a scorer trained beside latent attention, run with any top-k on the reader's words; what it picks against
what is read, arithmetic and memory counted, real models with and without it.

Letters: L layers, H heads, T tokens, k tokens picked for a query, n tokens so far, h heads of the scorer, w their width.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import log2

import numpy as np
import torch

from core.count import cost
from core.lessons.common import CONTEXTS, first_context, keys_where, model_name, spec_of
from core.lessons.recall import DTYPE, Scene, play
from core.lessons.recall import checkpoint_scene as trained_scene
from core.model.mixers.sparse import Indexed
from core.model.model import Model
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.real import catalogue
from core.shape import ladder
from core.train import evidence, zoo
from core.train.recipes import sparse_attention as recipes
from core.train.tasks import recall, selection

VARIANT = "indexed"
TOP_K = (1, 2, 4, 8, 16, 32, 64, 128)  # the last one is everything: a prompt has no more tokens
EVERYTHING, TYPICAL = TOP_K[-1], 8
LAYERS = tuple(range(1, len(recipes.SPEC.layers) + 1))
SHOWN = {"deepseek-v3.2": "32k", "glm-5": "128k"}  # presets: a model, and the context that its share of is shown at
PAIRS = recipes.PAIRS
METRIC = f"recall@{PAIRS}"


# On the reader's words


@lru_cache(maxsize=len(TOP_K))
def picking_model(top_k: int) -> Model:
    """The trained weights, reading so many tokens."""
    return selection.picking(zoo.load(VARIANT), top_k)


@lru_cache(maxsize=256)
def scene(top_k: int, prompt: recall.Prompt) -> Scene:
    """The model with a top-k on a prompt, token by token with the cache."""
    return play(picking_model(top_k), prompt)


def whole(prompt: recall.Prompt) -> Scene:
    """The same where every token is read."""
    return trained_scene(VARIANT, prompt)


@dataclass(frozen=True)
class Picked:
    """What the scorer likes and what attention reads, on the tokens of the whole model's run: (L, T, T), row = the token asking.

    attention   of the whole model, mean over its heads
    scores      softmax of the whole model's scores: what the scorer guesses that attention to be
    chosen      bool: picked by the model with this top-k
    read        that model's own attention, mean over heads
    """

    words: tuple[str, ...]
    attention: np.ndarray
    scores: np.ndarray
    chosen: np.ndarray
    read: np.ndarray


@lru_cache(maxsize=128)
def picked(top_k: int, prompt: recall.Prompt) -> Picked:
    """Both models in one pass over the same tokens."""
    run = whole(prompt)
    full, few = (traced(m, run.run.tokens) for m in (zoo.load(VARIANT), picking_model(top_k)))
    return Picked(run.words, full["attention"].mean(2)[:, 0], softmax(full["indexer"][:, 0]), few["picked"][:, 0] > 0,
                  few["attention"].mean(2)[:, 0])  # fmt: skip


@torch.no_grad()
def traced(m: Model, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """One pass -> what every layer recorded, by name: (L, 1, ...)."""
    trace = Trace("attention", "indexer", "picked")
    m(torch.tensor(tokens)[None], trace=trace)
    return {name: torch.stack(trace.every(name)).float().numpy() for name in trace.names}


def softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last dimension; what cannot be seen is -inf."""
    size = np.exp(scores - scores.max(-1, keepdims=True))
    return size / size.sum(-1, keepdims=True)


def window(tokens: int, width: int) -> np.ndarray:
    """(T, T) bool: the last `width` tokens of each, itself included."""
    back = np.arange(tokens)[:, None] - np.arange(tokens)
    return (back >= 0) & (back < width)


def best(attention: np.ndarray, top_k: int) -> np.ndarray:
    """(L, T, T) bool: the tokens of most attention, as many as are picked; no scorer can keep more."""
    rank = (-attention).argsort(-1, kind="stable").argsort(-1, kind="stable")
    return rank < top_k


@dataclass(frozen=True)
class Shares:
    """Of whole attention, how much lies on what is read (0 to 1): picked, the last k, the best k."""

    picked: float
    window: float
    best: float


def shares(p: Picked, top_k: int, row: int | None = None) -> Shares:
    """Mean over layers and tokens, or over layers of one token."""
    at = slice(None) if row is None else slice(row, row + 1)
    masks = p.chosen, np.broadcast_to(window(len(p.words), top_k), p.chosen.shape), best(p.attention, top_k)
    return Shares(*(float((p.attention * mask)[:, at].sum(-1).mean()) for mask in masks))


@dataclass(frozen=True)
class Said:
    """What is answered to one question by each way to choose the tokens that are read, and what is true."""

    name: str
    truth: str
    picked: str
    window: str
    whole: str


@lru_cache(maxsize=128)
def answers_by_choice(top_k: int, prompt: recall.Prompt) -> tuple[Said, ...]:
    """Every question, answered by the picked tokens, by as many of the last, by all."""
    run = whole(prompt)
    told = selection.reading(zoo.load(VARIANT), top_k, selection.latest(len(run.words)))
    with torch.no_grad():
        last = told(torch.tensor(run.run.tokens)[None])[0][0].argmax(-1).tolist()
    pairs = zip(scene(top_k, prompt).answers, run.answers, strict=True)
    return tuple(Said(a.name, a.truth, a.said, recall.WORDS[last[b.position]], b.said) for a, b in pairs)


# Count


@lru_cache(maxsize=4096)
def live_cost(top_k: int, tokens: int) -> cost.Cost:
    """The live model counted at so many tokens."""
    spec = recipes.SPEC.remixed(Indexed, lambda m: replace(m, top_k=top_k))
    return cost.count(spec, tokens, weight_dtype=DTYPE, cache_dtype=DTYPE, state_dtype=DTYPE)


@dataclass(frozen=True)
class Cache:
    """Bytes of one sequence: what latent attention keeps, and the scorer's keys on top."""

    latent: int
    keys: int

    @property
    def total(self) -> int:
        """Both."""
        return self.latent + self.keys


def cache(c: cost.Cost) -> Cache:
    """A count's cache in its two parts."""
    keys = sum(layer.cache.get("index_key", 0) for layer in c.layers) * c.cache_bytes // c.cache_elements
    return Cache(c.cache_bytes - keys, keys)


def dense(spec: ModelSpec) -> ModelSpec:
    """The same model without a scorer: latent attention reads everything."""
    return spec.remixed(Indexed, lambda m: m.latent)


@dataclass(frozen=True)
class Split:
    """FLOPs of one decode step of all layers at each context: the scorer's, attention's, and attention's without a scorer."""

    scorer: np.ndarray
    attention: np.ndarray
    dense: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Scorer and attention."""
        return self.scorer + self.attention


def flops_split(spec: ModelSpec, contexts) -> Split:
    """A model's arithmetic that depends on context. The projections, which do not, are left out; the scorer's own are in."""
    with_it, without = ([cost.count(s, int(n)).flops for n in contexts] for s in (spec, dense(spec)))
    return Split(
        np.array([f["indexer"] for f in with_it]), np.array([f["attention"] for f in with_it]),
        np.array([f["attention"] for f in without]),
    )  # fmt: skip


def cheaper(s: Split) -> bool:
    """Do scorer and attention together need fewer FLOPs than attention to everything, at the first context?"""
    return bool(s.total[0] < s.dense[0])


@lru_cache(maxsize=256)
def pays(spec: ModelSpec) -> int:
    """The first context at which scorer and attention together need fewer FLOPs than attention to everything."""
    return first_context(lambda n: cheaper(flops_split(spec, [n])))


@lru_cache(maxsize=256)
def overtakes(spec: ModelSpec) -> int:
    """The first context at which the scorer needs more than the attention that it saves for."""

    def above(n: int) -> bool:
        s = flops_split(spec, [n])
        return bool(s.scorer[0] > s.attention[0] and cheaper(s))

    return first_context(above)


# Real models


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models that score over latent attention, oldest first."""
    return keys_where(lambda spec: all(layer.kind == "mla+indexer" for layer in spec.layers))


@lru_cache(maxsize=1)
def others() -> tuple[tuple[str, str], ...]:
    """Models whose latent attention reads everything, and those that pick compressed entries: (key, what a layer keeps)."""
    found = []
    for key in catalogue.entries():
        mixers = [layer.mixer for layer in spec_of(key).layers if layer.mixer]
        if (mixers and all(m.kind == "mla" for m in mixers)) or any(m.kind == "compressed" for m in mixers):
            found.append((key, ladder.label(max(mixers, key=lambda m: getattr(m, "top_k", 0)))))
    return tuple(found)


def default_model() -> str:
    """The model that is shown first."""
    return next((key for key in SHOWN if key in users()), users()[0])


@dataclass(frozen=True)
class RealModel:
    """A real model at a context: its scorer and what it does to one decode step and to the cache, beside reading everything."""

    key: str
    name: str
    top_k: int
    heads: int
    width: int
    context: int
    scorer: int
    attention: int
    dense: int
    cache: Cache

    @property
    def fewer(self) -> float:
        """How many times fewer FLOPs than attention to everything."""
        return self.dense / (self.scorer + self.attention)

    @property
    def share(self) -> float:
        """The scorer's part of what is left."""
        return self.scorer / (self.scorer + self.attention)

    @property
    def more(self) -> float:
        """The scorer's keys as a share of what the cache was."""
        return self.cache.keys / self.cache.latent


@lru_cache(maxsize=256)
def real_model(key: str, context: int) -> RealModel:
    """One model at one context, 16-bit cache."""
    s, m = flops_split(spec_of(key), [context]), next(spec_of(key).parts(Indexed))
    kept = cache(cost.count(spec_of(key), context, cache_dtype="bfloat16"))
    return RealModel(
        key, model_name(key), m.top_k, m.heads, m.width, context, int(s.scorer[0]), int(s.attention[0]), int(s.dense[0]), kept
    )


def presets() -> dict[str, dict]:
    """Each real model at a context: its top-k is the same share of that context as the live one of the first prompt."""
    there = {key: context for key, context in SHOWN.items() if key in users()}
    rows = {key: (next(spec_of(key).parts(Indexed)).top_k, context) for key, context in there.items()}
    return {
        f"{model_name(key).split(' ')[0]}: {k:,} of {context}": {
            "real": key,
            "context": context,
            "top_k": alike(k, CONTEXTS[context]),
        }
        for key, (k, context) in rows.items()
    }


def alike(top_k: int, context: int, tokens: int = 42) -> int:
    """The setting that is nearest to the same share of a prompt of so many tokens."""
    return min(TOP_K, key=lambda k: abs(log2(k) - log2(tokens * top_k / context)))


@dataclass(frozen=True)
class Formula:
    """The factors of one decode step of one layer at a context, with the FLOPs that the calculator gives."""

    name: str
    context: int
    heads: int  # of the scorer
    width: int
    weights: int  # elements of the scorer's matrices
    readers: int  # heads of latent attention
    latent: int
    rope: int
    picked: int
    scorer: int
    attention: int


def formula(key: str, context: int) -> Formula:
    """A real model's, from its first layer."""
    s = spec_of(key)
    m = next(s.parts(Indexed))
    f = m.flops(s.d_model, 1, context)
    return Formula(
        model_name(key), context, m.heads, m.width, m.weights(s.d_model), m.latent.heads, m.latent.kv_rank, m.latent.rope_dim,
        min(context, m.top_k), f["indexer"], f["attention"],
    )  # fmt: skip


# Prove


WINDOW, RANDOM = recipes.WINDOW, recipes.RANDOM


def by_top_k() -> dict[str, dict[int, list[float]]]:
    """{what is measured: {k: value of every seed}}: recall and share kept by the picked, recall by other choices."""
    found = {
        "recall, picked": {k: evidence.final("sparse_attention", VARIANT, f"recall, {k} picked") for k in recipes.PICKS},
        "attention kept, picked": {k: evidence.final("sparse_attention", VARIANT, f"kept, {k} picked") for k in recipes.PICKS},
        "recall, the last": {WINDOW: evidence.final("sparse_attention", VARIANT, f"recall, last {WINDOW}")},
        "recall, at random": {RANDOM: evidence.final("sparse_attention", VARIANT, f"recall, {RANDOM} at random")},
    }
    return {what: {k: values for k, values in rows.items() if values} for what, rows in found.items()}


def learning() -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """Recall of the whole attention while training, and of 8 picked: {which: {seed: (steps, values)}}."""
    metrics = {"all tokens": METRIC, f"{TYPICAL} picked": f"recall, {TYPICAL} picked", "2 picked": "recall, 2 picked"}
    return {which: evidence.learning("sparse_attention", VARIANT, metric) for which, metric in metrics.items()}
