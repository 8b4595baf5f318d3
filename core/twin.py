"""The live twin: a real model's structure, shrunk until it runs at once, and checked against the count.

Every distinct layer is kept, in order; every flag is kept; so is the ratio of query heads to KV heads. What became smaller
is listed field by field.
"""

from dataclasses import dataclass, fields, is_dataclass, replace

import torch
from torch import nn

from core import cost
from core.blocks import Window
from core.errors import CountedOnly, SpecError, whole
from core.ffn.dense import Dense
from core.ffn.moe import MoE
from core.mixers.attention import Attention
from core.mixers.latent import Latent
from core.model import Model, build, elements
from core.spec import Layer, ModelSpec

D_MODEL, VOCABULARY, HEAD, HIDDEN, WINDOW, POSITIONS = 48, 211, 8, 96, 6, 4096
RANK, EXPERTS = 20, 8
MAX_TOKENS, MAX_RATIO, MAX_LAYERS = 2048, 256, 256


def shrink(spec: ModelSpec) -> tuple[ModelSpec, list[dict]]:
    """spec -> the twin's spec and what changed, as [{"field", "from", "to"}]. CountedOnly where a part has no module yet."""
    if spec.decoding == "recursion":
        raise CountedOnly("a recursive solver")
    if spec.streams > 1:
        raise CountedOnly("a model with several residual streams")
    layers = tuple(dict.fromkeys(spec.layers))
    if len(layers) > MAX_LAYERS:
        raise SpecError(f"layers of a live twin must be at most {MAX_LAYERS} different ones, not {len(layers):,}")
    layers = spec.layers[:2] if len(layers) == 1 else layers
    twin = replace(
        spec,
        d_model=min(spec.d_model, D_MODEL),
        vocab=min(spec.vocab, VOCABULARY),
        learned_positions=min(spec.learned_positions, POSITIONS),
        layers=tuple(shrink_layer(layer) for layer in layers),
    )
    changed = differences(spec, twin, skip=("layers", "name"))
    if len(layers) != len(spec.layers):
        changed.append({"field": "layers", "from": len(spec.layers), "to": len(layers)})
    for i, (before, after) in enumerate(zip(layers, twin.layers)):
        changed += differences(before, after, f"layers.{i}.")
    return twin, changed


def shrink_layer(layer: Layer) -> Layer:
    """One layer, with its own shrinking rule for each kind of part."""
    rules = {Attention: shrink_attention, Latent: shrink_latent, Dense: shrink_dense, MoE: shrink_moe}
    parts = {field: getattr(layer, field) for field in ("mixer", "ffn")}
    if absent := [part for part in parts.values() if part and type(part) not in rules]:
        raise CountedOnly(getattr(absent[0], "family", absent[0].name))
    return replace(layer, **{field: rules[type(part)](part) for field, part in parts.items() if part})


def shrink_attention(a: Attention) -> Attention:
    """Narrow heads and few of them, as many query heads a KV head as before."""
    ratio = a.heads // a.kv_heads
    if ratio > MAX_RATIO:
        raise SpecError(f"heads must be at most {MAX_RATIO} times kv_heads ({a.kv_heads:,}) for a live twin, not {a.heads:,}")
    kv = min(a.kv_heads, 4 if ratio == 1 else 2)
    k_dim, v_dim = narrow(a.k_dim, a.k_dim), narrow(a.v_dim, a.k_dim)
    rope = a.rope.resized(max(2, k_dim * a.rope.dim // a.k_dim // 2 * 2)) if a.rope.dim else a.rope
    reach = replace(a.reach, size=min(a.reach.size, WINDOW)) if isinstance(a.reach, Window) else a.reach
    heat = replace(a.temperature, every=min(a.temperature.every, WINDOW))
    return replace(a, heads=ratio * kv, kv_heads=kv, k_dim=k_dim, v_dim=v_dim, rope=rope, reach=reach, temperature=heat)


def narrow(width: int, head: int) -> int:
    """A width of a head so that the key's becomes HEAD and others keep their ratio to it."""
    return width if head <= HEAD else max(1, round(HEAD * width / head))


def shrink_latent(m: Latent) -> Latent:
    """Few heads, a narrow latent; every width that differs from another still does."""
    nope, v_dim, rope = (narrow(width, m.nope_dim) for width in (m.nope_dim, m.v_dim, m.rope_dim))
    rope = 2 * max(1, rope // 2) if m.rope_dim else 0
    turned = m.rope.resized(rope) if m.rope.dim else m.rope
    ranks = {"kv_rank": min(m.kv_rank, RANK), "q_rank": min(m.q_rank, RANK + 4), "cut": min(m.cut, RANK - 4)}
    return replace(m, heads=min(m.heads, 4), nope_dim=nope, v_dim=v_dim, rope_dim=rope, rope=turned, **ranks)


def shrink_moe(f: MoE) -> MoE:
    """Few small experts, in as many groups as there is room for, and fewer of them picked than there are."""
    groups = min(f.groups, 4)
    top_groups = max(1, f.top_groups * groups // f.groups)
    each = min(f.experts // f.groups, 4 if groups > 1 else EXPERTS)
    room = each * top_groups - (f.top_k < f.experts)
    sizes = {"hidden": min(f.hidden, HIDDEN // 4), "shared": min(f.shared, HIDDEN // 2)}
    counts = {"experts": each * groups, "groups": groups, "top_groups": top_groups, "top_k": min(f.top_k, 3, room)}
    return replace(f, **sizes, **counts, group_best=min(f.group_best, each))


def shrink_dense(f: Dense) -> Dense:
    """Fewer inner channels."""
    return replace(f, hidden=min(f.hidden, HIDDEN))


def differences(before, after, path: str = "", skip=()) -> list[dict]:
    """Fields in which two descriptions of the same class differ, nested ones by their path."""
    changed = []
    for field in (f.name for f in fields(before) if f.name not in skip):
        a, b = getattr(before, field), getattr(after, field)
        if is_dataclass(a) and type(a) is type(b):
            changed += differences(a, b, f"{path}{field}.")
        elif a != b:
            changed.append({"field": path + field, "from": a, "to": b})
    return changed


def default_tokens(spec: ModelSpec) -> int:
    """More than twice the largest window, chunk or kernel and a multiple of none of them, as far as there are positions."""
    sizes = [layer.input_conv for layer in spec.layers]
    sizes += [m.reach.size for layer in spec.layers if isinstance(m := layer.mixer, Attention) and isinstance(m.reach, Window)]
    n = max([2 * size + 1 for size in sizes] + [17])
    while any(n % size == 0 for size in sizes if size > 1):
        n += 1
    return min(n, spec.learned_positions or n)


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


def run(spec: ModelSpec, tokens: int = 0, seed: int = 0) -> Live:
    """Shrink, draw weights, prefill the first half of a random text, decode the rest one by one, and compare."""
    twin, shrunk = shrink(spec)
    twin = twin.causal()
    n = whole("tokens", tokens or default_tokens(twin), low=2, high=MAX_TOKENS)
    whole("seed", seed, low=0, high=(1 << 63) - 1)
    if twin.learned_positions and n > twin.learned_positions:
        raise SpecError(f"tokens must be at most {twin.learned_positions}, the learned positions of this model, not {n}")
    torch.set_num_threads(1)
    model = draw(build(twin, seed), seed)
    text = torch.randint(twin.vocab, (1, n), generator=torch.Generator().manual_seed(seed))
    full, stepped, state = decode(model, text)
    counted = cost.count(twin, n)
    kept, grows = elements(state), cost.cache_names(twin)
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
def draw(model: nn.Module, seed: int) -> nn.Module:
    """Weights large enough to see: matrices with rows of length about 1, vectors .2 around where they start."""
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() > 1:
            p.copy_(noise * p.shape[-1] ** -0.5)
        else:
            p.add_(0.2 * noise)
    return model
