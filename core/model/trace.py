"""What a forward pass records, when somebody asks.

A page asks by name, `Trace("attention")`, and finds one tensor a layer afterwards. Modules write into the trace that
they are handed and keep nothing themselves: every visitor shares the cached model.

Names
    attention   (B, H, T, S)  softmax weights; column s is the token at position `positions[s]`
    positions   (S,)          positions of the tokens that the columns stand for
    residual    (B, T, D)     the residual stream after the layer
    affinity    (B, T, E)     what a router gives every expert: softmax or sigmoid, before any bias
    routing     (B, T, K)     the experts that a token goes to, best first
    gates       (B, T, K)     the weights of their outputs
    indexer     (B, T, S)     what the scorer of sparse attention gives every token
    picked      (B, T, S)     whether a token was picked, bool
  of a recurrence (query, key, value as they meet the memory; d and v may be 1)
    query       (B, H, T, d)  what asks
    key         (B, H, T, d)  where a value is written
    value       (B, H, T, v)  what is written
    decay       (B, H, T, d)  log of what stays of the memory, a number a head (d = 1) or a row
    write       (B, H, T, d)  how strongly is written: beta, step size, input gate
    erase       (B, H, T, d)  how strongly is erased where that is not `write` (RWKV-7)
    output      (B, H, T, v)  the output gate of an LSTM
    effective   (B, H, T, T)  how much of each token's value is in each output: attention as it would be written out
"""

from torch import Tensor

NAMES = (
    "attention", "positions", "residual", "affinity", "routing", "gates", "indexer", "picked",
    "query", "key", "value", "decay", "write", "erase", "output", "effective",
)  # fmt: skip


class Trace:
    """Records of one forward pass: `trace[layer, name]` is a tensor. Unknown names are refused when asked for.

    Records are cut off from the gradient, unless a training loss needs it (`differentiable`).
    """

    def __init__(self, *names: str, differentiable: bool = False):
        unknown = set(names) - set(NAMES)
        if unknown:
            raise KeyError(f"a trace records {', '.join(NAMES)}, not {', '.join(sorted(unknown))}")
        self.names, self.layer, self.differentiable = frozenset(names), 0, differentiable
        self.records: dict[tuple[int, str], Tensor] = {}

    def at(self, layer: int) -> "Trace":
        """The same records, written from now on under this layer's number."""
        view = object.__new__(Trace)
        view.names, view.layer, view.records, view.differentiable = self.names, layer, self.records, self.differentiable
        return view

    def wants(self, name: str) -> bool:
        """Whether anybody asked: a module makes what is costly only then."""
        return name in self.names

    def put(self, name: str, tensor: Tensor) -> None:
        """Keep a tensor if somebody asked for it."""
        if name in self.names:
            self.records[self.layer, name] = tensor if self.differentiable else tensor.detach()

    def every(self, name: str) -> list[Tensor]:
        """One record's tensors, layer after layer, of the layers that have it."""
        return [self.records[key] for key in sorted(self.records) if key[1] == name]

    def __getitem__(self, key: tuple[int, str]) -> Tensor:
        return self.records[key]


NOTHING = Trace()
