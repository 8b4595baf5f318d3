"""What a forward pass records, when somebody asks.

A page asks by name, `Trace("attention")`, and finds one tensor a layer afterwards. Modules write into the trace that
they are handed and keep nothing themselves: every visitor shares the cached model.

Names
    attention   (B, H, T, S)  softmax weights; column s is the token at position `positions[s]`
    positions   (S,)          positions of the tokens that the columns stand for
    residual    (B, T, D)     the residual stream after the layer
"""

NAMES = ("attention", "positions", "residual")


class Trace:
    """Records of one forward pass: `trace[layer, name]` is a tensor. Unknown names are refused when asked for."""

    def __init__(self, *names: str):
        unknown = set(names) - set(NAMES)
        if unknown:
            raise KeyError(f"a trace records {', '.join(NAMES)}, not {', '.join(sorted(unknown))}")
        self.names, self.layer, self.records = frozenset(names), 0, {}

    def at(self, layer: int) -> "Trace":
        """The same records, written from now on under this layer's number."""
        view = object.__new__(Trace)
        view.names, view.layer, view.records = self.names, layer, self.records
        return view

    def wants(self, name: str) -> bool:
        """Whether anybody asked: a module makes what is costly only then."""
        return name in self.names

    def put(self, name: str, tensor) -> None:
        """Keep a tensor if somebody asked for it."""
        if name in self.names:
            self.records[self.layer, name] = tensor.detach()

    def __getitem__(self, key):
        return self.records[key]


NOTHING = Trace()
