"""An answer by thinking it over: a tiny network runs again and again on a whole board and betters its own answer.

Glossary
    x       (B, C, D)   the board: an embedding of each of its C cells
    y       (B, C, D)   the answer so far (HRM: z_H); the output matrix reads it
    z       (B, C, D)   the thought behind it (HRM: z_L)
    n       inner       updates of z before one of y (HRM: T)
    T       cycles      such rounds in one step (HRM: N)
    N_sup               steps of supervision: y and z are carried from one to the next, cut off from the gradient
    q                   the halting value: sigmoid(q) says how sure the network is that y is right in every cell

    TRM     one network f of two layers         n times z <- f(z + y + x), then y <- f(y + z)
    HRM     two networks, f_L and f_H           n times z <- f_L(z + y + x), then y <- f_H(y + z)
    looped  one network, no z (n = 0)           y <- f(y + x)

Each of these is an update. A step of TRM is T rounds of which only the last has a gradient, through all of its n + 1 updates; a
step of HRM has one through the last update of z and of y alone; a looped transformer is trained through all updates of all steps.

Papers: TRM (arXiv 2510.04871), HRM (arXiv 2506.21734), looped transformers (Universal Transformers, arXiv 1807.03819).
Simplified: no embedding of the puzzle stands in front of the cells; softmax instead of stablemax; HRM's halting learns whether
the answer is right, as TRM's does, and not by Q-learning.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.model import Model
from core.model.spec import Recursion
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class State:
    """What is carried from step to step: y and z, (B, C, D) each; z of a looped transformer is empty."""

    y: Tensor
    z: Tensor

    def detached(self) -> "State":
        """The same numbers, cut off from the gradient."""
        return State(self.y.detach(), self.z.detach())


def start(model: Model, boards: int, cells: int) -> State:
    """Before the first step: the same fixed vector in every cell, one for y and one for z."""
    y, z = model.starts.expand(boards, cells, -1, -1).unbind(2)
    return State(y, z if model.spec.recursion.inner else z[:, :0])


def updates(r: Recursion) -> str:
    """The updates of one step in their order: "zzyzzy"."""
    return ("z" * r.inner + "y") * r.cycles


def update(model: Model, what: str, x: Tensor, s: State, trace: Trace = NOTHING) -> State:
    """One update of z or of y."""
    r, depth = model.spec.recursion, len(model.layers)
    if what == "z":
        return State(s.y, through(model, range(r.low or depth), s.z + s.y + x, trace))
    read = s.y + s.z if r.inner else s.y + x
    return State(through(model, range(r.low, depth), read, trace), s.z)


def through(model: Model, layers: range, h: Tensor, trace: Trace) -> Tensor:
    """h (B, C, D) through some of the layers."""
    for i in layers:
        h, _, _ = model.layers[i](h, {}, {}, trace.at(i))
    return h


def step(model: Model, x: Tensor, s: State, learned: int = 0) -> State:
    """All updates of one step; the last `learned` of them have a gradient (where torch makes any), 0 means all."""
    order = updates(model.spec.recursion)
    for i, what in enumerate(order):
        with torch.set_grad_enabled(torch.is_grad_enabled() and (not learned or i >= len(order) - learned)):
            s = update(model, what, x, s)
    return s


def answer(model: Model, s: State) -> tuple[Tensor, Tensor]:
    """What y says: logits of every cell's word (B, C, V), and the halting value q (B,), 0 without a halting head."""
    q = model.halt(s.y[:, 0])[:, 0] if model.spec.recursion.halt else s.y.new_zeros(len(s.y))
    return model.logits(s.y), q


def solve(model: Model, boards: Tensor, steps: int, s: State | None = None) -> Iterator[tuple[Tensor, Tensor, State]]:
    """boards (B, C) -> after each step the logits (B, C, V), the halting value (B,) and what is carried on; `s` is what earlier
    steps left."""
    x = model.embed(boards, 0)
    s = s or start(model, *boards.shape)
    for _ in range(steps):
        s = step(model, x, s).detached()
        yield *answer(model, s), s
