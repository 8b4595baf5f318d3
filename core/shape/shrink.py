"""A model's structure, made small enough to run at once.

Every distinct layer is kept, in order; every flag is kept; so is the ratio of query heads to KV heads, and of value heads to key
heads. What became smaller is listed field by field. One rule a class: RULES.
"""

from dataclasses import fields, is_dataclass, replace

from core.errors import CountedOnly, SpecError
from core.model.blocks import Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.cells import Cells
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.spec import Layer, ModelSpec

D_MODEL, VOCABULARY, HEAD, HIDDEN, WINDOW, POSITIONS = 48, 211, 8, 96, 6, 4096
RANK, EXPERTS = 20, 8
STATE, PICKED, BLOCK, CELLS = 12, 5, 16, 25
MAX_RATIO, MAX_LAYERS = 256, 256


def shrink(spec: ModelSpec) -> tuple[ModelSpec, list[dict]]:
    """spec -> the twin's spec and what changed, as [{"field", "from", "to"}]. CountedOnly where a part has no module yet."""
    if spec.streams > 1:
        raise CountedOnly("a model with several residual streams")
    low = kinds(spec.layers[: spec.recursion.low])
    layers = low + kinds(spec.layers[spec.recursion.low :])
    if len(layers) > MAX_LAYERS:
        raise SpecError(f"layers of a live twin must be at most {MAX_LAYERS} different ones, not {len(layers):,}")
    layers = spec.layers[:2] if len(layers) == 1 else layers
    twin = replace(
        spec,
        d_model=min(spec.d_model, D_MODEL),
        vocab=min(spec.vocab, VOCABULARY),
        learned_positions=min(spec.learned_positions, POSITIONS),
        layers=tuple(shrink_layer(layer) for layer in layers),
        recursion=replace(spec.recursion, low=len(low)),
    )
    changed = differences(spec, twin, skip=("layers", "name"))
    if len(layers) != len(spec.layers):
        changed.append({"field": "layers", "from": len(spec.layers), "to": len(layers)})
    for i, (before, after) in enumerate(zip(layers, twin.layers)):
        changed += differences(before, after, f"layers.{i}.")
    return twin, changed


def kinds(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The first layer of every kind, in order."""
    return tuple({alike(layer): layer for layer in reversed(layers)}[kind] for kind in dict.fromkeys(map(alike, layers)))


def alike(layer: Layer) -> Layer:
    """The same layer wherever it stands: slopes of lightning attention, other in every layer, make no kind of their own."""
    return replace(layer, mixer=replace(layer.mixer, fade=1.0)) if isinstance(layer.mixer, Lightning) else layer


def shrink_layer(layer: Layer) -> Layer:
    """One layer, with its own shrinking rule for each kind of part."""
    parts = {field: getattr(layer, field) for field in ("mixer", "ffn")}
    if absent := [part for part in parts.values() if part and type(part) not in RULES]:
        raise CountedOnly(getattr(absent[0], "family", absent[0].name))
    return replace(layer, **{field: RULES[type(part)](part) for field, part in parts.items() if part})


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


# Recurrences: few heads of width 8, bottlenecks of different widths, so that none can be taken for another


def shrink_delta(m: GatedDelta) -> GatedDelta:
    """Few key heads, each with as many value heads as before."""
    ratio, keys = m.value_heads // m.key_heads, min(m.key_heads, 2)
    if ratio > MAX_RATIO:
        raise SpecError(f"value heads must be at most {MAX_RATIO} times key heads for a live twin, not {ratio:,} times")
    widths = {"k_dim": narrow(m.k_dim, m.k_dim), "v_dim": narrow(m.v_dim, m.k_dim)}
    return replace(m, key_heads=keys, value_heads=ratio * keys, **widths)


def shrink_heads(m):
    """Few heads of one width."""
    return replace(m, heads=min(m.heads, 4), width=min(m.width, HEAD))


def shrink_lightning(m: Lightning) -> Lightning:
    """Few heads, short blocks."""
    return replace(shrink_heads(m), block=min(m.block, BLOCK))


def shrink_cells(m: Cells) -> Cells:
    """A small board."""
    return replace(m, cells=min(m.cells, CELLS), hidden=min(m.hidden, HIDDEN))


def shrink_mamba1(m: Mamba1) -> Mamba1:
    """Few channels."""
    return replace(m, inner=min(m.inner, HIDDEN // 2), state_size=min(m.state_size, STATE // 2), rank=min(m.rank, 4))


def shrink_mamba2(m: Mamba2) -> Mamba2:
    """Few groups of few heads."""
    groups = min(m.groups, 2)
    heads = groups * min(m.heads // m.groups, 3)
    return replace(m, heads=heads, groups=groups, width=min(m.width, HEAD), state_size=min(m.state_size, STATE))


def shrink_rwkv(m: Rwkv7) -> Rwkv7:
    """Few heads; all of them side by side stay as wide as the model where they were."""
    ranks = zip(("decay_rank", "erase_rank", "value_rank", "gate_rank"), (4, 5, 3, 6))
    small = {name: min(getattr(m, name), size) for name, size in ranks}
    return replace(m, heads=min(m.heads, D_MODEL // HEAD), width=min(m.width, HEAD), **small)


def shrink_mlstm(m: MLstm) -> MLstm:
    """Few heads whose keys and values keep their ratio."""
    return replace(m, heads=min(m.heads, 4), k_dim=narrow(m.k_dim, m.k_dim), v_dim=narrow(m.v_dim, m.k_dim))


def shrink_lstm(m: Lstm) -> Lstm:
    """A narrow cell."""
    return replace(m, hidden=min(m.hidden, D_MODEL))


def shrink_channels(f: ChannelMix) -> ChannelMix:
    """Fewer inner channels."""
    return replace(f, hidden=min(f.hidden, HIDDEN))


def as_it_is(m):
    """Nothing to shrink but the model's width."""
    return m


# Mixers made of others


def shrink_indexed(m: Indexed) -> Indexed:
    """The latent's rule, and a narrow scorer that picks few tokens."""
    latent = shrink_latent(m.latent)
    turned = min(m.rope_dim, latent.rope_dim)
    width = min(m.width, max(HEAD, turned + 2 * (m.width > m.rope_dim)))
    return replace(m, latent=latent, heads=min(m.heads, 3), width=width, rope_dim=turned, top_k=min(m.top_k, PICKED))


def shrink_borrowed(m: Borrowed) -> Borrowed:
    """The rule of the attention that it would be."""
    return replace(m, own=shrink_attention(m.own))


def shrink_parallel(m: Parallel) -> Parallel:
    """Each by its own rule."""
    return replace(m, **{name: RULES[type(part)](part) for name, part in (("first", m.first), ("second", m.second))})


RULES = {
    Attention: shrink_attention, Latent: shrink_latent, Dense: shrink_dense, MoE: shrink_moe,
    GatedDelta: shrink_delta, KimiDelta: shrink_heads, Lightning: shrink_lightning, Mamba1: shrink_mamba1, Mamba2: shrink_mamba2,
    Rwkv7: shrink_rwkv, ChannelMix: shrink_channels, MLstm: shrink_mlstm, SLstm: shrink_heads, Lstm: shrink_lstm,
    GatedConv: as_it_is, Cells: shrink_cells, Indexed: shrink_indexed, Borrowed: shrink_borrowed, Parallel: shrink_parallel,
}  # fmt: skip
