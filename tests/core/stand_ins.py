"""Three mechanisms that strain the contract most, written as briefly as they can be: a matrix memory that erases and writes
(its state is constant, it has convolution-like columns of its own), a value handed from the first layer to later ones, and
an ffn that remembers the previous token. They go through the same battery as the real ones."""

from dataclasses import dataclass

import torch
from torch import nn

from core.model.part import Ffn, Recurrent, Words
from core.model.spec import Layer, ModelSpec
from core.model.trace import NOTHING


@dataclass(frozen=True)
class Memory(Recurrent):
    """A gated delta rule with one matrix a head; later layers add the first layer's values."""

    heads: int
    width: int
    name = "memory"
    family = prefix = called = "a stand-in"

    def build(self, d_model):
        return MemoryModule(self, d_model)

    def params(self, d_model):
        return d_model * self.heads * (3 * self.width + 2) + self.heads * self.width * d_model

    def state(self, d_model):
        return {"matrix": self.heads * self.width**2, "shift": d_model}

    def multiply_adds(self, d_model):
        return {"projections": self.params(d_model), "recurrence": 3 * self.heads * self.width**2}

    @property
    def elementwise(self):
        return self.heads * self.width**2  # the write, an outer product

    def in_words(self):
        return Words("memory", "memory")


class MemoryModule(nn.Module):
    def __init__(self, config, d_model):
        super().__init__()
        self.config = config
        self.in_proj = nn.Linear(d_model, config.heads * (3 * config.width + 2), bias=False)
        self.out_proj = nn.Linear(config.heads * config.width, d_model, bias=False)

    def forward(self, x, state, shared, trace=NOTHING):
        c, (B, T, D) = self.config, x.shape
        S = state.get("matrix", x.new_zeros(B, c.heads, c.width, c.width))
        last = state.get("shift", x.new_zeros(B, 1, D))
        mixed = (x + torch.cat([last, x[:, :-1]], 1)) / 2
        q, k, v, gates = self.in_proj(mixed).unflatten(-1, (c.heads, -1)).split([c.width] * 3 + [2], -1)
        v = v + shared["first_value"] if "first_value" in shared else v
        k, (beta, alpha) = nn.functional.normalize(k, dim=-1), gates.sigmoid().unbind(-1)
        out = []
        for t in range(T):
            S = alpha[:, t, :, None, None] * S
            read = torch.einsum("bhk,bhkv->bhv", k[:, t], S)
            S = S + torch.einsum("bhk,bhv->bhkv", k[:, t], beta[:, t, :, None] * (v[:, t] - read))
            out.append(torch.einsum("bhk,bhkv->bhv", q[:, t], S))
        y = self.out_proj(torch.stack(out, 1).flatten(2))
        return y, {"matrix": S, "shift": x[:, -1:]}, {"first_value": v, **shared}


@dataclass(frozen=True)
class Shifted(Ffn):
    """Squared relu on the mean of this token and the one before."""

    hidden: int
    name = "channel_mix"
    family = prefix = called = "a stand-in"

    def build(self, d_model):
        return ShiftedModule(self, d_model)

    def params(self, d_model):
        return 2 * d_model * self.hidden

    def active(self, d_model):
        return self.params(d_model)

    def in_words(self):
        return Words("shifted", "shifted")

    def state(self, d_model):
        return {"shift": d_model}

    def flops(self, d_model, queries):
        return {"ffn": 2 * queries * self.params(d_model)}


class ShiftedModule(nn.Module):
    def __init__(self, config, d_model):
        super().__init__()
        self.up = nn.Linear(d_model, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, d_model, bias=False)

    def forward(self, x, state, shared, trace=NOTHING):
        last = state.get("shift", x.new_zeros(x.shape[0], 1, x.shape[2]))
        mixed = (x + torch.cat([last, x[:, :-1]], 1)) / 2
        return self.down(self.up(mixed).relu().square()), {"shift": x[:, -1:]}, shared


def specs():
    """A recurrent model, and a hybrid with attention."""
    from core.model.registry import BASE, FFN

    memory = Layer(Memory(2, 4), Shifted(20))
    return (
        ModelSpec("recurrent", 16, 31, (memory,) * 3),
        ModelSpec("hybrid", 16, 31, (memory, memory, Layer(BASE, FFN), memory)),
    )
