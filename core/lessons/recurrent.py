"""Trained recurrent models on a reader's words: what is kept after every token, how much decays, is erased and written, and the
attention that all of it amounts to.

Letters: L layers, T tokens, H heads, d numbers of a key, v of a value. Pages on delta nets, Mamba, RWKV, xLSTM, convolutions
and the one that puts them side by side read their pictures from here.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core import zoo
from core.decoding.autoregressive import follow
from core.lessons.recall import Scene, scene, script
from core.model import Model
from core.tasks import recall
from core.trace import Trace

GATES = ("query", "key", "value", "decay", "write", "erase")
PAIRS = 24  # what the models have learned


@dataclass(frozen=True)
class Layer:
    """One layer after the run. `weights` (H, T, T): attention, or what a recurrence amounts to (signed, `implicit`); `gates`: by
    name (H, T, d), see core/trace.py; `memory` (T, H, d, v) after each token, empty where the layer keeps none."""

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
    """A prompt and a model after the run, with everything that its layers recorded."""

    scene: Scene
    layers: tuple[Layer, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens."""
        return self.scene.words


@lru_cache(maxsize=64)
def watch(variant: str, prompt: recall.Prompt) -> Watched:
    """Run a checkpoint on a prompt: token by token for answers, cache and memories, then all at once for what it amounts to."""
    model, played = zoo.load(variant), scene(variant, prompt)
    trace = Trace("attention", "effective", *GATES)
    with torch.no_grad():
        model(torch.tensor(played.run.tokens)[None], trace=trace)
    kept = memories(model, prompt)
    return Watched(played, tuple(layer_of(model, i, trace, kept[i]) for i in range(len(model.spec.layers))))


def memories(model: Model, prompt: recall.Prompt) -> list[np.ndarray]:
    """Every layer's matrix after each token: (T, H, d, v), or (0,) where it keeps none."""
    states = [step.state for step in follow(model, script(prompt))]
    found = ([state[i]["mixer"].get("memory") for state in states] for i in range(len(model.spec.layers)))
    return [np.zeros(0) if layer[0] is None else torch.cat(layer).numpy() for layer in found]


def layer_of(model: Model, i: int, trace: Trace, memory: np.ndarray) -> Layer:
    """One layer's records as arrays."""
    records = {name: tensor[0].numpy() for (layer, name), tensor in trace.records.items() if layer == i}
    weights = records.get("attention", records.get("effective", np.zeros((0, 0, 0), np.float32)))
    gates = {name: records[name] for name in GATES if name in records}
    return Layer(model.spec.layers[i].kind, "attention" not in records, weights, gates, memory)
