"""Grouped-query attention: the trained models run on the reader's words, the cache counted and measured, real models shared
further or less.

Letters: H = 8 query heads, G KV heads, r = H / G heads a KV head (the sharing factor), n tokens.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.count import cost
from core.lessons.common import USUAL_CONTEXT, cache_bytes, model_name, spec_of
from core.model.mixers.attention import Attention
from core.model.spec import ModelSpec
from core.real import catalogue
from core.train import zoo
from core.train.recipes import gqa as recipes

HEADS = recipes.HEADS
KV_HEADS = (1, 2, 4, 8)
METRIC = "loss@48"
PAIRS = int(METRIC.removeprefix("loss@"))
LOSS = f"loss at {PAIRS} pairs, nats"
SHORT, INDUCTION = "one layer", "two layers, no convolution"
MODELS = (SHORT, INDUCTION)
NONE, ROPE = "none", "rope"
POSITIONS = (NONE, ROPE)


def variant(kv_heads: int, positions: str = NONE, model: str = SHORT) -> str:
    """The checkpoint that a setting of the controls means."""
    if model == INDUCTION:
        return "induction"
    return recipes.Sharing(kv_heads, rope=positions == ROPE).key


def placed(positions: str, model: str) -> str:
    """The positions that a setting of the controls runs with: the two-layer model was trained with one kind alone."""
    attention = next(zoo.recipe(variant(HEADS, positions, model)).spec.parts(Attention))
    return ROPE if attention.rope.dim else NONE


def trained(model: str) -> tuple[int, ...]:
    """The numbers of KV heads that a model was trained with."""
    return KV_HEADS if model == SHORT else (HEADS,)


# Count


@dataclass(frozen=True)
class Shared:
    """A real model as released and with other sharing. Cache bytes of one sequence in its own cache dtype."""

    key: str
    name: str
    heads: int
    kv_heads: int
    chosen: int
    multi_head: int
    released: int
    moved: int


def attentions(spec: ModelSpec) -> list[Attention]:
    """The attention of every layer; [] where a layer mixes tokens in another way, or not at all, and where nothing is cached
    because the model reads both ways."""
    found = list(spec.parts(Attention))
    return found if spec.decoding == "autoregressive" and found == [layer.mixer for layer in spec.layers] else []


def alike(spec: ModelSpec) -> bool:
    """Do all layers keep the same, so that one formula holds?"""
    return len({(m.heads, m.kv_heads, m.k_dim, m.v_dim, m.reach) for m in attentions(spec)}) == 1


def reshare(spec: ModelSpec, kv_heads) -> ModelSpec:
    """The same model with `kv_heads(attention)` KV heads on every attention layer."""
    return spec.remixed(Attention, lambda m: replace(m, kv_heads=kv_heads(m)))


@lru_cache(maxsize=512)
def real_model(key: str, factor: int, context: int = USUAL_CONTEXT, dtype: str = "bfloat16") -> Shared | None:
    """One model of the catalogue with `factor` query heads a KV head; None where they do not divide or are not attention."""
    entry = catalogue.entries()[key]
    spec = entry.reading.spec
    mixers = attentions(spec)
    if not mixers or any(m.heads % factor for m in mixers):
        return None
    a, specs = mixers[0], (reshare(spec, lambda m: m.heads), spec, reshare(spec, lambda m: m.heads // factor))
    sizes = (cache_bytes(each, context, dtype) for each in specs)
    return Shared(key, entry.name, a.heads, a.kv_heads, a.heads // factor, *sizes)


def dividing_model(key: str, factor: int) -> Shared:
    """A model that is known to have heads that divide by this factor."""
    real = real_model(key, factor)
    assert real is not None, f"{key} by {factor}"
    return real


def real_models(factor: int, context: int = USUAL_CONTEXT) -> list[Shared]:
    """Every model of the catalogue that can share by this factor, the largest multi-head cache first."""
    rows = [real_model(key, factor, context) for key in catalogue.entries()]
    return sorted((row for row in rows if row), key=lambda row: -row.multi_head)


def dividing(factor: int) -> list[str]:
    """Keys of the models that can share by this factor and whose cache is one formula."""
    return [key for key, entry in catalogue.entries().items() if real_model(key, factor) and alike(entry.reading.spec)]


def arithmetic(key: str, factor: int, contexts: np.ndarray) -> dict[str, np.ndarray]:
    """FLOPs of one decode step by part ("attention", "projections") at each context, with `factor` heads a KV head."""
    spec = reshare(spec_of(key), lambda m: m.heads // factor)
    flops = [cost.count(spec, int(n)).flops for n in contexts]
    return {part: np.array([f[part] for f in flops]) for part in ("attention", "projections")}


@dataclass(frozen=True)
class Formula:
    """The factors of a model's cache: 2 x layers x kv_heads x width x tokens kept x 2 bytes."""

    name: str
    layers: int
    kv_heads: int
    width: int
    context: int
    bytes: int
    released: int  # bytes with the sharing that the model was released with


def formula(key: str, factor: int) -> Formula:
    """The cache formula of a real model at a sharing, with the number that the calculator gives."""
    released = spec_of(key)
    spec = reshare(released, lambda m: m.heads // factor)
    a, (size, whole) = next(spec.parts(Attention)), (cache_bytes(s, USUAL_CONTEXT) for s in (spec, released))
    return Formula(model_name(key), len(spec.layers), a.kv_heads, a.k_dim, a.reach.kept(USUAL_CONTEXT), size, whole)


# Prove


# Who uses it


def users() -> list[dict]:
    """The catalogue's attention models: heads, KV heads, sharing, cache a token, with the facts and their sources."""
    rows = []
    for entry in catalogue.entries().values():
        mixers = attentions(entry.reading.spec)
        if mixers:
            token = cache_bytes(entry.reading.spec, 2) // 2
            factors = [m.heads // m.kv_heads for m in mixers]
            row = {"entry": entry, "heads": each(m.heads for m in mixers), "kv_heads": each(m.kv_heads for m in mixers)}
            rows.append({**row, "sharing": f"{each(factors)} to 1" if max(factors) > 1 else "none", "token_bytes": token})
    return rows


def each(values) -> str:
    """The different values of a model's layers, in the order of its layers."""
    return " or ".join(map(str, dict.fromkeys(values)))
