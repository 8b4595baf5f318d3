"""State space models: trained Mamba-2 on the reader's words as a recurrence and as written-out attention, what a token's step
size makes of it, memory counted and measured, real hybrids with and without their Mamba layers.

Letters: T tokens, n tokens so far, H heads, N numbers that a channel keeps, P channels a head, t step size.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.lessons import common
from core.lessons.common import first_context, memory_bytes, model_name, spec_of, total_bytes
from core.lessons.recall import live_bytes
from core.lessons.recurrent import Layer
from core.model.mixers.attention import Attention
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.part import inside
from core.model.spec import ModelSpec
from core.real import catalogue
from core.shape import ladder
from core.train import evidence, zoo
from core.train.recipes import mamba as recipes
from core.train.tasks import recall

PURE, HYBRID = "none", "1 of 4"
SHARES = (PURE, HYBRID)
STATES = recipes.STATES
TYPICAL = 16  # the state that the hybrid was trained with
LOSS = f"loss@{recipes.RECIPES[0].settings['pairs']}"
PAIRS = recipes.RECIPES[0].settings["pairs"]
ATTENTION = {PURE: "attention-2", HYBRID: "attention-4"}  # as many layers of attention alone
LADDERS = ("nemotron-h-8b", "granite-4.0-h-small", "jamba-v0.1", "falcon-h1-7b")
MAMBA = (Mamba1, Mamba2)


def variant(share: str, state: int) -> str:
    """The checkpoint that a setting of the controls means."""
    return "mamba-3-1" if share == HYBRID else f"mamba-{state}"


def trained(share: str) -> tuple[int, ...]:
    """The sizes of state that a share of attention was trained with."""
    return (TYPICAL,) if share == HYBRID else STATES


def depth(name: str) -> int:
    """How many layers a variant has."""
    return len(zoo.recipe(name).spec.layers)


def described(name: str) -> str:
    """A variant in words."""
    attends = sum(layer.kind == "full" for layer in zoo.recipe(name).spec.layers)
    state = zoo.recipe(name).spec.layers[0].mixer.state_size
    return f"{depth(name) - attends} layers of Mamba-2, state {state}" + f", {attends} of attention" * bool(attends)


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


def head_memory(layer: Layer, head: int) -> np.ndarray:
    """(T, N, P): a head's state after each token."""
    return layer.memory[:, head]


def strongest(layer: Layer) -> int:
    """The head whose state ends up with the largest numbers."""
    return int(np.abs(layer.memory[-1]).max((-1, -2)).argmax())


# Count


def grown(share: str, tokens: int) -> np.ndarray:
    """What attention in every layer would keep after each token (tokens,), counted."""
    return np.array([live_bytes(ATTENTION[share], n + 1) for n in range(tokens)])


def memory_curves(share: str, state: int, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Bytes kept at each length: this model, and as many layers of attention alone."""
    return {name: np.array([live_bytes(name, int(n)) for n in lengths]) for name in (ATTENTION[share], variant(share, state))}


@lru_cache(maxsize=64)
def lighter(share: str, state: int) -> int:
    """From how many tokens on the live model keeps less than attention alone."""
    return first_context(lambda n: live_bytes(variant(share, state), n) < live_bytes(ATTENTION[share], n))


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
    found = [tuple(inside(layer.mixer)) for layer in spec_of(key).layers]
    mambas = [next((m for m in parts if isinstance(m, MAMBA)), None) for parts in found]
    attention = sum(any(layer.parts(Attention)) for layer in spec_of(key).layers)
    kind = next((ladder.mixer(m) for m in mambas if m), "")
    return Layers(len(found), sum(map(bool, found)), sum(m is not None for m in mambas), attention, kind)


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


def attentive(s: ModelSpec) -> ModelSpec:
    """The same model with its own attention in the place of every Mamba layer, and nothing beside it."""
    own = next(s.parts(Attention))

    def instead(mixer):
        return own if any(isinstance(m, MAMBA) for m in inside(mixer)) else mixer

    return replace(s, layers=tuple(replace(layer, mixer=instead(layer.mixer)) for layer in s.layers))


@dataclass(frozen=True)
class RealModel:
    """A real hybrid at a context: bytes of one sequence as released, and with attention alone."""

    key: str
    name: str
    cache: int
    state: int
    attention: int
    crossover: int  # tokens from which it keeps less than attention alone; 0 = never

    @property
    def total(self) -> int:
        """Cache and state."""
        return self.cache + self.state


@lru_cache(maxsize=512)
def real_model(key: str, context: int) -> RealModel:
    """One hybrid at one context."""
    spec = spec_of(key)
    return RealModel(key, model_name(key), *memory_bytes(spec, context), total_bytes(attentive(spec), context), crossover(key))


@lru_cache(maxsize=64)
def crossover(key: str) -> int:
    """Tokens from which a hybrid keeps less than the same model with attention in the place of Mamba."""
    return first_context(lambda n: total_bytes(spec_of(key), n) < total_bytes(attentive(spec_of(key)), n))


def memories(key: str, contexts: np.ndarray) -> dict[str, np.ndarray]:
    """Bytes at each context: attention alone, cache and state as released, and the state's part of it."""
    released = np.array([memory_bytes(spec_of(key), int(n)) for n in contexts])
    whole = np.array([total_bytes(attentive(spec_of(key)), int(n)) for n in contexts])
    return {"attention alone": whole, "as released": released.sum(1), "its state": released[:, 1]}


def real_models(context: int) -> list[RealModel]:
    """Every hybrid, the largest attention-only cache first."""
    return sorted((real_model(key, context) for key in hybrids()), key=lambda r: -r.attention)


def real_ladders(context: int) -> dict[str, tuple]:
    """Real hybrids as ladders: {name: (rungs, folded blocks)}."""
    return ladder.ladders({model_name(key): spec_of(key) for key in LADDERS if key in hybrids()}, context)


LAYOUT = "2505.15431"  # the paper of a layout without weights


def layout() -> dict[str, int]:
    """How many layers of each kind a published model has whose weights are not: {kind: layers}."""
    table = next(t for t in evidence.published("mamba") if t["paper"] == LAYOUT)
    return {kind: count for kind, count in table["rows"]}


def real_bytes(key: str, context: int) -> tuple[int, int]:
    """Bytes of cache and state of one sequence, of any model with Mamba layers."""
    return memory_bytes(spec_of(key), context)


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
    mixers = [m for layer in s.layers for m in inside(layer.mixer)]
    a, m = (next(x for x in mixers if isinstance(x, kind)) for kind in (Attention, MAMBA))
    conv = sum(x.state(s.d_model)["conv"] for x in mixers if isinstance(x, MAMBA))
    sizes = memory_bytes(s, context)
    return Formula(
        model_name(key), context, found.attention, a.kv_heads, a.k_dim, found.mamba, m.inner, m.state_size, conv, *sizes
    )


# Prove


GROUPS = {
    "Mamba-2 alone": tuple(f"mamba-{state}" for state in STATES),
    "with attention": ("mamba-3-1", "attention-4"),
}
MEASURED = tuple(n for n in recall.PAIR_COUNTS if n <= PAIRS)


def variant_label(name: str) -> str:
    """A variant in a few words."""
    return recipes.MECHANISM.spelling.variant(name)


def trained_steps() -> str:
    """How long each kind was trained, in words."""
    kinds = {"alone": "mamba-16", "the hybrid": "mamba-3-1", "attention": "attention-4"}
    return ", ".join(f"{zoo.recipe(v).steps} steps {kind}" for kind, v in kinds.items())


def recalled() -> dict[str, dict[int, list[float]]]:
    """{variant: {pairs: recall of every seed}}, of the variants that have runs."""
    return common.by_pairs("mamba", sum(GROUPS.values(), ()), MEASURED)


def learning() -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """Learning curves of the variants that have runs: {variant: {seed: (steps, loss)}}."""
    return common.learning_curves("mamba", sum(GROUPS.values(), ()), LOSS)
