"""Three LSTMs on a reader's words: what their gates do token by token, what their memory holds, what of it is left; the bias of
the forget gate moved in a copy; what a memory that does not grow takes in a real model.

Letters: T tokens, H heads, R rows of gates (heads of an mLSTM, channels of the others), d numbers of a key, v of a value.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.count.dtypes import DTYPES
from core.lessons.common import Runs, spec_of
from core.lessons.recall import Answer, script
from core.lessons.recurrent import ATTENTION, Watched, recorded, scene_of
from core.model.decoding.autoregressive import Step, follow
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.model import Model
from core.model.part import Recurrent
from core.model.spec import ModelSpec
from core.train import evidence, zoo
from core.train.recipes import xlstm as recipes
from core.train.recipes.mixers import PAIRS
from core.train.tasks import recall

CELLS = ("mLSTM", "sLSTM", "LSTM")
KEYS = recipes.KEYS
SHIFTS = (-16, -12, -8, -6, -4, -2, 0, 4)
AS_TRAINED = 0
HEADS = (4, 8, 16, 32)  # of xLSTM 7B, as its paper varied them
XLSTM = "xlstm-7b"
METRIC = recipes.METRIC
LOWEST = 80.0  # a forget gate below exp(-80) is nothing
ROW = 16  # channels side by side where a memory is no matrix


def variant(cell: str, keys: int = 16) -> str:
    """The checkpoint of a cell."""
    return f"mlstm-{keys}" if cell == "mLSTM" else cell.lower()


def cell_of(variant: str) -> str:
    """The cell of a checkpoint."""
    return {"slstm": "sLSTM", "lstm": "LSTM"}.get(variant, "mLSTM")


@lru_cache(maxsize=1)
def best_keys() -> int:
    """The width of keys whose shipped run recalls the most."""
    return max(KEYS, key=lambda keys: zoo.checkpoint(variant("mLSTM", keys)).metrics.get(METRIC, 0.0))


# The forget bias


@lru_cache(maxsize=32)
def shifted(variant: str, shift: float) -> Model:
    """The trained model; with a shift a copy whose forget gates have so much more bias. The shared model is never touched."""
    model = zoo.load(variant)
    if shift == AS_TRAINED:
        return model
    model = deepcopy(model)
    for layer in model.layers:
        if (bias := forget_bias(layer)) is not None:
            bias += shift
    return model


def forget_bias(layer) -> torch.Tensor | None:
    """The numbers of a layer's bias that its forget gates take, as a view; None where it has none."""
    mixer = layer.layer.mixer
    module = getattr(layer, mixer.name)
    if isinstance(mixer, MLstm):
        return module.fgate_preact.bias
    if isinstance(mixer, SLstm):
        return module.w.bias[mixer.inner : 2 * mixer.inner]
    return module.cell.bias_ih_l0[mixer.hidden : 2 * mixer.hidden] if isinstance(mixer, Lstm) else None


# The run


@dataclass(frozen=True)
class Layer:
    """One layer after the run. `forget`, `write`, `output` (R, T) from 0 to 1, `write` as a share of the largest so far where the
    gate is exponential; `left` (H, T, T): what is left after token t (row) of what token s (column) wrote; `memory` (T, P, r, c)
    as P pictures after each token; `size`, `floor` (H, T): |q n| and exp(-m), the larger of which divides; (0,) without."""

    forget: np.ndarray
    write: np.ndarray
    output: np.ndarray
    left: np.ndarray
    memory: np.ndarray
    size: np.ndarray
    floor: np.ndarray

    @property
    def limit(self) -> float:
        """The largest number that the memory ever held."""
        return max(1e-6, float(np.abs(np.nan_to_num(self.memory)).max()))


@lru_cache(maxsize=256)
def watch(variant: str, shift: float, prompt: recall.Prompt) -> Watched:
    """Run a checkpoint with a shifted forget bias on a prompt, token by token."""
    model = shifted(variant, shift)
    steps = list(follow(model, script(prompt), record=("decay", "write", "output", "query")))
    played = scene_of(prompt, steps)
    return Watched(played, tuple(layer_of(steps, i, cell_of(variant)) for i in range(len(model.spec.layers))))


def layer_of(steps: list[Step], i: int, cell: str) -> Layer:
    """One layer's gates and memories over all steps."""
    decay, write, output, query = (recorded(steps, i, name) for name in ("decay", "write", "output", "query"))
    states = [{name: x[0].numpy() for name, x in s.state[i]["mixer"].items()} for s in steps]
    if cell != "LSTM":
        largest = np.stack([s["largest"].reshape(len(decay), -1) for s in states], 1)  # (H, T, 1 or w)
        before = np.concatenate([np.zeros_like(largest[:, :1]), largest[:, :-1]], 1)
        if cell == "mLSTM":
            write = write * np.exp(-largest)
        else:
            decay = decay + largest - before  # the gate itself: what was recorded is relative to the largest
    size = floor = np.zeros(0)
    if cell == "mLSTM":
        size = np.abs((query * np.stack([s["normaliser"][..., 0] for s in states], 1)).sum(-1))
        floor = np.exp(-largest[..., 0])
    pictures = np.stack([picture(s, cell) for s in states])
    return Layer(rows(np.exp(decay)), rows(write), rows(output, cell == "mLSTM"), remaining(decay), pictures, size, floor)


def rows(gates: np.ndarray, mean: bool = False) -> np.ndarray:
    """(H, T, w) -> (H w, T), or the mean over each head's channels (H, T)."""
    return gates.mean(-1) if mean else gates.transpose(0, 2, 1).reshape(-1, gates.shape[1])


def remaining(decay: np.ndarray) -> np.ndarray:
    """log decays (H, T, w) -> (H, T, T): the product of the forget gates after token s and up to token t, mean over channels."""
    total = np.maximum(decay.astype(np.float64), -LOWEST).cumsum(1)
    between = np.exp(np.minimum(0, total[:, :, None] - total[:, None])).mean(-1)
    return np.tril(between)


def picture(state: dict[str, np.ndarray], cell: str) -> np.ndarray:
    """A state as pictures (P, r, c): the matrix of each head with its normaliser as a last column and a gap of nan between; else
    two vectors laid out in rows."""
    if cell == "mLSTM":
        gap = np.full_like(state["normaliser"], np.nan)
        return np.concatenate([state["memory"], gap, state["normaliser"]], -1)
    second = "normaliser" if cell == "sLSTM" else "hidden"
    return np.stack([state[name].reshape(-1, ROW) for name in ("cell", second)])


def labels(variant: str) -> tuple[list[str], list[str], list[str]]:
    """Names of the pictures, of their rows and of their columns."""
    spec = zoo.recipe(variant).spec
    if m := next(spec.parts(MLstm), None):
        heads, values = [f"head {h + 1}: memory, normaliser" for h in range(m.heads)], [f"value {n + 1}" for n in range(m.v_dim)]
        return heads, [f"key {n + 1}" for n in range(m.k_dim)], [*values, "", "normaliser"]
    kept = next(spec.parts(Recurrent)).state(1)
    names = ["cell", "normaliser" if "normaliser" in kept else "output"]
    return names, [f"channels {n + 1} to {n + ROW}" for n in range(0, kept["cell"], ROW)], [f"{n + 1}" for n in range(ROW)]


def gate_rows(variant: str) -> list[str]:
    """Names of the rows of gates."""
    spec = zoo.recipe(variant).spec
    if m := next(spec.parts(MLstm), None):
        return [f"head {h + 1}" for h in range(m.heads)]
    return [f"channel {n + 1}" for n in range(next(spec.parts(Recurrent)).state(1)["cell"])]


@dataclass(frozen=True)
class Said:
    """What one cell made of the questions: numbers kept, how many answers were right, and the last one."""

    cell: str
    kept: int
    right: int
    asked: int
    last: Answer


def side_by_side(shift: float, keys: int, prompt: recall.Prompt) -> list[Said]:
    """The three cells on one prompt, the same shift in each."""
    found = []
    for cell in CELLS:
        name = variant(cell, keys)
        scene = watch(name, shift, prompt).scene
        right = sum(a.said == a.truth for a in scene.answers)
        found.append(Said(cell, memory_of(name), right, len(scene.answers), scene.answers[-1]))
    return found


def memory_of(variant: str) -> int:
    """Numbers that the mixers of a live model keep, convolution columns left out."""
    spec = zoo.recipe(variant).spec
    return sum(n for m in spec.parts(Recurrent) for n in m.state(spec.d_model).values())


# Count


def reheaded(heads: int) -> ModelSpec:
    """The same width cut into other heads: keys and values of all heads side by side stay as wide."""
    return spec_of(XLSTM).remixed(
        MLstm, lambda m: replace(m, heads=heads, k_dim=m.heads * m.k_dim // heads, v_dim=m.heads * m.v_dim // heads)
    )


@dataclass(frozen=True)
class Memory:
    """The memory of xLSTM 7B with so many heads, one sequence in float32. `matrices` alone, `bytes` with normaliser and maximum;
    `tokens` of a multi-head transformer of the same depth and width in float32 take as much as the matrices."""

    heads: int
    blocks: int
    k_dim: int
    v_dim: int
    matrices: int
    bytes: int
    tokens: float

    def batch(self, sequences: int) -> int:
        """Bytes of several sequences at once."""
        return sequences * self.bytes


@lru_cache(maxsize=16)
def memory(heads: int) -> Memory:
    """Counted from the row of the catalogue."""
    spec, size = reheaded(heads), int(DTYPES["float32"][0])
    m, blocks = next(spec.parts(MLstm)), len(spec.layers)
    matrices = blocks * m.state(spec.d_model)["memory"] * size
    token = 2 * blocks * spec.d_model * size  # a key and a value as wide as the model
    everything = cost.count(spec, 1, state_dtype="float32").state_bytes
    return Memory(heads, blocks, m.k_dim, m.v_dim, matrices, everything, matrices / token)


# Prove


PURE = (*(f"mlstm-{keys}" for keys in KEYS), "slstm", "lstm")
RUNS = Runs(recipes.MECHANISM, (*PURE, *recipes.HYBRIDS, ATTENTION), PAIRS)


def by_size() -> dict[str, tuple[int, dict[int, float]]]:
    """{purely recurrent variant: (numbers of memory, {seed: recall at the most pairs})}."""
    return {v: (memory_of(v), evidence.by_seed("xlstm", v, METRIC)) for v in PURE}
