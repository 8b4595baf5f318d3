"""Mixing cells by a feed-forward layer across them: every channel of a board passes through one SwiGLU of its own length.

Glossary
    C   cells    cells of the board; there is no smaller or larger one
    F   hidden   inner width
    D   d_model  channels, each mixed alike and alone

    y[:, d] = W_down( silu(W_gate x[:, d]) * W_up x[:, d] )     x (C, D)

The weights are indexed by cells, so which cell stands where is known without any position, and nothing is compared: what is read
from where is the same for every board. Paper: MLP-Mixer (arXiv 2105.01601); as the first half of TRM's layers where attention is
replaced (arXiv 2510.04871). Simplified: the layer's norm runs over channels, where TRM's code has it run over cells.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LONGEST, SpecError
from core.model.part import CELLS, HIDDEN, Mixer, Words
from core.model.trace import NOTHING, Trace


@dataclass(frozen=True)
class Cells(Mixer):
    """Configuration and formulas, in elements."""

    cells: int
    hidden: int

    name = "mlp_t"
    family = "Cells"
    prefix, called = "cells", "mixing across cells"
    limits = {"cells": (1, LONGEST), "hidden": (1, 1 << 24)}
    kind = "none"

    def build(self, d_model: int) -> "CellsModule":
        return CellsModule(self)

    def params(self, d_model: int) -> int:
        """Learned numbers: three matrices between cells."""
        return 3 * self.cells * self.hidden

    def cache(self, n: int) -> dict[str, int]:
        return {}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` cells of the board: each of all channels, read and written."""
        return {"cells": 2 * queries * 3 * self.hidden * d_model}

    def in_words(self) -> Words:
        detail = f"gate, up → {self.hidden:,} → down, channel by channel"
        techniques = (("A layer across the cells", "recursive"),)
        return Words(f"layer across {self.cells:,} cells", "across cells", detail, techniques=techniques)

    def small(self) -> "Cells":
        return replace(self, cells=min(self.cells, CELLS), hidden=min(self.hidden, HIDDEN))


class CellsModule(nn.Module):
    """x (B, C, D) -> y (B, C, D)."""

    def __init__(self, config: Cells):
        super().__init__()
        self.config = config
        self.gate_proj = nn.Linear(config.cells, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.cells, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.cells, bias=False)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        if x.shape[1] != self.config.cells:
            raise SpecError(f"cells.cells is {self.config.cells}: a board must have as many cells, not {x.shape[1]}")
        turned = x.transpose(1, 2)  # (B, D, C)
        mixed = self.down_proj(F.silu(self.gate_proj(turned)) * self.up_proj(turned))
        return mixed.transpose(1, 2), {}, shared
