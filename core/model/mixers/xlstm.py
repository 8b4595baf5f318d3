"""Three LSTMs: the mLSTM of xLSTM, whose memory is a matrix and whose gates are exponential; the sLSTM beside it, whose memory
is a number a channel and which reads its own last output; the classic cell of 1997.

Glossary
    C               memory of one head, (d, v): sum of keys times values
    n               normaliser, (d,): sum of keys
    m               the largest log of a gate so far, one number, so that nothing overflows
    H   heads       heads; d = k_dim of queries and keys, v = v_dim of values
    i, f            input and forget gate, one number a head; o a gate on every output
    D   d_model     width of the residual stream

    m' = max(log sigmoid(f) + m, i)
    f' = exp(log sigmoid(f) + m - m')     i' = exp(i - m')
    C <- f' C + i' k v^T                  n <- f' n + i' k
    h = (q C) / max(|q n|, exp(-m'))      q times 1 / sqrt(d)
    y = W_o( sigmoid(o) * norm(h) )

i and f are capped softly before they are used: cap * tanh(. / cap). Nothing grows with context: d v + d + 1 numbers a head.

    sLSTM (a number a channel; gates see the token and the last output h of their own head)
    i, f, z, o = x W + h R + bias;  c <- f' c + i' tanh(z);  n <- f' n + i';  h = sigmoid(o) c / n       y = W_o norm(h)

    LSTM (f, i and o are sigmoids, one a channel)
    c <- f c + i tanh(z)            h = o tanh(c)            y = W_o h

mLSTM has no weights between steps, so all tokens of a prompt can be worked out at once, as decayed attention that no softmax
but |q n| normalises. sLSTM and LSTM wait for their own last output and go token by token.

Papers: Long Short-Term Memory (Neural Computation 9(8), 1997), xLSTM (arXiv 2405.04517), xLSTM 7B (arXiv 2503.13427).
Simplified: no fused kernel; the sLSTM without a convolution and feed-forward part of its own; both vectors of torch's two biases.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.blocks import split
from core.model.part import D_MODEL, HEAD, Recurrent, Words, narrow, product_text
from core.model.scan import column
from core.model.trace import NOTHING, Trace

BLOCK = 64  # tokens that the mLSTM takes at once


@dataclass(frozen=True)
class MLstm(Recurrent):
    """Configuration and formulas, in elements."""

    heads: int
    k_dim: int
    v_dim: int
    gate_cap: float = 15.0
    norm_eps: float = 1e-6

    name = "mlstm_layer"
    family = "the mLSTM"
    prefix, called = "mlstm", "mLSTM"

    def build(self, d_model: int) -> "MLstmModule":
        return MLstmModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries, keys; values, output gate, output; input and forget gate."""
        return d_model * self.heads * (2 * self.k_dim + 3 * self.v_dim + 2)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, biases of the input and the forget gate, the norm of each head."""
        return self.weights(d_model) + 2 * self.heads + self.heads * self.v_dim

    def state(self, d_model: int) -> dict[str, int]:
        return {"memory": self.heads * self.k_dim * self.v_dim, "normaliser": self.heads * self.k_dim, "largest": self.heads}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays, writes and reads memory and normaliser."""
        return {"projections": self.weights(d_model), "recurrence": 3 * self.elementwise}

    @property
    def elementwise(self) -> int:
        return self.heads * self.k_dim * (self.v_dim + 1)

    def in_words(self) -> Words:
        size, techniques = product_text(self.heads, self.k_dim, self.v_dim), (("xLSTM", "xlstm"),)
        detail = f"q, k {product_text(self.heads, self.k_dim)} · v × {self.v_dim} · input and forget gate"
        return Words("mLSTM", "mLSTM", detail, size, techniques)

    def small(self) -> "MLstm":
        widths = {"k_dim": narrow(self.k_dim, self.k_dim), "v_dim": narrow(self.v_dim, self.k_dim)}
        return replace(self, heads=min(self.heads, 4), **widths)

    @property
    def state_heads(self) -> int:
        return self.heads


@dataclass(frozen=True)
class SLstm(Recurrent):
    """Configuration and formulas, in elements."""

    heads: int
    width: int
    norm_eps: float = 1e-6

    name = "slstm_layer"
    family = "the sLSTM"
    prefix, called = "slstm", "sLSTM"

    @property
    def inner(self) -> int:
        """Channels of all heads."""
        return self.heads * self.width

    def build(self, d_model: int) -> "SLstmModule":
        return SLstmModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: four from the token, four from the head's own last output, one out."""
        return d_model * 4 * self.inner + 4 * self.inner * self.width + self.inner * d_model

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, four biases a channel, the norm of each head."""
        return self.weights(d_model) + 4 * self.inner + self.inner

    def state(self, d_model: int) -> dict[str, int]:
        return dict.fromkeys(("cell", "normaliser", "largest", "hidden"), self.inner)

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays and writes cell and normaliser."""
        return {"projections": self.weights(d_model), "recurrence": self.elementwise}

    @property
    def elementwise(self) -> int:
        return 4 * self.inner  # the step itself

    def in_words(self) -> Words:
        detail = f"{self.heads} heads of {self.width} · cell, normaliser, stabiliser"
        return Words("sLSTM", "sLSTM", detail, product_text(self.heads, self.width))

    def small(self) -> "SLstm":
        return replace(self, heads=min(self.heads, 4), width=min(self.width, HEAD))

    @property
    def state_heads(self) -> int:
        return self.heads


@dataclass(frozen=True)
class Lstm(Recurrent):
    """The classic cell: configuration and formulas, in elements."""

    hidden: int

    name = "lstm"
    family = "the LSTM"
    prefix, called = "lstm", "LSTM"

    def build(self, d_model: int) -> "LstmModule":
        return LstmModule(self, d_model)

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: four from the token, four from the last output, one out."""
        return self.hidden * (4 * d_model + 4 * self.hidden + d_model)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices and, as in torch, two biases a gate."""
        return self.weights(d_model) + 8 * self.hidden

    def state(self, d_model: int) -> dict[str, int]:
        return {"cell": self.hidden, "hidden": self.hidden}

    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """A step decays and writes the cell."""
        return {"projections": self.weights(d_model), "recurrence": self.elementwise}

    @property
    def elementwise(self) -> int:
        return 2 * self.hidden  # the step itself

    def in_words(self) -> Words:
        return Words("LSTM", "LSTM", f"cell of {self.hidden:,}")

    def small(self) -> "Lstm":
        return replace(self, hidden=min(self.hidden, D_MODEL))


class MLstmModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds memory (B, H, d, v), normaliser (B, H, d, 1) and largest (B, H, 1, 1)."""

    def __init__(self, config: MLstm, d_model: int):
        super().__init__()
        c = self.config = config
        keys, values = c.heads * c.k_dim, c.heads * c.v_dim
        self.q, self.k = (nn.Linear(d_model, keys, bias=False) for _ in range(2))
        self.v, self.ogate_preact = (nn.Linear(d_model, values, bias=False) for _ in range(2))
        self.igate_preact, self.fgate_preact = (nn.Linear(d_model, c.heads) for _ in range(2))
        self.multihead_norm = HeadNorm(c.heads, c.v_dim, c.norm_eps)
        self.out_proj = nn.Linear(values, d_model, bias=False)
        with torch.no_grad():  # at first little is forgotten
            self.fgate_preact.bias.copy_(torch.linspace(3.0, 6.0, c.heads))

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config

        # 1. queries, keys, values, and the logs of both gates
        q, k, v = (split(made(x), c.heads) for made in (self.q, self.k, self.v))  # (B, H, T, d), (B, H, T, v)
        q = q * c.k_dim**-0.5
        i, f = (column(capped(gate(x), c.gate_cap)) for gate in (self.igate_preact, self.fgate_preact))  # (B, H, T, 1)
        f = F.logsigmoid(f)

        # 2. the normaliser is a memory of ones: one more column of values
        ones = v.new_ones(*v.shape[:3], 1)
        start = tuple(state[name] for name in ("memory", "normaliser", "largest")) if state else self.empty(q)
        out, weights, (memory, largest) = gated(q, k, torch.cat([v, ones], -1), i, f, torch.cat(start[:2], -1), start[2])
        for name, record in (("query", q), ("key", k), ("value", v), ("decay", f), ("write", i.exp())):
            trace.put(name, record)
        if weights is not None:
            trace.put("effective", weights)

        # 3. each head normed, gated, and back to the residual stream
        out, opened = self.multihead_norm(out.transpose(1, 2)).flatten(2), self.ogate_preact(x).sigmoid()
        trace.put("output", split(opened, c.heads))
        y = self.out_proj(opened * out)
        memory, normaliser = memory.split([c.v_dim, 1], dim=-1)
        return y, {"memory": memory.clone(), "normaliser": normaliser.clone(), "largest": largest}, shared

    def empty(self, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nothing stored yet."""
        c, (B, H) = self.config, q.shape[:2]
        return q.new_zeros(B, H, c.k_dim, c.v_dim), q.new_zeros(B, H, c.k_dim, 1), q.new_zeros(B, H, 1, 1)


def capped(x: Tensor, cap: float) -> Tensor:
    """cap * tanh(x / cap): x itself where it is small, never above cap."""
    return cap * torch.tanh(x / cap)


def gated(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, memory: Tensor, largest: Tensor):
    """The mLSTM's memory over T tokens. q, k (B, H, T, d); v (B, H, T, v + 1), its last column ones; log gates i, f (B, H, T, 1);
    memory (B, H, d, v + 1), which stands for memory * exp(largest); largest (B, H, 1, 1)
    -> h (B, H, T, v), weights (B, H, T, T) where one block from an empty memory holds all, (memory, largest).
    """
    out, weights, size = [], None, q.shape[2]
    for at in range(0, size, BLOCK):
        part = (x[:, :, at : at + BLOCK] for x in (q, k, v, i, f))
        h, weights, memory, largest = gated_block(memory, largest, *part)
        out.append(h)
    return torch.cat(out, 2), weights if size <= BLOCK else None, (memory, largest)


def gated_block(memory, largest, q, k, v, i, f):
    """Up to BLOCK tokens at once. Every exponent is at most 0."""
    total = f.cumsum(2)  # (B, H, C, 1): log of what is left at token t of the block's start
    peak = total + torch.maximum(largest, (i - total).cummax(2).values)  # (B, H, C, 1): the m of each token
    start = (total + largest - peak).exp()
    if q.shape[2] == 1:  # one step, its decay and its write
        memory = start * memory + (k * (i - peak).exp()).transpose(-1, -2) @ v
        read = q @ memory
        return normalised(read, peak), None, memory, peak
    later = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    shares = (total - peak + (i - total).transpose(-1, -2)).masked_fill(later, -torch.inf).exp()  # (B, H, C, C)
    pairs = q @ k.transpose(-1, -2) * shares
    read, last = (q * start) @ memory + pairs @ v, peak[:, :, -1:]
    left = (total[:, :, -1:] - total + i - last).exp()
    memory = start[:, :, -1:] * memory + (k * left).transpose(-1, -2) @ v
    return normalised(read, peak), pairs / size_of(read, peak), memory, last


def normalised(read: Tensor, peak: Tensor) -> Tensor:
    """What was read (..., v + 1), divided by its last column or by exp(-m), whichever is larger."""
    return read[..., :-1] / size_of(read, peak)


def size_of(read: Tensor, peak: Tensor) -> Tensor:
    """The divisor (..., 1)."""
    return torch.maximum(read[..., -1:].abs(), (-peak).exp()) + 1e-6


class SLstmModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds cell, normaliser, largest and hidden, (B, H, w) each."""

    def __init__(self, config: SLstm, d_model: int):
        super().__init__()
        c = self.config = config
        self.w = nn.Linear(d_model, 4 * c.inner)  # of each gate in the order i, f, z, o all heads
        self.r = nn.Parameter(torch.randn(4, c.heads, c.width, c.width) * c.width**-0.5)
        self.multihead_norm = HeadNorm(c.heads, c.width, c.norm_eps)
        self.out_proj = nn.Linear(c.inner, d_model, bias=False)
        with torch.no_grad():  # at first little is forgotten
            self.w.bias[c.inner : 2 * c.inner] = torch.linspace(3.0, 6.0, c.inner)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        c = self.config
        made = self.w(x).unflatten(-1, (4, c.heads, c.width))  # (B, T, 4, H, w)
        names = ("cell", "normaliser", "largest", "hidden")
        kept = tuple(state[name] for name in names) if state else (x.new_zeros(len(x), c.heads, c.width),) * 4
        out, gates = [], []
        for t in range(x.shape[1]):
            recurrent = (kept[3].transpose(0, 1) @ self.r).transpose(1, 2)  # (4, H, B, w) -> (4, B, H, w)
            kept, gate = slstm_step(made[:, t].transpose(0, 1) + recurrent, *kept[:3])
            out.append(kept[3])
            gates.append(gate)
        for place, name in enumerate(("write", "decay", "output")):
            trace.put(name, torch.stack([gate[place] for gate in gates], 2))  # (B, H, T, w)
        y = self.out_proj(self.multihead_norm(torch.stack(out, 1)).flatten(2))
        return y, dict(zip(names, kept)), shared


def slstm_step(gates: Tensor, cell: Tensor, normaliser: Tensor, largest: Tensor):
    """gates (4, B, H, w) before their functions, the rest (B, H, w) -> the next four states, and (write, log decay, output)."""
    i, f, z, o = gates
    f = F.logsigmoid(f)
    peak = torch.maximum(f + largest, i)
    keep, write = (f + largest - peak).exp(), (i - peak).exp()
    cell, normaliser = keep * cell + write * torch.tanh(z), keep * normaliser + write
    return (cell, normaliser, peak, o.sigmoid() * cell / normaliser), (write, keep.log(), o.sigmoid())


class LstmModule(nn.Module):
    """x (B, T, D) -> y (B, T, D); the state holds cell and hidden, (B, h) each."""

    def __init__(self, config: Lstm, d_model: int):
        super().__init__()
        self.config = config
        self.cell = nn.LSTM(d_model, config.hidden, batch_first=True)
        self.out_proj = nn.Linear(config.hidden, d_model, bias=False)
        with torch.no_grad():  # at first little is forgotten
            self.cell.all_weights[0][2][config.hidden : 2 * config.hidden] = 1.0

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace = NOTHING):
        zero = x.new_zeros(len(x), self.config.hidden)
        hidden, cell = state.get("hidden", zero), state.get("cell", zero)
        watched = any(map(trace.wants, ("write", "decay", "output")))
        if x.shape[1] > 1 and not watched:
            out, (hidden, cell) = self.cell(x, (hidden[None], cell[None]))
            return self.out_proj(out), {"hidden": hidden[0], "cell": cell[0]}, shared
        out, gates = [], []
        for t in range(x.shape[1]):
            hidden, cell, gate = self.step(x[:, t], hidden, cell)
            out.append(hidden)
            gates.append(gate)
        for place, name in enumerate(("write", "decay", "output")):
            trace.put(name, torch.stack([gate[place] for gate in gates], 1)[:, None])  # (B, 1, T, h)
        return self.out_proj(torch.stack(out, 1)), {"hidden": hidden, "cell": cell}, shared

    def step(self, x: Tensor, hidden: Tensor, cell: Tensor):
        """One token with torch's weights: x (B, D), hidden, cell (B, h) -> hidden, cell, (input gate, log of the forget gate,
        output gate)."""
        from_x, from_hidden, x_bias, hidden_bias = self.cell.all_weights[0]
        made = F.linear(x, from_x, x_bias) + F.linear(hidden, from_hidden, hidden_bias)
        i, f, z, o = made.chunk(4, dim=-1)  # torch's order
        cell = f.sigmoid() * cell + i.sigmoid() * torch.tanh(z)
        return o.sigmoid() * torch.tanh(cell), cell, (i.sigmoid(), F.logsigmoid(f), o.sigmoid())


class HeadNorm(nn.Module):
    """LayerNorm without bias over each head, with a weight for every number."""

    def __init__(self, heads: int, width: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(heads * width))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, H, v) -> the same."""
        return F.layer_norm(x, x.shape[-1:], eps=self.eps) * self.weight.view(x.shape[-2:])
