"""How a solver of puzzles is trained and measured, whatever the puzzle.

carried     deep supervision as TRM and HRM have it: one optimiser step is one step of the network on a batch of boards, each with
            the y and z that it was left with. A board leaves, and a new one comes, when the halting head says so (q > 0), and
            after `most` steps at the latest; a tenth of the boards stay longer, so that the head sees what it would have missed.
            Over the first `ramp` optimiser steps the longest stay grows from one step: so many different boards are seen early.
unrolled    a looped transformer: a batch takes a random number of steps in `depths`, each is supervised, and the gradient goes
            through all of them. A network that runs once is one that always takes one.

The weights that are measured and shipped are an exponential average over the optimiser steps. Both the boards that are under way
and the average are buffers of the model, so that a snapshot holds them and an interrupted run goes on where it was.

Letters: B boards, C cells, V words.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import SpecError
from core.model.decoding.recursion import State, answer, solve, start, step
from core.model.model import Model

STAY = 0.1  # share of boards that must stay for a while
STEPS = (1, 2, 4, 8, 16)  # after which an answer is measured
ANSWERED = 8  # of them count as the answer


class Boards(nn.Module):
    """The boards under way: gaps and solution (B, C), y and z (B, C, D), the step each is at, whether it is done with."""

    def __init__(self, model: Model, count: int, cells: int):
        super().__init__()
        s, empty = start(model, count, cells), torch.zeros(count, cells, dtype=torch.long)
        over = torch.ones(count, dtype=torch.bool)
        parts = {"board": empty, "solved": empty.clone(), "y": s.y.clone(), "z": s.z.clone(), "at": empty[:, 0].clone()}
        for name, value in (parts | {"stay": empty[:, 0].clone(), "over": over}).items():
            self.register_buffer(name, value, persistent=False)


class Average(nn.Module):
    """An exponential average of every parameter, in the order of `parameters()`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long), persistent=False)
        for i, p in enumerate(model.parameters()):
            self.register_buffer(f"p{i}", p.detach().clone(), persistent=False)


def prepare(model: Model, size: int, count: int, most: int = 0, **_) -> None:
    """Give a fresh model the average of its weights, and the boards under way where it is trained on such."""
    model.average = Average(model)
    if most:
        model.under_way = Boards(model, count, size * size)


def loss(model, board: Tensor, solved: Tensor, drawn: Tensor, most: int = 0, learned: int = 0, **_) -> Tensor:
    """One step of training. `drawn` are the steps that each board stays at least and at most, (B, 2), or how often a batch is
    unrolled, (1,)."""
    if most:
        return carried(model, board, solved, drawn, learned)
    x, s, total = model.embed(board, 0), start(model, len(board), board.shape[1]), torch.zeros(())
    for _step in range(int(drawn[0])):
        s = step(model, x, s)
        total = total + wrong(*answer(model, s), solved)
    return total / int(drawn[0])


def carried(model, board: Tensor, solved: Tensor, drawn: Tensor, learned: int) -> Tensor:
    """One step on the boards under way; those done with make place for new ones first."""
    w, fresh, (stay, most) = model.under_way, start(model, *board.shape), drawn.unbind(1)
    for name, new in (("board", board), ("solved", solved), ("y", fresh.y), ("z", fresh.z), ("stay", stay), ("at", 0 * stay)):
        old = getattr(w, name)
        old.copy_(torch.where(w.over.view(-1, *(1,) * (old.dim() - 1)), new, old))
    s = step(model, model.embed(w.board, 0), State(w.y.clone(), w.z.clone()), learned)
    logits, q = answer(model, s)
    w.y.copy_(s.y.detach())
    w.z.copy_(s.z.detach())
    w.at += 1
    w.over.copy_((w.at >= most) | ((q.detach() > 0) & (w.at >= w.stay)))
    return wrong(logits, q, w.solved.clone())


def wrong(logits: Tensor, q: Tensor, solved: Tensor) -> Tensor:
    """Cross-entropy of every cell's word in nats, and half the halting head's: is the whole answer right?"""
    cells = F.cross_entropy(logits.flatten(0, 1), solved.flatten())
    if not q.requires_grad:
        return cells
    right = (logits.detach().argmax(-1) == solved).all(-1).to(q.dtype)
    return cells + 0.5 * F.binary_cross_entropy_with_logits(q, right)


def after(model, *_, ema: float = 0.99, **__) -> None:
    """Move the average towards the weights."""
    a = model.average
    a.steps += 1
    rate = min(ema, (1 + int(a.steps)) / (10 + int(a.steps)))
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            getattr(a, f"p{i}").lerp_(p, 1 - rate)


@contextmanager
def averaged(model):
    """The model with its averaged weights, for as long as it is needed."""
    if not hasattr(model, "average"):
        yield model
        return
    own = [p.detach().clone() for p in model.parameters()]
    finish(model)
    try:
        yield model
    finally:
        with torch.no_grad():
            for p, kept in zip(model.parameters(), own):
                p.copy_(kept)


@torch.no_grad()
def finish(model, **_) -> None:
    """Leave the averaged weights in the model."""
    for i, p in enumerate(model.parameters()):
        p.copy_(getattr(model.average, f"p{i}"))


@dataclass(frozen=True)
class Outcome:
    """What became of test boards: whether each is right in every cell after some numbers of steps, {steps: (B,) bool}; and where
    the halting head first says so (else at the end): whether it is right then, and the step; None without such a head."""

    right: dict[int, Tensor]
    halted: tuple[Tensor, Tensor] | None

    @property
    def answered(self) -> Tensor:
        """(B,): right after ANSWERED steps, or after all where they are fewer."""
        return self.right[min(ANSWERED, max(self.right))]

    def shares(self, name: str) -> dict[str, float]:
        """The outcome as metrics."""
        shares = {name: mean_of(self.answered)} | {f"{name}@{k}": mean_of(right) for k, right in self.right.items()}
        if self.halted:
            shares |= dict(zip((f"{name}@halt", f"{name}, steps"), map(mean_of, self.halted)))
        return shares


def mean_of(x: Tensor) -> float:
    """The mean of (B,)."""
    return x.double().mean().item()


@torch.no_grad()
def outcome(model, board: Tensor, solved: Tensor, depths=(0, 0), **_) -> Outcome:
    """Solve test boards; a network that was trained to run once runs once."""
    steps = (1,) if depths == (1, 1) else STEPS
    right: dict[int, Tensor] = {}
    halted = torch.zeros(len(board), dtype=torch.bool)
    stopped, took = halted.clone(), torch.zeros(len(board))
    for i, (logits, q, _left) in enumerate(solve(model, board, max(steps)), 1):
        good = (logits.argmax(-1) == solved).all(-1)
        now = ((q > 0) | (i == max(steps))) & ~halted
        stopped, took, halted = torch.where(now, good, stopped), torch.where(now, float(i), took), halted | now
        right |= {i: good} if i in steps else {}
    return Outcome(right, (stopped, took) if model.spec.recursion.halt else None)


def lengths(step: int, generator: torch.Generator, count: int, most: int = 0, ramp: int = 0, depths=(1, 1), **_) -> Tensor:
    """(B, 2): how long each board stays at least (1 unless it is one of the few) and at most; or (1,): how often the batch is
    unrolled."""
    if not most:
        return torch.randint(depths[0], depths[1] + 1, (1,), generator=generator)
    most = min(most, 1 + step * most // ramp) if ramp else most
    longer = torch.randint(2, most + 2, (count,), generator=generator)
    stay = torch.where(torch.rand(count, generator=generator) < STAY, longer, 1)
    return torch.stack([stay, torch.full_like(stay, most)], 1)


# Boards that a reader writes


def signs_of(text: str, what: str, most: int) -> list[str]:
    """The signs of a board as typed, row by row; spaces and strokes between rows are left out."""
    if len(text) > most:
        raise SpecError(f"the {what} must be at most {most} characters, not {len(text)}")
    return [sign for sign in text if not sign.isspace() and sign not in "/|,;"]


def rows_of(signs: list[str], n: int) -> str:
    """Rows of n signs, side by side."""
    return " ".join("".join(signs[row : row + n]) for row in range(0, n * n, n))
