"""The live twin: a real model's structure, shrunk until it runs at once, and checked against the count.

Every distinct layer is kept, in order; every flag is kept; so is the ratio of query heads to KV heads. What became smaller
is listed field by field. A recursive solver takes a few steps over a board, at once and carried one by one.
"""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from core.count import cost
from core.errors import SpecError, whole
from core.model.decoding import recursion
from core.model.mixers.cells import Cells
from core.model.model import Model, build, elements
from core.model.part import inside
from core.model.spec import ModelSpec
from core.shape.shrink import shrink

MAX_TOKENS = 2048
STEPS = 3  # of a recursive solver
Drawn = TypeVar("Drawn", bound=nn.Module)


def default_tokens(spec: ModelSpec) -> int:
    """A board of the size that the cells of a mixer say; else more than twice the largest window, chunk, kernel or number of
    picked tokens and a multiple of none, as far as there are positions."""
    if fixed := boards(spec):
        return fixed[0]
    sizes = [size for layer in spec.layers for size in (layer.input_conv, *(layer.mixer.spans() if layer.mixer else ()))]
    n = max([2 * size + 1 for size in sizes] + [17])
    while any(n % size == 0 for size in sizes if size > 1):
        n += 1
    return min(n, spec.learned_positions or n)


def boards(spec: ModelSpec) -> list[int]:
    """Cells of the only board that a mixer across cells takes."""
    return [part.cells for layer in spec.layers for part in inside(layer.mixer, Cells)]


@dataclass(frozen=True)
class Live:
    """A twin after its run: numbers counted beside numbers measured, for one sequence of `tokens`."""

    tokens: int
    shrunk: list[dict]
    logits_std: float
    params_counted: int
    params_measured: int
    cache_elements_counted: int
    cache_elements_measured: int
    state_elements_counted: int
    state_elements_measured: int
    decode_max_abs_diff: float


def run_twin(spec: ModelSpec, tokens: int = 0, seed: int = 0, text: torch.Tensor | None = None) -> Live:
    """Shrink, draw weights, prefill the first half of a text (1, n), decode the rest one by one, and compare. The text is random,
    of `tokens` tokens, where none is given. Of a recursive solver the text is a board: steps are compared."""
    twin, shrunk = shrink(spec)
    solver = twin.decoding == "recursion"
    twin = twin if solver else twin.causal()
    n = whole("tokens", tokens or default_tokens(twin) if text is None else text.shape[1], low=2, high=MAX_TOKENS)
    whole("seed", seed, low=0, high=(1 << 63) - 1)
    if twin.learned_positions and n > twin.learned_positions:
        raise SpecError(f"tokens must be at most {twin.learned_positions}, the learned positions of this model, not {n}")
    if boards(twin) and n != boards(twin)[0]:
        raise SpecError(f"tokens must be {boards(twin)[0]}, the cells of this model's board, not {n}")
    torch.set_num_threads(1)
    model = draw(build(twin, seed), seed)
    if text is None:
        text = torch.randint(twin.vocab, (1, n), generator=torch.Generator().manual_seed(seed))
    full, stepped, state = (carry if solver else decode)(model, text)
    counted = cost.count(twin, n)
    kept, grows = elements(state), twin.cache_names()
    cache = sum(count for name, count in kept.items() if name in grows)
    return Live(
        n, shrunk, full.std().item(),
        counted.params_total, sum(p.numel() for p in model.parameters()),
        counted.cache_elements, cache,
        counted.state_elements, sum(kept.values()) - cache,
        (full - stepped).abs().max().item(),
    )  # fmt: skip


@torch.no_grad()
def decode(model: Model, text: torch.Tensor):
    """text (1, n) -> logits of one full pass, logits of prefill and single steps, the last state."""
    half = text.shape[1] // 2
    full, _ = model(text)
    logits, state = model(text[:, :half])
    stepped = [logits]
    for i in range(half, text.shape[1]):
        logits, state = model(text[:, i : i + 1], state)
        stepped.append(logits)
    return full, torch.cat(stepped, dim=1), state


@torch.no_grad()
def carry(model: Model, board: torch.Tensor):
    """board (1, n) -> logits of several steps at once, of as many single steps that carry y and z, and what the last one left."""
    at_once = [logits for logits, _, _ in recursion.solve(model, board, STEPS)]
    stepped, s = [], None
    for _ in range(STEPS):
        ((logits, _, s),) = recursion.solve(model, board, 1, s)
        stepped.append(logits)
    return torch.cat(at_once, dim=1), torch.cat(stepped, dim=1), vars(s)


@torch.no_grad()
def draw(model: Drawn, seed: int) -> Drawn:
    """Weights large enough to see: matrices with rows of length about 1, vectors .2 around where they start."""
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() > 1:
            p.copy_(noise * p.shape[-1] ** -0.5)
        else:
            p.add_(0.2 * noise)
    return model
