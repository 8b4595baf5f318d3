"""RWKV-7 on a reader's words: what every token erases and writes, how fast each channel fades, with less of the erasure done in a
copy; a ball under three cups that must be followed, not looked up; what the state of the released model takes.

Letters: T tokens, H heads, d numbers of a key and of a value. A step of one head, with the share s of the erasure done:
S <- diag(w) S - s (a * c) (c S) + k v^T, where c is what is asked for, of length 1.
"""

import math
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.lessons.common import Runs, spec_of
from core.lessons.recall import script
from core.lessons.recurrent import ATTENTION, Watched, recorded, scene_of
from core.model.decoding.autoregressive import Step, follow
from core.model.mixers.rwkv import SLOWEST, Rwkv7, Rwkv7Module
from core.model.model import Model
from core.model.trace import Trace
from core.train import evidence, zoo
from core.train.recipes import rwkv as recipes
from core.train.recipes.mixers import PAIRS
from core.train.tasks import cups, recall

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
AS_TRAINED = 1.0
MODEL, HYBRID = "rwkv-16", "rwkv-3-1"
HEADS, DEPTH = recipes.HEADS, 2
RWKV = "rwkv7-2.9b"
TRACKING = {variant: recipes.NAMES[variant] for variant in recipes.TRACKING}
PRACTISED = zoo.recipe("cups-rwkv").settings["moves"]
MOVES = cups.LENGTHS
FOLLOWS = 0.9  # right at least so often, in every run: it follows the ball
SWAP = 2  # the removal strength of a step that swaps two things: 1 - 2 c c^T, which has the eigenvalue -1
MOST_LOST = 1 - math.exp(-SLOWEST)  # no channel fades by more at one token
RECORDS = ("query", "key", "value", "decay", "erase", "write")


# Less of the erasure


@lru_cache(maxsize=16)
def weakened(variant: str, strength: float) -> Model:
    """The trained model; with a strength below 1 a copy that does so much of every erasure. The shared model is never touched."""
    model = zoo.load(variant)
    if strength == AS_TRAINED:
        return model
    model = deepcopy(model)
    for module in model.modules():
        if isinstance(module, Rwkv7Module):
            module.removal = strength
    return model


@dataclass(frozen=True)
class Layer:
    """One layer after the run: `memory` (T, H, d, d) after each token, keys by values; `stays` (H, T, d) of each channel; what is
    asked for, `read`, of length 1, and taken out, `erase`; `key` and `value` of the write: (H, T, d)."""

    memory: np.ndarray
    stays: np.ndarray
    read: np.ndarray
    erase: np.ndarray
    key: np.ndarray
    value: np.ndarray

    @property
    def limit(self) -> float:
        """The largest number that the memory ever held."""
        return max(1e-6, float(np.abs(self.memory).max()))

    @property
    def lost(self) -> np.ndarray:
        """(H, d, T): the share of each channel that fades at each token."""
        return 1 - self.stays.transpose(0, 2, 1)

    def before(self, step: int) -> np.ndarray:
        """The memories (H, d, d) that token `step` (from 1) found."""
        return self.memory[step - 2] if step > 1 else np.zeros_like(self.memory[0])


@lru_cache(maxsize=128)
def watch(strength: float, prompt: recall.Prompt) -> Watched:
    """Run the recall model on a prompt, token by token, with so much of every erasure done."""
    model = weakened(MODEL, strength)
    steps = list(follow(model, script(prompt), record=RECORDS))
    return Watched(scene_of(prompt, steps), tuple(layer_of(steps, i, strength) for i in range(len(model.spec.layers))))


def layer_of(steps: list[Step], i: int, strength: float) -> Layer:
    """One layer's gates and memories over all steps."""
    key, value, decay, erase, read = (recorded(steps, i, name) for name in RECORDS[1:])
    memory = np.stack([step.state[i]["mixer"]["memory"][0].numpy() for step in steps])
    return Layer(memory, np.exp(decay), read, strength * erase * read, key, value)


@dataclass(frozen=True)
class Deed:
    """What one token does to one head's memory, as lengths (root of the sum of squares): found, faded, erased, written. `cosine`:
    between the key of the erasure and that of the write, 1 where what is erased is what is written over."""

    found: float
    faded: float
    erased: float
    written: float
    cosine: float


def deed(layer: Layer, head: int, step: int) -> Deed:
    """Token `step` (from 1) at a head."""
    S, t = layer.before(step)[head], step - 1
    read, erase, key, value = (x[head, t] for x in (layer.read, layer.erase, layer.key, layer.value))
    sizes = (S, (1 - layer.stays[head, t])[:, None] * S, np.outer(erase, read @ S), np.outer(key, value))
    cosine = float(read @ key / max(1e-9, np.linalg.norm(key) * np.linalg.norm(read)))
    found, faded, erased, written = (float(np.linalg.norm(x)) for x in sizes)
    return Deed(found, faded, erased, written, cosine)


@dataclass(frozen=True)
class Plane:
    """Keys of a head in the two directions along which those of the whole prompt reach farthest. `read` (2,): what a token asks
    the memory for, of length 1 before it was flattened, as all keys here; `erase` (2,): what of it is taken out; `write` (2,);
    `written` (T, 2) of all tokens up to it, `named` where there is room for a word. `share`: what both directions hold of all."""

    read: np.ndarray
    erase: np.ndarray
    write: np.ndarray
    written: np.ndarray
    named: np.ndarray
    share: float

    @property
    def reach(self) -> float:
        """How far the farthest end lies from the middle."""
        return float(np.linalg.norm(np.vstack([self.written, self.read, self.erase]), axis=-1).max())


def plane(layer: Layer, head: int, step: int) -> Plane:
    """The arrows of token `step` (from 1) at a head."""
    read, key = layer.read[head], layer.key[head]
    key = key / np.maximum(1e-9, np.linalg.norm(key, axis=-1, keepdims=True))
    _, size, directions = np.linalg.svd(np.concatenate([read, key]), full_matrices=False)
    flat = directions[:2].T * np.where((key @ directions[:2].T).sum(0) < 0, -1.0, 1.0)  # most words to the right and up
    share = float((size[:2] ** 2).sum() / (size**2).sum())
    asks, erases, writes = (x[step - 1] @ flat for x in (read, layer.erase[head], key))
    written = key[:step] @ flat
    return Plane(asks, erases, writes, written, roomy(written), share)


def roomy(points: np.ndarray, apart: float = 0.16) -> np.ndarray:
    """Which of (T, 2) points are far enough from every later one that is marked: (T,) bool."""
    marked = np.zeros(len(points), bool)
    for t in reversed(range(len(points))):
        marked[t] = not (np.linalg.norm(points[marked] - points[t], axis=-1) < apart).any()
    return marked


def lowest(stays: np.ndarray, read: np.ndarray, erase: np.ndarray) -> float:
    """The smallest eigenvalue of any transition diag(w) - (s a * c) c^T; w, c and s a * c are (..., d). As a is not negative, its
    eigenvalues are those of diag(w) - u u^T, where u * u = s a c * c."""
    u = np.sqrt(np.maximum(0, erase * read))
    steps = stays[..., None] * np.eye(u.shape[-1]) - u[..., :, None] * u[..., None, :]
    return float(np.linalg.eigvalsh(steps.astype(np.float64)).min())


@lru_cache(maxsize=64)
def forms_difference(strength: float, prompt: recall.Prompt) -> float:
    """The largest difference of any logit between a prompt read at once, as in training, and token by token."""
    model = weakened(MODEL, strength)
    tokens = watch(strength, prompt).scene.run.tokens
    with torch.no_grad():
        at_once = model(torch.tensor(tokens)[None])[0][0, -1].softmax(-1).numpy()
    return float(np.abs(at_once - watch(strength, prompt).scene.run.next).max())


# The ball under the cups


@dataclass(frozen=True)
class Game:
    """A game, where the ball is after each word, and where each model says it is: {variant: (T,) places}."""

    words: tuple[str, ...]
    truth: tuple[str, ...]
    said: dict[str, tuple[str, ...]]

    def right(self, variant: str) -> tuple[bool, ...]:
        """Whether a model is right, after each word."""
        return tuple(a == b for a, b in zip(self.said[variant], self.truth))

    def lost(self, variant: str) -> int:
        """The first move after which a model is wrong; 0 where it never is."""
        return next((i for i, right in enumerate(self.right(variant)) if not right), 0)


@lru_cache(maxsize=128)
def played(words: tuple[str, ...], strength: float) -> Game:
    """The three models on a game, each reading all of it at once."""
    tokens = torch.tensor([[cups.INDEX[word] for word in words]])
    said = {}
    with torch.no_grad():
        for variant in TRACKING:
            places = weakened(variant, strength)(tokens)[0][0, :, : len(cups.PLACES)].argmax(-1)
            said[variant] = tuple(cups.PLACES[p] for p in places.tolist())
    return Game(words, tuple(cups.truth(words)), said)


@lru_cache(maxsize=128)
def eigenvalue(words: tuple[str, ...], strength: float) -> float:
    """The smallest eigenvalue of any step of RWKV-7 in a game: a swap would be -1."""
    trace = Trace("decay", "erase", "write")
    tokens = torch.tensor([[cups.INDEX[word] for word in words]])
    with torch.no_grad():
        weakened("cups-rwkv", strength)(tokens, trace=trace)
    parts = ((trace.every(name)) for name in ("decay", "write", "erase"))
    return min(lowest(g.exp().numpy(), read.numpy(), (strength * a * read).numpy()) for g, read, a in zip(*parts, strict=True))


def game(moves: int, seed: int) -> str:
    """A random game that always parses."""
    tokens, _ = cups.games(moves, 1, torch.Generator().manual_seed(seed))
    return " ".join(cups.WORDS[t] for t in tokens[0].tolist())


# Count


@dataclass(frozen=True)
class State:
    """The state of RWKV-7 2.9B, one sequence in float32: matrices and, for each layer, two columns for the token before."""

    layers: int
    heads: int
    width: int
    d_model: int
    elements: int
    bytes: int


@lru_cache(maxsize=1)
def state() -> State:
    """Counted from the row of the catalogue."""
    spec = spec_of(RWKV)
    m, counted = next(spec.parts(Rwkv7)), cost.count(spec, 1, state_dtype="float32")
    return State(len(spec.layers), m.heads, m.width, spec.d_model, counted.state_elements, counted.state_bytes)


# Prove


RUNS = Runs(recipes.MECHANISM, (MODEL, HYBRID, ATTENTION, "attention-4"), PAIRS)


def by_moves() -> dict[str, dict[int, list[float]]]:
    """{variant: {moves: share of right answers of every seed}}."""
    return {v: {n: evidence.final("rwkv", v, f"right@{n}") for n in MOVES} for v in TRACKING}


def tracking_text() -> list[str]:
    """A sentence for each model that has run: how often it is right after so many moves, and what that amounts to."""
    return [f"{RUNS.label(v)}: {followed(runs)}" for v, runs in by_moves().items() if any(runs.values())]


def followed(runs: dict[int, list[float]]) -> str:
    """Whether every run is right often enough, and up to where: {moves: shares} -> words."""
    shares = ", ".join(f"{np.mean(values):.0%} after {n}" for n, values in runs.items() if values)
    kept = [n for n, values in runs.items() if values and min(values) >= FOLLOWS]
    through = [n for n, values in runs.items() if values]
    if kept == through:
        return f"follows the ball at every length measured ({shares} moves)."
    if kept and kept == through[: len(kept)]:
        return f"follows it for {kept[-1]} moves and has lost it after {through[len(kept)]} ({shares} moves)."
    return f"does not follow it ({shares} moves)."
