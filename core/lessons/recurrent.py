"""Trained recurrent models on a reader's words: what is kept after every token, how much decays, is erased and written, and the
attention that all of it amounts to.

Letters: L layers, T tokens, H heads, d numbers of a key, v of a value. Pages on delta nets, Mamba, RWKV, xLSTM, convolutions
and the one that puts them side by side read their pictures from here.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.count.cost import LONGEST
from core.count.dtypes import DTYPES
from core.lessons.common import cache_bytes, first_context, keys_where, measured_prompt, spec_of
from core.lessons.recall import DTYPE, LENGTHS, Scene, answers, checkpoint_scene, script
from core.model.decoding.autoregressive import Run, Step, elements, follow
from core.model.model import Model
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.real import catalogue
from core.real.catalogue import Entry
from core.shape import ladder
from core.train import zoo
from core.train.tasks import recall

GATES = ("query", "key", "value", "decay", "write", "erase")
PAIRS = 24  # what the models have learned
ATTENTION = "attention-2"


@dataclass(frozen=True)
class Layer:
    """One layer after the run. `weights` (H, T, T): attention, or what a recurrence amounts to (signed, `implicit`); `gates`: by
    name (H, T, d), see core/model/trace.py; `memory` (T, H, d, v) after each token, empty where the layer keeps none."""

    kind: str
    implicit: bool
    weights: np.ndarray
    gates: dict[str, np.ndarray]
    memory: np.ndarray

    @property
    def strength(self) -> np.ndarray:
        """(H, T, T): shares of each row, signs left out, so that panels of any mixer compare on one scale from 0 to 1."""
        size = np.abs(self.weights)
        return size / np.maximum(size.sum(-1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Watched:
    """A prompt and a model after the run, with everything that its layers recorded: a `Layer` each, or a lesson's own."""

    scene: Scene
    layers: tuple

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens."""
        return self.scene.words


@lru_cache(maxsize=64)
def watch(variant: str, prompt: recall.Prompt) -> Watched:
    """Run a checkpoint on a prompt: token by token for answers, cache and memories, then all at once for what it amounts to."""
    model, played = zoo.load(variant), checkpoint_scene(variant, prompt)
    trace = Trace("attention", "effective", *GATES)
    with torch.no_grad():
        model(torch.tensor(played.run.tokens)[None], trace=trace)
    kept = memories(model, prompt)
    return Watched(played, tuple(layer_of(model, i, trace, kept[i]) for i in range(len(model.spec.layers))))


def memories(model: Model, prompt: recall.Prompt) -> list[np.ndarray]:
    """Every layer's matrix after each token: (T, H, d, v), or (0,) where it keeps none."""
    depth = len(model.spec.layers)
    found: list[list] = [[] for _ in range(depth)]
    for step in follow(model, script(prompt)):
        for layer, kept in zip(found, step.state, strict=True):
            layer.append(kept["mixer"].get("memory"))
        if all(layer[0] is None for layer in found):
            break  # no layer of this model keeps a matrix
    return [np.zeros(0) if layer[0] is None else torch.cat(layer).numpy() for layer in found]


def layer_of(model: Model, i: int, trace: Trace, memory: np.ndarray) -> Layer:
    """One layer's records as arrays."""
    records = {name: tensor[0].numpy() for (layer, name), tensor in trace.records.items() if layer == i}
    weights = records.get("attention", records.get("effective", np.zeros((0, 0, 0), np.float32)))
    gates = {name: records[name] for name in GATES if name in records}
    return Layer(model.spec.layers[i].kind, "attention" not in records, weights, gates, memory)


def scene_of(prompt: recall.Prompt, steps: list[Step]) -> Scene:
    """The steps as a scene; nothing attends."""
    tokens, given, probability = (np.array([getattr(s, name) for s in steps]) for name in ("token", "given", "probability"))
    state = np.array([sum(elements(s.state).values()) for s in steps])
    none = np.zeros(0, np.float32)
    run = Run(tokens, given, probability, none, none, 0 * state, state, steps[-1].next.numpy())
    words, size = tuple(recall.WORDS[t] for t in tokens), int(DTYPES[DTYPE][0])
    return Scene(words, tuple(answers(prompt, words, run)), run, 0 * state, state * size)


def recorded(steps: list[Step], i: int, name: str) -> np.ndarray:
    """A record of a layer over all steps: (H, T, 1 or w); (0,) where it has none."""
    found = [s.trace.records[i, name][0, :, 0].numpy() for s in steps if (i, name) in s.trace.records]
    return np.stack(found, 1) if found else np.zeros(0)


# What the live models keep


@lru_cache(maxsize=16)
def measured_state(variant: str) -> np.ndarray:
    """The same, measured on the live model at LENGTHS."""
    model = zoo.load(variant)
    kept = [sum(elements(step.state).values()) for step in follow(model, script(measured_prompt()))]
    return np.array([kept[n - 1] for n in LENGTHS]) * int(DTYPES[DTYPE][0])


# Real models


@dataclass(frozen=True)
class Keeper:
    """A model of the catalogue that keeps a state: by which mixer, its size in one layer, in how many of its layers, bytes of one
    sequence in float32."""

    entry: Entry
    mixer: str
    size: str
    layers: int
    depth: int
    bytes: int


@lru_cache(maxsize=4)
def keepers(first: str) -> tuple[Keeper, ...]:
    """Every model of the catalogue that keeps a state which does not grow, those with one mixer first."""
    found = (keeper(entry, entry.reading.spec) for entry in catalogue.entries().values())
    return tuple(sorted((k for k in found if k), key=lambda k: k.mixer != first))


def keeper(entry: Entry, spec: ModelSpec) -> Keeper | None:
    """One model; None where no layer keeps a state."""
    holding = [layer.mixer for layer in spec.layers if layer.mixer and layer.mixer.state(spec.d_model)]
    if not holding or spec.decoding != "autoregressive":
        return None
    m, size = holding[0], cost.count(spec, 1, state_dtype="float32").state_bytes
    return Keeper(entry, ladder.label(m), ladder.size(m), len(holding), len(spec.layers), size)


@lru_cache(maxsize=1)
def growing() -> tuple[str, ...]:
    """Keys of the catalogue's models that keep a cache and no recurrent state."""
    return keys_where(grows)


def grows(spec: ModelSpec) -> bool:
    """Does its cache grow with every token, in some layer, and is there nothing else?"""
    if spec.decoding != "autoregressive" or cost.count(spec, 1).state_elements:
        return False
    return cache_bytes(spec, 1 << 17) > cache_bytes(spec, 1 << 16)


def cached(key: str, tokens: int) -> int:
    """Cache bytes of a real model after so many tokens."""
    return cache_bytes(spec_of(key), tokens)


@lru_cache(maxsize=1024)
def reached(key: str, size: int) -> int:
    """The first token from which on the cache of a model is at least so many bytes."""
    return first_context(lambda n: cached(key, n) >= size, LONGEST)


def caught_up(size: int) -> list[tuple[str, int]]:
    """Every growing cache of the catalogue with the first token at which it is at least so many bytes, soonest first."""
    return sorted(((key, reached(key, size)) for key in growing()), key=lambda row: row[1])


def crossing(key: str, size: int, contexts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes at each context: the cache of a model, and a state that stays as it is."""
    return np.array([cached(key, int(n)) for n in contexts]), np.full(len(contexts), size)
