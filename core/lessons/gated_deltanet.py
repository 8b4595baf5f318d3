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

from core.lessons import common
from core.lessons.common import USUAL_CONTEXT, Kept, Runs, keys_where, memory_bytes, model_name, spec_of, totals
from core.lessons.recall import DTYPE, Answer, Finder, Scene, play
from core.lessons.recurrent import GATES, Layer, layer_of
from core.model.mixers.delta import GatedDelta, GatedDeltaModule, KimiDelta, KimiDeltaModule
from core.model.model import Model
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.train import zoo
from core.train.recipes import gated_deltanet as recipes
from core.train.recipes.mixers import PAIRS
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
    for module in [m for m in made.modules() if isinstance(m, (GatedDeltaModule, KimiDeltaModule))]:
        if write != LEARNED:
            name = "in_proj_b" if isinstance(module, GatedDeltaModule) else "b_proj"
            setattr(module, name, Constant(getattr(module, name).out_features, logit(float(write))))
        if decay != LEARNED:
            name = "in_proj_a" if isinstance(module, GatedDeltaModule) else "f_b_proj"
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


# Count


def attended(spec: ModelSpec) -> ModelSpec:
    """The same model with its own attention in place of every delta layer; a model without any takes that of our hybrid."""
    own = next((layer.mixer for layer in spec.layers if not isinstance(layer.mixer, DELTAS)), None)
    return common.attentive(spec, DELTAS, own or zoo.recipe(SPECIAL[rule_of(spec), HYBRID]).spec.layers[-1].mixer)


def rule_of(spec: ModelSpec) -> str:
    """Which of the two rules a model's delta layers follow."""
    return KIMI if any(spec.parts(KimiDelta)) else GATED


def live_spec(setting: Setting) -> ModelSpec:
    """The live model of a setting."""
    return zoo.recipe(setting.variant).spec


def ours(setting: Setting, tokens: int) -> Kept:
    """The live model, in the dtype that it runs in."""
    spec = live_spec(setting)
    return Kept.of(setting.variant, spec, attended(spec), tokens, DTYPE)


def real_model(key: str, tokens: int = USUAL_CONTEXT) -> Kept:
    """A real model."""
    return Kept.of(model_name(key), spec_of(key), attended(spec_of(key)), tokens)


def lines(spec: ModelSpec, lengths: np.ndarray, dtype: str = "bfloat16") -> tuple[np.ndarray, np.ndarray]:
    """Bytes at each length: with attention in every layer, and as it is."""
    return totals(attended(spec), lengths, dtype), totals(spec, lengths, dtype)


@lru_cache(maxsize=1)
def users() -> tuple[str, ...]:
    """Keys of the catalogue's models that have delta layers, oldest first."""
    return keys_where(delta_layers)


def rule(key: str) -> str:
    """Which rule a real model's delta layers follow."""
    return rule_of(spec_of(key))


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
    spec, r, count = spec_of(key), real_model(key, 2), len(delta_layers(spec_of(key)))
    deltas: list[GatedDelta | KimiDelta] = [*spec.parts(GatedDelta), *spec.parts(KimiDelta)]
    m, grows = deltas[0], memory_bytes(attended(spec), 2)[0] - r.cache
    conv = m.state(spec.d_model)["conv"]
    return Formula(r.name, count, m.state_heads, m.k_dim, m.v_dim, conv, r.state, grows // 2, r.crossover)


# Prove


LINES = ("attention-4", "delta-3-1", "kimi-3-1", "kimi-16", *(f"delta-{keys}" for keys in KEYS))
RUNS = Runs(recipes.MECHANISM, LINES, PAIRS)


def styles() -> dict[str, tuple[str, float]]:
    """{variant: (palette key, width of its line)}: the wider its keys, the wider the line."""
    pure = {f"delta-{keys}": ("state", 1 + 0.7 * i) for i, keys in enumerate(KEYS)}
    return {"attention-4": ("kv", 2.0), "delta-3-1": ("ink", 2.0), "kimi-3-1": ("ink", 2.0), "kimi-16": ("soft", 2.4), **pure}


def memory_numbers() -> dict[str, int]:
    """Numbers in the matrices of all layers of each variant."""
    specs = {v: zoo.recipe(v).spec for v in LINES}
    return {v: sum(m.state(spec.d_model)["memory"] for m in spec.parts(DELTAS)) for v, spec in specs.items()}
