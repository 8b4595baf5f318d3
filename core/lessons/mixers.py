"""One prompt through every trained mixer: what each answers, where it looks, what it holds in memory, and what that buys.

Letters: T tokens, n tokens so far, m pairs. A map is (T, T): row = token that asks, column = token read, shares of each row.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.count.dtypes import DTYPES
from core.lessons.common import USUAL_CONTEXT
from core.lessons.recall import DTYPE, Answer, live_bytes, live_cost, live_curve
from core.lessons.recurrent import Layer, layer_of
from core.model.model import Model, elements
from core.model.spec import ModelSpec
from core.model.trace import NOTHING, Trace
from core.real import catalogue
from core.train import evidence, zoo
from core.train.recipes.mixers import CONVOLUTION, LENGTH, MECHANISM, METRIC
from core.train.recipes.mixers import PAIRS as MOST
from core.train.rules import last
from core.train.tasks import recall

PAIRS = (4, 8, 12, 16, 20, 24)
COUNTS = tuple(n for n in recall.PAIR_COUNTS if n <= MOST)
ATTENDS, WRITTEN, GRADIENT = "attention", "written out", "influence"
PADDING_SEED = 11


@dataclass(frozen=True)
class Mixer:
    """A trained variant, and the palette key of what it keeps."""

    variant: str
    hue: str


ALONE = (
    Mixer("attention-2", "kv"),
    Mixer("latent-2", "latent"),
    Mixer("window-2", "window"),
    Mixer("delta-16", "state"),
    Mixer("kimi-16", "state"),
    Mixer("mamba-16", "state"),
    Mixer("rwkv-16", "state"),
    Mixer("mlstm-16", "state"),
    Mixer("lstm", "state"),
    Mixer("conv-4", "window"),  # sees a few tokens back, as a window does
)
SLSTM = Mixer("slstm", "state")  # goes token by token, back as well: among all, where a reader waits for all
HYBRIDS = (
    Mixer("attention-4", "kv"),
    Mixer("delta-3-1", "ink"),
    Mixer("kimi-3-1", "ink"),
    Mixer("mamba-3-1", "ink"),
    Mixer("rwkv-3-1", "ink"),
    Mixer("mlstm-3-1", "ink"),
    Mixer("lstm-3-1", "ink"),
    Mixer("conv-3-1", "ink"),
)
ONE, THREE, EVERY = "alone", "three to one", "all"
SETS = {ONE: ALONE, THREE: HYBRIDS, EVERY: (*ALONE, SLSTM, *HYBRIDS)}
SIZES = ("delta-4", "delta-8", "delta-32", "mamba-4", "mamba-8", "mamba-32", "mlstm-4", "mlstm-8")  # further points of the plot


variant_label = MECHANISM.spelling.variant  # as a reader knows it


# The prompt


@lru_cache(maxsize=256)
def padded(prompt: recall.Prompt, pairs: int) -> recall.Prompt:
    """The reader's facts, then further pairs of other names and things up to `pairs`; a longer prompt stays as it is."""
    facts, taken = prompt.words[:-1], {*prompt.words, *prompt.asked}
    wanted = pairs - len(facts) // 2
    if wanted <= 0:
        return prompt
    generator = torch.Generator().manual_seed(PADDING_SEED)
    names, things = (
        [word for i in torch.randperm(len(words), generator=generator) if (word := words[i]) not in taken]
        for words in (recall.NAMES, recall.THINGS)
    )
    more = [word for pair in zip(names[:wanted], things) for word in pair]
    return recall.Prompt((*facts, *more, "?"), prompt.asked)


# Every mixer on it


@dataclass(frozen=True)
class Played:
    """A mixer after the prompt. `map` (T, T) of one head, `layer` and `head` counted from 0; `how` the map was made; bytes after
    the last token, counted and really kept."""

    mixer: Mixer
    words: tuple[str, ...]
    answers: tuple[Answer, ...]
    map: np.ndarray
    how: str
    layer: int
    head: int
    counted: int
    measured: int

    @property
    def right(self) -> bool:
        """Is every answer true?"""
        return all(a.said == a.truth for a in self.answers)


@lru_cache(maxsize=1024)
def play(mixer: Mixer, prompt: recall.Prompt) -> Played:
    """A trained mixer on a prompt."""
    return run(mixer, zoo.load(mixer.variant), prompt)


def run(mixer: Mixer, model: Model, prompt: recall.Prompt) -> Played:
    """A model on a prompt, all tokens at once: it answers, its answer is told, the next name is asked."""
    tokens, found = list(prompt.tokens), []
    for i, name in enumerate(prompt.asked):
        tokens.append(recall.INDEX[name])
        trace = Trace("attention", "effective") if i == len(prompt.asked) - 1 else NOTHING
        with torch.no_grad():
            logits, state = model(torch.tensor(tokens)[None], trace=trace)
        likely = logits[0, -1].softmax(-1)
        best = int(likely.argmax())
        found.append(answer(prompt, len(tokens) - 1, i, recall.WORDS[best], float(likely[best])))
        if trace is NOTHING:
            tokens.append(best)
    weights, how, layer, head = looks(model, tokens, trace, found)
    kept = sum(elements(state).values()) * int(DTYPES[DTYPE][0])
    words = tuple(recall.WORDS[t] for t in tokens)
    return Played(mixer, words, tuple(found), weights, how, layer, head, live_bytes(mixer.variant, len(tokens)), kept)


def answer(prompt: recall.Prompt, position: int, i: int, said: str, probability: float) -> Answer:
    """What was made of one question."""
    name = prompt.asked[i]
    told = [j for j in range(0, len(prompt.words) - 1, 2) if prompt.words[j] == name]
    return Answer(position, name, said, probability, prompt.truth[i], told[-1] + 1 if told else -1)


def looks(model: Model, tokens: list[int], trace: Trace, answers: list[Answer]) -> tuple[np.ndarray, str, int, int]:
    """The map of the head that holds most of the true things where they are asked, how it was made, its layer and head. Where a
    layer's output is no sum over tokens, so that nothing can be written out, it is the influence of each token."""
    none = np.zeros(0, np.float32)
    layers = [layer_of(model, i, trace, none) for i in range(len(model.spec.layers))]
    if not layers[-1].weights.size:
        return influence(model, tokens), GRADIENT, len(layers) - 1, 0
    places = [(a.position, a.source) for a in answers if a.source >= 0] or [(len(tokens) - 1, len(tokens) - 1)]
    best = [(float(held.max()), int(held.argmax()), i) for i, held in enumerate(holds(x, places) for x in layers) if held.size]
    _, head, i = max(best)
    return layers[i].strength[head], WRITTEN if layers[i].implicit else ATTENDS, i, head


def holds(layer: Layer, places: list[tuple[int, int]]) -> np.ndarray:
    """(H,): how much each head of a layer holds of the true things where they are asked, mean over the questions. A convolution
    hands a word to the tokens after it, so what stands there counts as well."""
    if not layer.weights.size:
        return np.zeros(0)
    near = CONVOLUTION  # the word itself and those that the short convolution in front hands it to
    return np.mean([layer.strength[:, row, column : min(column + near, row + 1)].sum(-1) for row, column in places], 0)


def influence(model: Model, tokens: list[int]) -> np.ndarray:
    """(T, T): how much the logit of the word that each token expects next depends on every token's embedding: the length of the
    gradient, as shares of its row. One pass: each row has a copy of the text of its own."""
    size = len(tokens)
    with torch.enable_grad():
        x = model.embed(torch.tensor(tokens)[None], 0).detach().expand(size, -1, -1).clone().requires_grad_()
        hidden, _ = model.trunk(x, (), NOTHING)
        row = torch.arange(size)
        best = model.logits(hidden[row, row]).max(-1).values.sum()
        (gradient,) = torch.autograd.grad(best, x)
    long = gradient.norm(dim=-1).numpy()
    return long / np.maximum(long.sum(-1, keepdims=True), 1e-12)


def every(kind: str, prompt: recall.Prompt) -> list[Played]:
    """Every mixer of a set on the same prompt; one that has no checkpoint is left out."""
    return [play(mixer, prompt) for mixer in SETS[kind] if (zoo.ZOO / f"{mixer.variant}.json").exists()]


def maps(played: list[Played]) -> tuple[np.ndarray, np.ndarray]:
    """Maps of one shape and what is visible of them (P, T, T). Answers may differ in their words, never in their number."""
    size = len(played[0].words)
    return np.stack([p.map for p in played]), np.tri(size, dtype=bool)


def words(played: list[Played]) -> tuple[str, ...]:
    """The tokens that all of them read: an answer told on the way that differs from model to model is a blank."""
    return tuple(each[0] if len(set(each)) == 1 else "…" for each in zip(*(p.words for p in played)))


# Count


def lines(kind: str, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Bytes of each mixer of a set at each length."""
    return {m.variant: live_curve(m.variant, lengths) for m in SETS[kind]}


@dataclass(frozen=True)
class RealModel:
    """A real model that recurs somewhere: its layers by kind, and bytes of one sequence."""

    key: str
    name: str
    recurs: int
    attends: int
    state: int
    cache: int


def recurs(spec: ModelSpec | None) -> int:
    """Layers whose mixer keeps a state that does not grow in place of a cache, or beside it."""
    return 0 if spec is None else sum(layer.kind in ("state", "full+state") for layer in spec.layers)


def attends(spec: ModelSpec) -> int:
    """Layers whose cache grows."""
    return sum(bool(layer.mixer and sum(layer.mixer.cache(USUAL_CONTEXT).values())) for layer in spec.layers)


@lru_cache(maxsize=1)
def real_models() -> tuple[RealModel, ...]:
    """Models of the catalogue that recur somewhere, by what they hold after USUAL_CONTEXT tokens, the smallest first."""
    rows = []
    for key, entry in catalogue.entries().items():
        spec = entry.reading.spec
        if recurs(spec):
            made = cost.count(spec, USUAL_CONTEXT)
            rows.append(RealModel(key, entry.name, recurs(spec), attends(spec), made.state_bytes, made.cache_bytes))
    return tuple(sorted(rows, key=lambda row: row.state + row.cache))


# Prove


@dataclass(frozen=True)
class Point:
    """A variant: bytes after LENGTH tokens, recall at the most pairs of every seed; `best` if none is both smaller and better."""

    variant: str
    hue: str
    bytes: int
    recall: tuple[float, ...]
    best: bool

    @property
    def mean(self) -> float:
        """Mean recall of the seeds."""
        return float(np.mean(self.recall))


def variants() -> dict[str, str]:
    """{variant: palette key} of everything that the plot can show."""
    return {m.variant: m.hue for m in SETS[EVERY]} | dict.fromkeys(SIZES, "state")


def points(metric: str = METRIC) -> tuple[Point, ...]:
    """Every variant that has run: what it holds, what it recalls."""
    table = zoo.tables("mixers")
    found = {v: last(table, v, metric).values() for v in variants()} if table else {}
    rows = [(live_bytes(v, LENGTH), tuple(values), v) for v, values in found.items() if values]
    front = frontier([(size, float(np.mean(values))) for size, values, _ in rows])
    return tuple(Point(v, variants()[v], size, values, i in front) for i, (size, values, v) in enumerate(rows))


def frontier(rows: list[tuple[int, float]]) -> set[int]:
    """Which of (bytes, recall) are beaten by none: no other is as small or smaller and recalls more, or as much with less."""
    return {
        i
        for i, (size, value) in enumerate(rows)
        if not any(s <= size and v >= value and (s, v) != (size, value) for s, v in rows)
    }


def table() -> list[tuple]:
    """Each variant that has run: name, steps, learned numbers, bytes after LENGTH tokens, mean recall at each number of pairs."""
    rows = []
    for p in points():
        means = [np.mean(evidence.final("mixers", p.variant, f"recall@{n}") or [np.nan]) for n in COUNTS]
        params = live_cost(p.variant, 1).params_total
        rows.append(
            (variant_label(p.variant), zoo.recipe(p.variant).steps, f"{params:,}", f"{p.bytes:,}", *(f"{x:.2f}" for x in means))
        )
    return rows
