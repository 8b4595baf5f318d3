"""A model's structure, made small enough to run at once.

Every distinct layer is kept, in order; every flag is kept; so is the ratio of query heads to KV heads, and of value heads to key
heads. What became smaller is listed field by field. Every part says itself how it shrinks.
"""

from dataclasses import fields, is_dataclass, replace

from core.errors import CountedOnly, SpecError
from core.model.part import D_MODEL
from core.model.spec import Layer, ModelSpec

VOCABULARY, POSITIONS = 211, 4096
MAX_LAYERS = 256


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
    first = {at_any_depth(layer): layer for layer in reversed(layers)}
    return tuple(first[kind] for kind in dict.fromkeys(map(at_any_depth, layers)))


def at_any_depth(layer: Layer) -> Layer:
    """The same layer wherever it stands."""
    return replace(layer, mixer=layer.mixer.at_any_depth()) if layer.mixer else layer


def shrink_layer(layer: Layer) -> Layer:
    """One layer, each of its parts by the rule of its own class."""
    return replace(layer, mixer=layer.mixer and layer.mixer.small(), ffn=layer.ffn and layer.ffn.small())


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
