"""State space models: trained Mamba-2 on the reader's words as a recurrence and as written-out attention, what a token's step
size makes of it, memory counted and measured, real hybrids with and without their Mamba layers.

Letters: T tokens, n tokens so far, H heads, N numbers that a channel keeps, P channels a head, t step size.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.lessons import common
from core.lessons.common import Kept, Runs, memory_bytes, model_name, spec_of
from core.lessons.recurrent import Layer
from core.model.mixers.attention import Attention
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.spec import ModelSpec
from core.real import catalogue
from core.shape import ladder
from core.train import evidence, zoo
from core.train.recipes import mamba as recipes
from core.train.recipes.mixers import PAIRS

PURE, HYBRID = "none", "1 of 4"
SHARES = (PURE, HYBRID)
STATES = recipes.STATES
TYPICAL = 16  # the state that the hybrid was trained with
ATTENTION = {PURE: "attention-2", HYBRID: "attention-4"}  # as many layers of attention alone
LADDERS = ("nemotron-h-8b", "granite-4.0-h-small", "jamba-v0.1", "falcon-h1-7b")
MAMBA = (Mamba1, Mamba2)


def variant(share: str, state: int) -> str:
    """The checkpoint that a setting of the controls means."""
    return "mamba-3-1" if share == HYBRID else f"mamba-{state}"


def trained(share: str) -> tuple[int, ...]:
    """The sizes of state that a share of attention was trained with."""
    return (TYPICAL,) if share == HYBRID else STATES


def described(name: str) -> str:
    """A variant in words."""
    spec = zoo.recipe(name).spec
    attends, state = len(list(spec.parts(Attention))), next(spec.parts(Mamba2)).state_size
    return f"{len(spec.layers) - attends} layers of Mamba-2, state {state}" + f", {attends} of attention" * bool(attends)


def opening(name: str) -> int:
    """The layer that is shown first, counted from 1: the last one of Mamba-2."""
    kinds = [layer.kind for layer in zoo.recipe(name).spec.layers]
    return len(kinds) - kinds[::-1].index("state")


# One layer, two ways


@dataclass(frozen=True)
class Dual:
    """A layer of Mamba-2 as attention: what is left of each token (H, T, T), and that times read and write and step size; the
    largest difference between what both ways give, as a share of the largest number given."""

    mask: np.ndarray
    weights: np.ndarray
    difference: float

    @property
    def strength(self) -> np.ndarray:
        """(H, T, T): shares of each row, signs left out."""
        size = np.abs(self.weights)
        return size / np.maximum(size.sum(-1, keepdims=True), 1e-9)

    @property
    def left(self) -> tuple[float, float]:
        """Of what the first token wrote, the share that is left at the last one: of the head that forgets most, and least."""
        last = self.mask[:, -1, 0]
        return float(last.min()), float(last.max())


def dual(layer: Layer) -> Dual:
    """Written out from what the layer recorded, and compared with its memory read token by token."""
    g, q, k, v, dt = (layer.gates[name] for name in ("decay", "query", "key", "value", "write"))
    total = g[..., 0].cumsum(-1)  # (H, T)
    mask = np.exp(np.minimum(total[:, :, None] - total[:, None], 0.0)) * np.tri(total.shape[1])
    weights = mask * (q @ k.transpose(0, 2, 1)) * dt[..., 0][:, None]
    stepped = np.einsum("htd,thdv->htv", q, layer.memory)
    difference = np.abs(stepped - weights @ v).max() / np.abs(stepped).max()
    return Dual(mask, weights, float(difference))


@dataclass(frozen=True)
class Steps:
    """One head's step sizes (T,), and how much of each token's is left in the memory at the end of the text (T,)."""

    size: np.ndarray
    left: np.ndarray

    def largest(self, count: int) -> np.ndarray:
        """The tokens of the largest step, in order of the text."""
        return np.sort(np.argsort(-self.size, kind="stable")[:count])


def step_sizes(layer: Layer, head: int) -> Steps:
    """What a head chose to remember."""
    size, total = layer.gates["write"][head, :, 0], layer.gates["decay"][head, :, 0].cumsum()
    return Steps(size, size * np.exp(total[-1] - total))


def strongest(layer: Layer) -> int:
    """The head whose state ends up with the largest numbers."""
    return int(np.abs(layer.memory[-1]).max((-1, -2)).argmax())


# Count


# Real models


@dataclass(frozen=True)
class Layers:
    """How many layers a model has of each kind; side by side counts in both."""

    total: int
    mixers: int
    mamba: int
    attention: int
    kind: str  # "Mamba-2", "Mamba" as the ladder names them

    @property
    def of_layers(self) -> float:
        """Attention as a share of all layers."""
        return self.attention / self.total

    @property
    def of_mixers(self) -> float:
        """Attention as a share of the layers that mix tokens."""
        return self.attention / self.mixers


@lru_cache(maxsize=256)
def layer_counts(key: str) -> Layers:
    """One model's layers."""
    layers = spec_of(key).layers
    mambas = [m for layer in layers if (m := next(layer.parts(MAMBA), None))]
    mixers, attention = sum(bool(x.mixer) for x in layers), sum(any(x.parts(Attention)) for x in layers)
    return Layers(len(layers), mixers, len(mambas), attention, next(map(ladder.label, mambas), ""))


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models with Mamba layers, oldest first."""
    return tuple(key for key in catalogue.entries() if layer_counts(key).mamba)


@lru_cache(maxsize=1)
def hybrids() -> tuple[str, ...]:
    """Those that attend as well."""
    return tuple(key for key in users() if layer_counts(key).attention)


def default_hybrid() -> str:
    """The model that is shown first."""
    return next((key for key in LADDERS if key in hybrids()), hybrids()[0])


def attentive(key: str) -> ModelSpec:
    """A hybrid with its own attention in the place of every Mamba layer, and nothing beside it."""
    return common.attentive(spec_of(key), MAMBA)


@lru_cache(maxsize=512)
def real_model(key: str, context: int) -> Kept:
    """One hybrid at one context."""
    return Kept.of(model_name(key), spec_of(key), attentive(key), context)


def real_models(context: int) -> list[Kept]:
    """Every hybrid, the largest attention-only cache first."""
    return sorted((real_model(key, context) for key in hybrids()), key=lambda r: -r.whole)


LAYOUT = "2505.15431"  # the paper of a layout without weights


def layout() -> dict[str, int]:
    """How many layers of each kind a published model has whose weights are not: {kind: layers}."""
    table = next(t for t in evidence.published("mamba") if t["paper"] == LAYOUT)
    return {kind: count for kind, count in table["rows"]}


@dataclass(frozen=True)
class Formula:
    """The factors of what a hybrid keeps."""

    name: str
    context: int
    attention: int  # layers
    kv_heads: int
    width: int  # of a key or value
    mamba: int  # layers
    inner: int
    state: int
    columns: int  # numbers that the convolutions hold, all layers
    cache_bytes: int
    state_bytes: int


def formula(key: str, context: int) -> Formula:
    """A real hybrid's, with the bytes that the calculator gives."""
    s, found = spec_of(key), layer_counts(key)
    mambas: list[Mamba1 | Mamba2] = [*s.parts(Mamba1), *s.parts(Mamba2)]
    a, m, sizes = next(s.parts(Attention)), mambas[0], memory_bytes(s, context)
    conv = sum(x.state(s.d_model)["conv"] for x in mambas)
    return Formula(
        model_name(key), context, found.attention, a.kv_heads, a.k_dim, found.mamba, m.inner, m.state_size, conv, *sizes
    )


# Prove


RUNS = Runs(recipes.MECHANISM, (*(f"mamba-{state}" for state in STATES), "mamba-3-1", "attention-4"), PAIRS)


def trained_steps() -> str:
    """How long each kind was trained, in words."""
    kinds = {"alone": "mamba-16", "the hybrid": "mamba-3-1", "attention": "attention-4"}
    return ", ".join(f"{zoo.recipe(v).steps} steps {kind}" for kind, v in kinds.items())
