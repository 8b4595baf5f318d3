"""Delta nets: the memory stepped through the reader's words, with decay and write strength as learned or set by hand; state and
cache counted and measured; where a constant memory becomes the smaller one, ours and in real models.

Letters: T tokens, H heads, S memory of a head (d, v), a decay (what stays, 0 to 1), b write strength (0 to 1), n tokens so far.
"""

import copy
import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import LONGEST
from core.lessons import common
from core.lessons.common import (
    USUAL_CONTEXT,
    first_context,
    keys_where,
    memory_bytes,
    model_name,
    spec_of,
    total_bytes,
)
from core.lessons.recall import DTYPE, Answer, Finder, Scene, play
from core.lessons.recurrent import GATES, Layer, layer_of
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.model import Model
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.train import zoo
from core.train.recipes import gated_deltanet as recipes
from core.train.recipes.mixers import LOSS, PAIRS
from core.train.tasks import recall

GATED, KIMI = "Gated DeltaNet", "Kimi (KDA)"
RULES = (GATED, KIMI)
PURE, HYBRID, FULL = "pure", "3:1", "attention"
MIXES = (PURE, HYBRID, FULL)
KEYS = recipes.KEYS
USUAL = 32  # width of keys where a page does not say another
LEARNED = "learned"
DECAYS = (LEARNED, "0.5", "0.8", "0.9", "0.95", "0.99", "1")
WRITES = (LEARNED, "0", "0.25", "0.5", "0.75", "1")
COUNTS = tuple(n for n in recall.PAIR_COUNTS if n <= PAIRS)
FOUND = 0.1  # a head is said to find a word from this share of its read-out on
DELTAS = GatedDelta, KimiDelta
SPECIAL = {(GATED, FULL): "attention-4", (KIMI, FULL): "latent-2", (GATED, HYBRID): "delta-3-1", (KIMI, HYBRID): "kimi-3-1"}
REAL = {"qwen3-next-80b-a3b": ("Qwen3-Next", GATED), "kimi-linear-48b": ("Kimi Linear", KIMI)}
FIRST = "qwen3-next-80b-a3b"


@dataclass(frozen=True)
class Setting:
    """What the controls say. `decay` and `write` are numbers as text, or as the model has learned."""

    mix: str = PURE
    rule: str = GATED
    keys: int = USUAL
    decay: str = LEARNED
    write: str = LEARNED

    @property
    def variant(self) -> str:
        """The checkpoint."""
        return variant(self.mix, self.rule, self.keys)

    @property
    def changed(self) -> bool:
        """Is anything not as the model has learned it?"""
        return self.mix != FULL and (self.decay, self.write) != (LEARNED, LEARNED)


def variant(mix: str, rule: str, keys: int = USUAL) -> str:
    """The checkpoint of a mix and a rule; only the pure Gated DeltaNet was trained with other widths of keys."""
    return SPECIAL.get((rule, mix)) or (f"delta-{keys}" if rule == GATED else "kimi-16")


# Decay and write strength set by hand


class Constant(nn.Module):
    """In place of a linear layer: the same number for every token and output."""

    def __init__(self, width: int, value: float):
        super().__init__()
        self.width, self.value = width, value

    def forward(self, x: Tensor) -> Tensor:
        """x (..., D) -> (..., width)."""
        return x.new_full((*x.shape[:-1], self.width), self.value)


def delta_layers(spec: ModelSpec) -> tuple[int, ...]:
    """The layers that keep a matrix."""
    return tuple(i for i, layer in enumerate(spec.layers) if isinstance(layer.mixer, DELTAS))


def overridden(model: Model, decay: str = LEARNED, write: str = LEARNED) -> Model:
    """A model whose delta layers all decay or write as strongly as is said, in every head and for every token."""
    made = copy.deepcopy(model)
    for i in delta_layers(model.spec):
        module = getattr(made.layers[i], model.spec.layers[i].mixer.name)
        if write != LEARNED:
            name = "in_proj_b" if isinstance(module.config, GatedDelta) else "b_proj"
            setattr(module, name, Constant(getattr(module, name).out_features, logit(float(write))))
        if decay != LEARNED:
            name = "in_proj_a" if isinstance(module.config, GatedDelta) else "f_b_proj"
            setattr(module, name, Constant(getattr(module, name).out_features, 0.0))
            rate = torch.full_like(module.A_log, -math.log(float(decay)) / math.log(2.0))  # times softplus(0) it is the log decay
            module.A_log, module.dt_bias = (nn.Parameter(x, requires_grad=False) for x in (rate.log(), 0 * module.dt_bias))
    return made.eval().requires_grad_(False)


def logit(p: float) -> float:
    """What a sigmoid makes p of."""
    return math.log(p / (1 - p)) if 0 < p < 1 else math.copysign(math.inf, p - 0.5)


@lru_cache(maxsize=64)
def live_model(setting: Setting) -> Model:
    """The live model of a setting."""
    trained = zoo.load(setting.variant)
    return overridden(trained, setting.decay, setting.write) if setting.changed else trained


# The memory, part by part


@dataclass(frozen=True)
class Shown:
    """A prompt and a model after the run. `parts` by layer: (T, H, 4, d, v), what stays, is erased, is written, and their sum."""

    scene: Scene
    layers: tuple[Layer, ...]
    parts: dict[int, np.ndarray]

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens."""
        return self.scene.words


def delta_steps(key, value, decay, write) -> np.ndarray:
    """The delta rule, token by token: key (H, T, d) of length 1, value (H, T, v), log decay (H, T, 1 or d), write (H, T, 1)
    -> (T, H, 4, d, v): a S, what S answers for k taken out at k, v put in at k, and the memory that is left."""
    H, T, d = key.shape
    memory, out = np.zeros((H, d, value.shape[-1]), key.dtype), []
    for t in range(T):
        k, v, b = key[:, t, :, None], value[:, t, None], write[:, t, :, None]  # (H, d, 1), (H, 1, v), (H, 1, 1)
        stays = np.exp(decay[:, t])[..., None] * memory
        erased, written = b * k * (k * stays).sum(1, keepdims=True), b * k * v
        memory = stays - erased + written
        out.append(np.stack([stays, erased, written, memory], 1))
    return np.stack(out)


@lru_cache(maxsize=128)
def played_setting(setting: Setting, prompt: recall.Prompt) -> Shown:
    """A setting on a prompt."""
    return watch(live_model(setting), prompt)


def watch(live: Model, prompt: recall.Prompt) -> Shown:
    """A model on a prompt: token by token for answers and bytes, then all at once for what its layers record."""
    scene, trace = play(live, prompt), Trace("attention", "effective", *GATES)
    with torch.no_grad():
        live(torch.tensor(scene.run.tokens)[None], trace=trace)
    parts = {
        i: delta_steps(*(trace[i, name][0].numpy() for name in ("key", "value", "decay", "write")))
        for i in delta_layers(live.spec)
    }
    none = np.zeros(0, np.float32)
    layers = (layer_of(live, i, trace, parts[i][:, :, 3] if i in parts else none) for i in range(len(live.spec.layers)))
    return Shown(scene, tuple(layers), parts)


def finding_head(shown: Shown, answer: Answer) -> Finder | None:
    """The layer and head, attending or reading its memory, whose read-out holds most of the true thing; None where none does."""
    if answer.source < 0:
        return None
    held = [(layer.strength[:, answer.position, answer.source], i) for i, layer in enumerate(shown.layers)]
    best, i = max(((float(h.max()), i) for h, i in held), default=(0.0, 0))
    return Finder(i, int(held[i][0].argmax()), best) if best > FOUND else None


@lru_cache(maxsize=128)
def reader(setting: Setting, prompt: recall.Prompt) -> tuple[int, int]:
    """Layer and head of the memory that holds most of the answer to the last question, in the model as it learned."""
    shown = played_setting(replace(setting, decay=LEARNED, write=LEARNED), prompt)
    last = shown.scene.answers[-1]
    held = {i: shown.layers[i].strength[:, last.position, last.source] for i in shown.parts}
    i = max(held, key=lambda i: held[i].max())
    return i, int(held[i].argmax())


def memories(setting: Setting) -> dict[str, tuple[int, int]]:
    """Every memory of a model by its name: layer and head."""
    spec = zoo.recipe(setting.variant).spec
    heads = {
        i: getattr(spec.layers[i].mixer, "value_heads", getattr(spec.layers[i].mixer, "heads", 0)) for i in delta_layers(spec)
    }
    return {f"layer {i + 1}, head {h + 1}": (i, h) for i, count in heads.items() for h in range(count)}


def limit(shown: Shown, layer: int, head: int) -> float:
    """The end of the colour scale: no number that is ever drawn is larger, so that every step compares."""
    return max(math.ceil(10 * float(np.abs(shown.parts[layer][:, head]).max())) / 10, 0.1)


def readout(shown: Shown, layer: int, head: int, at: int) -> np.ndarray:
    """(T,): how much of each token's value is in what the memory gives the token at `at`, signed, as a share of all of it."""
    row = shown.layers[layer].weights[head, at]
    return row / max(float(np.abs(row).sum()), 1e-9)


def readout_as_learned(setting: Setting, prompt: recall.Prompt, layer: int, head: int, at: int) -> np.ndarray:
    """The same of the model as it learned."""
    return readout(played_setting(replace(setting, decay=LEARNED, write=LEARNED), prompt), layer, head, at)


# Count


def attended(spec: ModelSpec) -> ModelSpec:
    """The same model with its own attention in place of every delta layer; a model without any takes that of our hybrid."""
    own = next((layer.mixer for layer in spec.layers if not isinstance(layer.mixer, DELTAS)), None) or like(spec)
    layers = tuple(replace(x, mixer=own) if isinstance(x.mixer, DELTAS) else x for x in spec.layers)
    return replace(spec, layers=layers)


def rule_of(mixer) -> str:
    """Which of the two rules a mixer follows."""
    return KIMI if isinstance(mixer, KimiDelta) else GATED


def like(spec: ModelSpec):
    """The attention that our hybrid of the same rule has."""
    return zoo.recipe(SPECIAL[rule_of(spec.layers[0].mixer), HYBRID]).spec.layers[-1].mixer


def live_spec(setting: Setting) -> ModelSpec:
    """The live model of a setting."""
    return zoo.recipe(setting.variant).spec


@lru_cache(maxsize=64)
def crossover_of(spec: ModelSpec, dtype: str = "bfloat16") -> int:
    """The first number of tokens at which the model keeps less than with attention in every layer; 0 where it never does."""
    whole = attended(spec)

    def smaller(n: int) -> bool:
        return total_bytes(spec, n, dtype) < total_bytes(whole, n, dtype)

    return 0 if whole == spec else first_context(smaller, LONGEST)  # the attended model grows faster: there is one such point


@dataclass(frozen=True)
class Kept:
    """A model's memory in bytes after so many tokens, and with attention in every layer."""

    name: str
    cache: int
    state: int
    whole: int
    crossover: int
    layers: int
    deltas: int

    @property
    def bytes(self) -> int:
        """Cache and state."""
        return self.cache + self.state


def memory_of(name: str, spec: ModelSpec, tokens: int, dtype: str = "bfloat16") -> Kept:
    """A model at a context."""
    both, whole = memory_bytes(spec, tokens, dtype), total_bytes(attended(spec), tokens, dtype)
    return Kept(name, *both, whole, crossover_of(spec, dtype), len(spec.layers), len(delta_layers(spec)))


def ours(setting: Setting, tokens: int) -> Kept:
    """The live model, in the dtype that it runs in."""
    return memory_of(setting.variant, zoo.recipe(setting.variant).spec, tokens, DTYPE)


def real_model(key: str, tokens: int = USUAL_CONTEXT) -> Kept:
    """A real model."""
    return memory_of(model_name(key), spec_of(key), tokens)


def lines(spec: ModelSpec, lengths: np.ndarray, dtype: str = "bfloat16") -> tuple[np.ndarray, np.ndarray]:
    """Bytes at each length: with attention in every layer, and as it is."""
    return tuple(np.array([total_bytes(s, int(n), dtype) for n in lengths]) for s in (attended(spec), spec))


def grown(setting: Setting, tokens: int) -> np.ndarray:
    """Bytes that attention in every layer would have cached after each token (tokens,), counted."""
    return lines(zoo.recipe(setting.variant).spec, np.arange(1, tokens + 1), DTYPE)[0]


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models that have delta layers, oldest first."""
    return keys_where(delta_layers)


def rule(key: str) -> str:
    """Which rule a real model's delta layers follow."""
    return rule_of(delta_mixer(key))


def delta_mixer(key: str):
    """The first delta layer's mixer of a real model."""
    spec = spec_of(key)
    return spec.layers[delta_layers(spec)[0]].mixer


@dataclass(frozen=True)
class Formula:
    """The state of a model's delta layers: layers x heads x d x v numbers of 4 bytes, and columns of the convolution of 2."""

    name: str
    layers: int
    heads: int
    k_dim: int
    v_dim: int
    columns: int
    bytes: int
    per_token: int  # bytes that the same layers would cache a token, were they attention
    crossover: int


def formula(key: str) -> Formula:
    """The formula with a real model's numbers, and the bytes that the calculator gives."""
    spec, m = spec_of(key), delta_mixer(key)
    heads, k_dim, v_dim = m.state_heads, m.k_dim, m.v_dim
    grows = memory_bytes(attended(spec), 2)[0] - memory_bytes(spec, 2)[0]
    conv, state = m.state(spec.d_model)["conv"], memory_bytes(spec, 1)[1]
    return Formula(model_name(key), len(delta_layers(spec)), heads, k_dim, v_dim, conv, state, grows // 2, crossover_of(spec))


# Prove


LINES = ("attention-4", "delta-3-1", "kimi-3-1", "kimi-16", *(f"delta-{keys}" for keys in KEYS))


def variant_label(name: str) -> str:
    """A variant as a reader knows it."""
    return recipes.MECHANISM.spelling.variant(name)


def styles() -> dict[str, tuple[str, float]]:
    """{variant: (palette key, width of its line)}: the wider its keys, the wider the line."""
    pure = {f"delta-{keys}": ("state", 1 + 0.7 * i) for i, keys in enumerate(KEYS)}
    return {"attention-4": ("kv", 2.0), "delta-3-1": ("ink", 2.0), "kimi-3-1": ("ink", 2.0), "kimi-16": ("soft", 2.4), **pure}


def recalled() -> dict[str, dict[int, list[float]]]:
    """{variant: {pairs: recall of every seed}}, of the variants that have run."""
    return common.by_pairs("gated_deltanet", LINES, COUNTS)


def learning() -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """Learning curves {variant: {seed: (steps, loss)}} of the variants that have run."""
    return common.learning_curves("gated_deltanet", LINES, LOSS)


def steps_trained() -> dict[str, int]:
    """Training steps of the variants that have run."""
    return {v: zoo.recipe(v).steps for v in recalled()}


def memory_numbers() -> dict[str, int]:
    """Numbers in the matrices of all layers of each variant."""
    specs = {v: zoo.recipe(v).spec for v in LINES}
    return {v: sum(spec.layers[i].mixer.state(spec.d_model)["memory"] for i in delta_layers(spec)) for v, spec in specs.items()}
