"""What a model costs: parameters, cache, state, arithmetic, bytes. Nothing is estimated; every number is a count.

Conventions, shown wherever a number is
    parameters      of the causal language model; a tied table counts once (as the output matrix)
    cache           numbers kept that grow with context: after n tokens of each of `batch` equal sequences
    state           numbers kept that do not grow: recurrent matrices, K-1 columns of a convolution
    FLOPs           2 x multiply-adds of matrix products, attention, convolutions, recurrences and the output matrix; no
                    look-ups, norms, activations. One decode step at context n; a prompt of n without subtracting the causal half.
                    Of a recurrence: the step form, where every number that is multiplied into, within or out of the state is one
                    multiply-add (decay, write, read). Of a recursive solver: one step over a whole board of n positions
    bytes           elements x dtype. Weights in 4 bits carry their block scales; recurrent state is float32
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from core.count import dtypes
from core.count.dtypes import stored
from core.errors import LONGEST, whole
from core.model.spec import Layer, ModelSpec

KINDS = ("full", "sliding", "chunked", "mla", "mla+indexer", "compressed", "state", "full+state", "shared", "none")

COLUMNS = ("columns", "conv", "shift")  # state kept in the cache's dtype; every other state is recurrent, float32


@dataclass(frozen=True)
class LayerCost:
    """One layer: elements by name, for one sequence; FLOPs by name."""

    kind: str
    params: int
    active: int
    cache: dict[str, int]
    state: dict[str, int]
    flops: dict[str, int]  # one decode step
    prefill: dict[str, int]  # the whole prompt


@dataclass(frozen=True)
class Cost:
    """A model at a context, batch and dtypes. Bytes are whole; `layers_by_kind` counts layers."""

    context: int
    batch: int
    weight_dtype: str
    cache_dtype: str
    state_dtype: str
    params_total: int
    params_active: int
    params_active_without_input_embedding: int
    params_active_without_embeddings: int
    buffers: int
    cache_elements: int
    state_elements: int
    cache_bytes: int
    state_bytes: int
    weight_bytes: int
    flops_per_token: int
    prefill_flops: int
    layers_by_kind: dict[str, int]
    layers: tuple[LayerCost, ...]
    flops: dict[str, int]


@lru_cache(maxsize=4096)
def layer_cost(layer: Layer, d_model: int, norm_params: int, context: int, streams: int = 1) -> LayerCost:
    """Count one layer at a context of `context` tokens; `norm_params` are the learned numbers of one norm."""
    mixer, ffn, norms = layer.mixer, layer.ffn, norm_params * (2 if layer.norms == "sandwich" else 1)
    params = active = 0
    cache, state, flops, prefill = {}, {}, {}, {}
    if mixer:
        params = active = mixer.params(d_model) + norms + layer.input_conv * d_model
        cache, state = mixer.cache(context), dict(mixer.state(d_model))
        flops, prefill = (dict(mixer.flops(d_model, q, context)) for q in (1, context))
        if layer.input_conv:
            state["columns"] = state.get("columns", 0) + (layer.input_conv - 1) * d_model
            flops["convolution"] = 2 * layer.input_conv * d_model
            prefill["convolution"] = context * flops["convolution"]
    if ffn:
        params, active = params + ffn.params(d_model) + norms, active + ffn.active(d_model) + norms
        merge(state, ffn.state(d_model))
        merge(flops, ffn.flops(d_model, 1))
        merge(prefill, ffn.flops(d_model, context))
    if streams > 1:
        parts = (mixer is not None) + (ffn is not None)
        params, active = (n + parts * connections(streams, d_model) for n in (params, active))
        flops["streams"] = 2 * parts * streams * d_model * (streams + 1) * (streams + 2)
        prefill["streams"] = context * flops["streams"]
    return LayerCost(layer.kind, params, active, cache, state, flops, prefill)


def count(
    spec: ModelSpec, context: int, batch: int = 1, weight_dtype="bfloat16", cache_dtype="bfloat16", state_dtype="float32"
) -> Cost:
    """Count a model. SpecError where context, batch or a dtype is out of bounds."""
    whole("context", context, high=LONGEST)
    whole("batch", batch, high=1 << 20)
    for field, dtype in (("weight_dtype", weight_dtype), ("cache_dtype", cache_dtype), ("state_dtype", state_dtype)):
        dtypes.named(field, dtype)

    solver = spec.decoding == "recursion"
    trunk, norm = spec if solver else spec.causal(), spec.norm.params(spec.d_model)
    layers = tuple(layer_cost(layer, spec.d_model, norm, context, spec.streams) for layer in trunk.layers)
    table = spec.vocab * spec.d_model
    outside = norm * (1 + spec.embed_norm) + spec.learned_positions * spec.d_model + spec.head_bias * spec.vocab
    outside += spec.streams * (spec.streams * spec.d_model + 1) + 1 if spec.streams > 1 else 0  # made one before the last norm
    outside += spec.recursion.halt * (spec.d_model + 1) * solver
    total = sum(c.params for c in layers) + outside + table * (1 if spec.tied else 2)
    active = sum(c.active for c in layers) + outside + table * (1 if spec.tied else 2)
    cache, state, flops, prefill = (sums(layers, field) for field in ("cache", "state", "flops", "prefill"))
    flops["output"], prefill["output"] = 2 * table, 2 * table * context
    if spec.streams > 1:
        merge(flops, {"streams": 2 * spec.streams * (spec.streams + 1) * spec.d_model})
        merge(prefill, {"streams": 2 * context * spec.streams * (spec.streams + 1) * spec.d_model})
    if solver:
        state, flops = carried(spec, context), step(spec, layers, context)
        prefill = flops
    return Cost(
        context, batch, weight_dtype, cache_dtype, state_dtype,
        params_total=total,
        params_active=active,
        params_active_without_input_embedding=active - (0 if spec.tied else table),
        params_active_without_embeddings=active - table * (1 if spec.tied else 2),
        buffers=sum(part.buffers() for layer in trunk.layers for part in (layer.mixer, layer.ffn) if part),
        cache_elements=batch * sum(cache.values()),
        state_elements=batch * sum(state.values()),
        cache_bytes=stored(batch * sum(cache.values()), cache_dtype),
        state_bytes=sum(stored(batch * n, cache_dtype if name in COLUMNS else state_dtype) for name, n in state.items()),
        weight_bytes=stored(total, weight_dtype, scales=True),
        flops_per_token=sum(flops.values()),
        prefill_flops=sum(prefill.values()),
        layers_by_kind={kind: n for kind in KINDS if (n := sum(c.kind == kind for c in layers))},
        layers=layers,
        flops=flops,
    )  # fmt: skip


def connections(streams: int, d_model: int) -> int:
    """Learned numbers of a part's hyper-connection: a matrix from all streams to the shares in which they are read, mixed and
    written, the shares' bases, and three scales."""
    return streams * (streams + 2) * (streams * d_model + 1) + 3


def carried(spec: ModelSpec, context: int) -> dict[str, int]:
    """What a recursive solver carries from step to step over a board of `context` positions: its answer y and, where it has one,
    its thought z."""
    return {"y": context * spec.d_model, "z": context * spec.d_model * (spec.recursion.inner > 0)}


def step(spec: ModelSpec, layers: tuple[LayerCost, ...], context: int) -> dict[str, int]:
    """FLOPs of one step of a recursive solver: every layer on the whole board as often as it runs, then the heads."""
    total: dict[str, int] = {}
    for i, layer in enumerate(layers):
        merge(total, {name: n * spec.recursion.passes(i) for name, n in layer.prefill.items()})
    merge(total, {"output": 2 * spec.vocab * spec.d_model * context, "halting": 2 * spec.recursion.halt * spec.d_model})
    return total


def sums(layers: tuple[LayerCost, ...], field: str) -> dict[str, int]:
    """One field of every layer, added name by name; layers alike are one object and are added at once."""
    total: dict[str, int] = {}
    times, found = Counter(map(id, layers)), {id(layer): layer for layer in layers}
    for which, layer in found.items():
        merge(total, {name: times[which] * n for name, n in getattr(layer, field).items()})
    return total


def merge(total: dict[str, int], more: dict[str, int]) -> None:
    """Add `more` into `total`, name by name."""
    for name, n in more.items():
        total[name] = total.get(name, 0) + n
