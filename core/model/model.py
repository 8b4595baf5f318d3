"""spec -> a live torch model.

Letters: B batch, T tokens given now, D model width, V vocabulary. Parameter names are Llama's:
embed_tokens, layers.N.{input_layernorm, self_attn, post_attention_layernorm, mlp}, norm, lm_head.

The model is a pure function of tokens and state. The state is a tuple with one dict a layer,
{"mixer": {...}, "ffn": {...}, "conv": {...}}; () or None is the start.
"""

import torch
from torch import Tensor, nn

from core.errors import CountedOnly, SpecError
from core.model.blocks import ShortConv
from core.model.spec import Layer, ModelSpec
from core.model.trace import NOTHING, Trace


class LayerModule(nn.Module):
    """One layer: x + mixer, then x + ffn, with its norms where the description puts them."""

    def __init__(self, layer: Layer, spec: ModelSpec):
        super().__init__()
        self.layer = layer
        before, after = layer.norms in ("pre", "sandwich", "stream"), layer.norms in ("post", "sandwich", "outer")

        def norm(wanted: bool) -> nn.Module:
            return spec.norm.build(spec.d_model) if wanted else nn.Identity()

        if layer.mixer:
            self.add_module(layer.mixer.name, layer.mixer.build(spec.d_model))
            self.input_layernorm, self.mixer_out_norm = norm(before), norm(after)
            if layer.input_conv:
                self.input_conv = ShortConv(spec.d_model, layer.input_conv)
        if layer.ffn:
            self.add_module(layer.ffn.name, layer.ffn.build(spec.d_model))
            self.post_attention_layernorm, self.ffn_out_norm = norm(before), norm(after)

    def forward(self, x: Tensor, state: dict, shared: dict, trace: Trace):
        """x (B, T, D) -> x (B, T, D), the layer's new state, what later layers share."""
        new, scales, stream = {}, self.layer.scales, self.layer.norms == "stream"
        if self.layer.mixer:
            h = normed = self.input_layernorm(x)
            if self.layer.input_conv:
                h, new["conv"] = self.input_conv(h, state.get("conv", {}))
            module = getattr(self, self.layer.mixer.name)
            h, new["mixer"], shared = module(h, state.get("mixer", {}), shared, trace)
            x = scales.mixer_stream * normed if stream else x
            x = self.added(x, scales.mixer, h, self.mixer_out_norm)
        if self.layer.ffn:
            module = getattr(self, self.layer.ffn.name)
            normed = self.post_attention_layernorm(x)
            h, new["ffn"], shared = module(normed, state.get("ffn", {}), shared, trace)
            x = scales.ffn_stream * normed if stream else x
            x = self.added(x, scales.ffn, h, self.ffn_out_norm)
        trace.put("residual", x)
        return x, new, shared

    def added(self, x: Tensor, scale: float, h: Tensor, norm: nn.Module) -> Tensor:
        """x and what a part makes of it, both (B, T, D), as one: the norm stands on the sum or on the part."""
        return norm(x + scale * h) if self.layer.norms == "outer" else x + scale * norm(h)


class Model(nn.Module):
    """tokens (B, T) and a state -> logits (B, T, V) and the next state."""

    starts: Tensor

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec = spec
        if spec.streams > 1:
            raise CountedOnly("a model with several residual streams")
        self.embed_tokens = nn.Embedding(spec.vocab, spec.d_model)
        if spec.learned_positions:
            self.embed_positions = nn.Embedding(spec.learned_positions, spec.d_model)
        if spec.embed_norm:
            self.embed_norm = spec.norm.build(spec.d_model)
        self.layers = nn.ModuleList(LayerModule(layer, spec) for layer in spec.layers)
        self.norm = spec.norm.build(spec.d_model)
        self.lm_head = nn.Linear(spec.d_model, spec.vocab, bias=spec.head_bias)
        if spec.tied:
            self.lm_head.weight = self.embed_tokens.weight
        if spec.decoding == "recursion":
            self.solver(spec)

    def solver(self, spec: ModelSpec) -> None:
        """What decoding by recursion needs beside the layers: where y and z start, for every seed alike, and halting."""
        drawn = torch.empty(2, spec.d_model)
        nn.init.trunc_normal_(drawn, std=1.0, generator=torch.Generator().manual_seed(0))
        self.register_buffer("starts", drawn, persistent=False)
        if spec.recursion.halt:
            self.halt = nn.Linear(spec.d_model, spec.recursion.halt)
            nn.init.zeros_(self.halt.weight)
            nn.init.constant_(self.halt.bias, -5.0)

    def forward(self, tokens: Tensor, state: tuple = (), trace: Trace = NOTHING) -> tuple[Tensor, tuple]:
        start = position(state)
        x = self.embed(tokens, start)
        x, state = self.trunk(x, state, trace)
        return self.logits(x), state

    def embed(self, tokens: Tensor, start: int) -> Tensor:
        """tokens (B, T), the first at position `start` -> x (B, T, D)."""
        x = self.embed_tokens(tokens) * self.spec.embed_scale
        x = self.embed_norm(x) if self.spec.embed_norm else x
        if self.spec.learned_positions:
            end = start + tokens.shape[1]
            if end > self.spec.learned_positions:
                raise SpecError(f"learned_positions has {self.spec.learned_positions} rows, not enough for {end} tokens")
            x = x + self.embed_positions(torch.arange(start, end, device=tokens.device))
        return x

    def trunk(self, x: Tensor, state: tuple, trace: Trace) -> tuple[Tensor, tuple]:
        """The layers: x (B, T, D) -> x (B, T, D) and the next state."""
        start, shared, new = position(state), dict[str, Tensor](), []
        for i, layer in enumerate(self.layers):
            x, kept, shared = layer(x, state[i] if state else {}, shared, trace.at(i))
            new.append({**kept, "position": start + x.shape[1]})
        return x, tuple(new)

    def logits(self, x: Tensor) -> Tensor:
        """x (B, T, D) -> (B, T, V)."""
        logits = self.lm_head(self.norm(x)) * self.spec.logit_scale
        cap = self.spec.softcap
        return cap * torch.tanh(logits / cap) if cap else logits


def position(state: tuple) -> int:
    """Tokens that a state has seen."""
    return state[0]["position"] if state else 0


def build(spec: ModelSpec, seed: int = 0) -> Model:
    """A model with fresh weights, the same for the same seed, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(spec).eval()


def elements(state, path: str = "") -> dict[str, int]:
    """Numbers in the tensors reachable from a state, summed by the last part of their name: what was really kept."""
    if isinstance(state, Tensor):
        return {path: state.numel()}
    items = state.items() if isinstance(state, dict) else [(path, part) for part in state] if isinstance(state, tuple) else []
    total: dict[str, int] = {}
    for name, part in items:
        for key, count in elements(part, name).items():
            total[key] = total.get(key, 0) + count
    return total
