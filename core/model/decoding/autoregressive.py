"""One token at a time, left to right, with a cache.

Letters: T tokens, V vocabulary, H query heads, L layers. A script is a list of tokens in which None stands for "whatever the
model picks next", so a page can follow a prompt, an answer, another question and its answer in one go.

Sampling: temperature divides the logits (0 is greedy); top-k keeps the k likeliest tokens (arXiv 1805.04833); of those, top-p
keeps the fewest whose probabilities reach p (nucleus sampling, arXiv 1904.09751). The order is that of transformers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import number, whole
from core.model.model import Model, elements
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class Sampling:
    """How the next token is picked. temperature 0 is greedy; top_k 0 and top_p 1 keep every token."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self):
        number("temperature", self.temperature, high=100)
        whole("top_k", self.top_k, low=0, high=1 << 24)
        number("top_p", self.top_p, low=1e-6, high=1.0)


GREEDY = Sampling()


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """logits (V,) -> the probabilities (V,) that a token is drawn from, zero where it cannot be."""
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
    p, order = (logits / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    if sampling.top_k:
        p = p[: sampling.top_k] / p[: sampling.top_k].sum()
    p = p * (p.cumsum(-1) - p < sampling.top_p)  # the token that crosses p is kept
    return torch.zeros_like(logits).scatter(-1, order[: len(p)], p / p.sum())


def pick(logits: Tensor, sampling: Sampling = GREEDY, generator: torch.Generator | None = None) -> int:
    """logits (V,) -> a token."""
    if sampling.temperature == 0:
        return int(logits.argmax(-1))
    return int(torch.multinomial(distribution(logits, sampling), 1, generator=generator))


@dataclass(frozen=True)
class Step:
    """One token read. `probability` is what the model gave it beforehand; `next` (V,) what it expects after it."""

    position: int
    token: int
    given: bool
    probability: float
    next: Tensor
    state: tuple
    trace: Trace


@torch.no_grad()
def follow(model: Model, script: Sequence[int | None], sampling: Sampling = GREEDY, seed: int = 0, record=()) -> Iterator[Step]:
    """Read a script token by token with the cache. It starts with a given token; `record` names what a trace keeps."""
    generator = torch.Generator().manual_seed(seed)
    state: tuple = ()
    logits = torch.empty(0)  # (V,) after the token before
    for position, given in enumerate(script):
        token = pick(logits, sampling, generator) if given is None else given
        before = float(logits.softmax(-1)[token]) if position else 1.0
        trace = Trace(*record) if record else NOTHING
        out, state = model(torch.tensor([[token]]), state, trace)
        logits = out[0, -1]
        yield Step(position, token, given is not None, before, logits.softmax(-1), state, trace)


def generate(model: Model, prompt: Sequence[int], steps: int, sampling: Sampling = GREEDY, seed: int = 0) -> list[int]:
    """`steps` tokens after the prompt."""
    return [step.token for step in follow(model, [*prompt, *[None] * steps], sampling, seed) if not step.given]


@dataclass(frozen=True)
class Run:
    """A whole script, recorded.

    tokens, given, probability (T,); attention (L, H, T, T) float32, row = the token that asks; visible (L, T, T) bool;
    cache, state (T,) numbers really kept after each token, of one sequence; next (V,) what is expected after the last token.
    """

    tokens: np.ndarray
    given: np.ndarray
    probability: np.ndarray
    attention: np.ndarray
    visible: np.ndarray
    cache: np.ndarray
    state: np.ndarray
    next: np.ndarray


def record(model: Model, script: Sequence[int | None]) -> Run:
    """Follow a script greedily and keep what a page draws. Layers that do not attend, and heads that a layer has fewer of,
    stay empty."""
    depth, n = len(model.spec.layers), len(script)
    heads = max(getattr(layer.mixer, "heads", 1) for layer in model.spec.layers)
    attention = np.zeros((depth, heads, n, n), np.float32)
    visible = np.zeros((depth, n, n), bool)
    grows, rows = model.spec.cache_names(), []
    for step in follow(model, script, record=("attention", "positions")):
        for layer in (layer for layer in range(depth) if (layer, "positions") in step.trace.records):
            columns, weights = step.trace[layer, "positions"].numpy(), step.trace[layer, "attention"][0, :, 0].numpy()
            attention[layer, : len(weights), step.position, columns] = weights.T
            visible[layer, step.position, columns] = True
        kept = elements(step.state)
        growing = sum(count for name, count in kept.items() if name in grows)
        rows.append((step.token, step.given, step.probability, growing, sum(kept.values()) - growing))
    tokens, given, probability, cache, state = (np.array(column) for column in zip(*rows))
    return Run(tokens, given, probability, attention, visible, cache, state, step.next.numpy())
