"""Gated short convolutions: the trained models on the reader's words, what the gates let through, how far a change of one word
reaches in the live model, memory counted and measured, the released models.

Letters: T tokens, n tokens so far, L layers, K taps of the gated convolution, k taps of the short one that stands before every
mixer of ours, D width.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from core.count import cost
from core.count.dtypes import DTYPES
from core.lessons import common, recurrent, sliding_window
from core.lessons.common import Kept, Runs, keys_where, model_name, spec_of
from core.lessons.recall import DTYPE, Answer, Finder, Scene, checkpoint_scene, live_cost
from core.lessons.recurrent import Watched
from core.model.mixers.attention import Attention
from core.model.mixers.shortconv import GatedConv
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.train import zoo
from core.train.recipes import liquid as recipes
from core.train.recipes.mixers import PAIRS
from core.train.tasks import recall

NONE, LAST = "none", "last"
PLACES = {NONE: "conv-4", "first": "conv-a1", "second": "conv-a2", "third": "conv-a3", LAST: "conv-3-1"}
ALONE = "attention-4"
DEPTH, KERNEL = len(recipes.RECIPES[0].spec.layers), recipes.KERNEL
SHORT = recipes.RECIPES[0].spec.layers[0].input_conv
SMALL = 3.5e9  # parameters of a model that is compared with one for a phone


def attends(place: str) -> int:
    """Which layer attends, counted from 0; -1 where none does."""
    kinds = [layer.kind for layer in zoo.recipe(PLACES[place]).spec.layers]
    return kinds.index("full") if "full" in kinds else -1


def convolutions(place: str) -> tuple[int, ...]:
    """The layers that are gated convolutions, counted from 1."""
    return tuple(i for i in range(1, DEPTH + 1) if i - 1 != attends(place))


def watch(place: str, prompt: recall.Prompt) -> Watched:
    """A model on a prompt, with everything that its layers recorded."""
    return recurrent.watch(PLACES[place], prompt)


def maps(shown: Watched) -> np.ndarray:
    """(L, T, T): what each token takes up from which, shares of each row, mean over heads."""
    return np.stack([layer.strength.mean(0) for layer in shown.layers])


def finding_head(place: str, shown: Scene, answer: Answer) -> Finder | None:
    """The head that looks at the true thing, where one does."""
    return sliding_window.finding_head(shown, answer) if attends(place) >= 0 else None


# Two gates and three taps


@dataclass(frozen=True)
class Conveyor:
    """One channel of a gated convolution at one token. Of the K tokens that it sees, the oldest first (K,): their words, what
    enters, the gate before, the tap; then the sum of the products, the gate after, what leaves."""

    channel: int
    words: tuple[str, ...]
    value: np.ndarray
    before: np.ndarray
    taps: np.ndarray
    total: float
    after: float

    @property
    def gated(self) -> np.ndarray:
        """What is left of each behind the first gate (K,)."""
        return self.value * self.before

    @property
    def out(self) -> float:
        """What leaves."""
        return self.total * self.after


def conveyor(place: str, shown: Watched, layer: int, at: int) -> Conveyor:
    """The channel of a layer (from 1) that gives most at a token."""
    gates, taps = shown.layers[layer - 1].gates, taps_of(place, layer)
    before, after, value = (gates[name][0] for name in ("write", "query", "value"))  # (T, D)
    seen = np.arange(at - KERNEL + 1, at + 1)
    inside = (seen >= 0)[:, None]
    rows = np.maximum(seen, 0)
    total = (taps.T * before[rows] * value[rows] * inside).sum(0)  # (D,)
    channel = int(np.abs(total * after[at]).argmax())
    words = tuple(shown.words[t] if t >= 0 else "" for t in seen)
    value, before = (part[rows, channel] * inside[:, 0] for part in (value, before))
    return Conveyor(channel, words, value, before, taps[channel], float(total[channel]), float(after[at, channel]))


def taps_of(place: str, layer: int) -> np.ndarray:
    """(D, K): the taps of a layer, the oldest token's first."""
    return zoo.load(PLACES[place]).get_parameter(f"layers.{layer - 1}.conv.conv.weight")[:, 0].numpy()


def gates(shown: Watched, layer: int) -> np.ndarray:
    """(2, D, T): the gate before and the gate after, of every channel and token."""
    found = shown.layers[layer - 1].gates
    return np.stack([found[name][0].T for name in ("write", "query")])


# How far a change reaches


@dataclass(frozen=True)
class Impulse:
    """One word of the text changed: how much every later token's stream moves after each layer, as a share of itself (L + 1, S),
    S tokens from the changed one on; row 0 is the words. Exactly 0 where nothing arrives."""

    at: int
    moved: np.ndarray

    @property
    def reach(self) -> np.ndarray:
        """(L + 1,): tokens that are moved, the changed one included."""
        return np.array([int(row.nonzero()[0].max()) + 1 if row.any() else 0 for row in self.moved])


@lru_cache(maxsize=128)
def impulse(place: str, prompt: recall.Prompt, at: int) -> Impulse:
    """Measured: the live model on the text, and with one word taken for another of its kind."""
    tokens = torch.tensor(checkpoint_scene(PLACES[place], prompt).run.tokens)[None]
    other = tokens.clone()
    kind = recall.FIRST_THING if tokens[0, at] >= recall.FIRST_THING else recall.FIRST_NAME
    other[0, at] = kind + (tokens[0, at] - kind + 1) % len(recall.THINGS)
    plain, changed = streams(place, torch.cat([tokens, other]))
    moved = (plain - changed).norm(dim=-1) / plain.norm(dim=-1).clamp(min=1e-9)
    return Impulse(at, moved[:, at:].numpy())


@torch.no_grad()
def streams(place: str, tokens: Tensor) -> Tensor:
    """tokens (B, T) -> (B, L + 1, T, D): the words, and the residual stream after each layer."""
    model, trace = zoo.load(PLACES[place]), Trace("residual")
    model(tokens, trace=trace)
    return torch.stack([model.embed_tokens(tokens), *trace.every("residual")], 1)


def expected(place: str, layers: int, tokens: int) -> int:
    """Tokens that a change reaches through the first so many layers, itself included, of `tokens` that follow: (K - 1) a gated
    convolution and (k - 1) the short one before every mixer; all of them behind attention."""
    if 0 <= attends(place) < layers:
        return tokens
    return min(tokens, layers * (KERNEL - 1 + SHORT - 1) + 1)


def plain(kernel: int = KERNEL, layers: int = DEPTH) -> int:
    """The reach of gated convolutions alone: (K - 1) L + 1."""
    return (kernel - 1) * layers + 1


def changed(shown: Scene, row: int | None) -> tuple[int, int]:
    """Which word is changed for a token of the picture, and which token waits for it: a question's true answer and the question,
    any other token and the last question."""
    asked = next((a for a in shown.answers if a.position == row), None) or shown.answers[-1]
    if row is None or row == asked.position:
        return max(asked.source, 0), asked.position
    return row, shown.answers[-1].position


# Count


@lru_cache(maxsize=512)
def rungs(place: str, tokens: int) -> tuple[tuple[str, int], ...]:
    """The live model's layers from the first: what each is, and the bytes that it keeps."""
    size, found = int(DTYPES[DTYPE][0]), live_cost(PLACES[place], tokens).layers
    kept_of = [size * sum((layer.cache | layer.state).values()) for layer in found]
    return tuple(("attention" if i == attends(place) else "convolution", kept) for i, kept in enumerate(kept_of))


# Real models


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models with gated convolutions, oldest first."""
    return keys_where(lambda spec: any(spec.parts(GatedConv)))


@lru_cache(maxsize=1)
def others() -> tuple[str, ...]:
    """Keys of models of a phone's size that attend in every layer."""

    def is_other(spec: ModelSpec) -> bool:
        mixers = [layer.mixer for layer in spec.layers if layer.mixer]
        attends = bool(mixers) and mixers == list(spec.parts(Attention)) and spec.decoding == "autoregressive"
        return attends and cost.count(spec, 1).params_total <= SMALL

    return keys_where(is_other)


def everywhere(key: str) -> ModelSpec:
    """A released model with its attention in the place of every convolution."""
    return common.attentive(spec_of(key), (GatedConv,))


def attending_layers(key: str) -> tuple[int, ...]:
    """The layers of a released model that attend, from 1."""
    return tuple(i for i, layer in enumerate(spec_of(key).layers, 1) if any(layer.parts(Attention)))


@lru_cache(maxsize=256)
def real_model(key: str, context: int) -> Kept:
    """One model at one context, 16 bits."""
    return Kept.of(model_name(key), spec_of(key), everywhere(key), context)


@dataclass(frozen=True)
class Formula:
    """The factors of what a released model keeps."""

    name: str
    context: int
    attention: int  # layers
    kv_heads: int
    width: int
    convolutions: int  # layers
    columns: int  # K - 1
    d_model: int
    cache_bytes: int
    state_bytes: int


def formula(key: str, context: int) -> Formula:
    """A released model's, with the bytes that the calculator gives."""
    r, s, attends = real_model(key, context), spec_of(key), len(attending_layers(key))
    a, m = next(s.parts(Attention)), next(s.parts(GatedConv))
    convolutions = len(s.layers) - attends
    return Formula(r.name, context, attends, a.kv_heads, a.k_dim, convolutions, m.kernel - 1, s.d_model, r.cache, r.state)


# Prove


RUNS = Runs(recipes.MECHANISM, tuple(recipes.NAMES), PAIRS)


def training_steps() -> dict[str, int]:
    """How long each kind was trained: {in a few words: steps}."""
    kinds = {"without attention": "conv-4", "with one layer of it": "conv-3-1", "with attention in every layer": ALONE}
    return {kind: zoo.recipe(v).steps for kind, v in kinds.items()}
