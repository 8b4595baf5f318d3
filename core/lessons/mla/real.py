"""Latent attention in released models: what they keep, what other caches of their shape would, both forms' arithmetic, and
numbers that are often said wrong.

Letters: m the latent attention of a model's first layer, d the width of the model.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.count import cost
from core.lessons.common import USUAL_CONTEXT, cache_bytes, first_context, keys_where, model_name, spec_of
from core.lessons.mla.lesson import ABSORBED, EXPANDED, FORMS, RANKS, WIDTH, reads, shapes
from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.spec import ModelSpec
from core.real import catalogue

V2, V3 = "deepseek-v2", "deepseek-v3"
PREFILL = 4096  # context at which many tokens are answered at once


# The models


def latents(spec: ModelSpec) -> list[Latent]:
    """The latent attention of every layer; [] where a layer mixes tokens in another way, or not at all."""
    return list(spec.parts(Latent)) if all(layer.kind == "mla" for layer in spec.layers) else []


def keys() -> tuple[str, ...]:
    """Models of the catalogue whose every layer is latent attention, oldest first."""
    return keys_where(latents)


def default() -> str:
    """The model that stands first in the list of real models."""
    return V3 if V3 in keys() else keys()[0]


def mixer(key: str) -> Latent:
    """The latent attention of a real model's first layer."""
    return next(spec_of(key).parts(Latent))


def presets() -> dict[str, dict]:
    """Slider settings named after real models: the latent that is the same share of the width as theirs, as near as the slider
    comes, the largest first; {label: {"latent": rank, "rope_key": bool}}."""
    found: dict[tuple, str] = {}
    for key in keys():
        m, d = mixer(key), spec_of(key).d_model
        setting = min(RANKS, key=lambda rank: abs(rank / WIDTH - m.kv_rank / d)), bool(m.rope.dim)
        found.setdefault(setting, f"{model_name(key).removeprefix('DeepSeek-')}'s share: 1/{round(d / m.kv_rank)}")
    return {label: {"latent": rank, "rope_key": turned} for (rank, turned), label in sorted(found.items(), reverse=True)}


def users() -> list[dict]:
    """The catalogue's models with latent attention, behind a scorer too, with numbers and bytes a token in 16 bits."""
    rows = []
    for entry in catalogue.entries().values():
        m = next(entry.reading.spec.parts(Latent), None)
        if m:
            token = cache_bytes(entry.reading.spec, 2) // 2
            rows.append({"entry": entry, "mixer": m, "token_bytes": token})
    return rows


def rope_key(m: Latent) -> str:
    """The width of a model's rope key; some keep one that is not turned."""
    return f"{m.rope_dim}" if m.rope.dim or not m.rope_dim else f"{m.rope_dim}, not turned"


# Their caches


def reshaped(spec: ModelSpec, kv_heads) -> ModelSpec:
    """The same model with `kv_heads(latent)` heads of keys and values kept instead of the latent."""
    return spec.remixed(Latent, lambda m: Attention(m.heads, kv_heads(m), m.nope_dim, m.v_dim))


@dataclass(frozen=True)
class RealModel:
    """A real model as released and with other caches: numbers of one sequence in its context, bytes in 16 bits."""

    key: str
    name: str
    latent: int
    rope_key: int
    heads: int
    layers: int
    released: int
    multi_head: int
    grouped: int


@lru_cache(maxsize=64)
def real_model(key: str, context: int = USUAL_CONTEXT, dtype: str = "bfloat16") -> RealModel:
    """One model, and what it would keep with keys and values of its heads' width: all of them, and 8 of them."""
    spec = spec_of(key)
    m, specs = mixer(key), (spec, reshaped(spec, lambda m: m.heads), reshaped(spec, lambda m: 8))
    sizes = (cache_bytes(each, context, dtype) for each in specs)
    return RealModel(key, model_name(key), m.kv_rank, m.rope_dim, m.heads, len(spec.layers), *sizes)


def real_models(context: int = USUAL_CONTEXT) -> list[RealModel]:
    """Every model of the catalogue with latent attention, the largest multi-head cache first."""
    return sorted((real_model(key, context) for key in keys()), key=lambda row: (-row.multi_head, row.name))


# Their arithmetic


def decode_curves(key: str, contexts: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """One decode step of one layer at each context: {"flops" and "reads": {form: values}}. "kept" is expanded with every head's
    keys and values kept, as multi-head attention would."""
    m, d = mixer(key), spec_of(key).d_model

    def of(form: str, part=None):
        flops = [replace(m, form=form).flops(d, 1, int(n)) for n in contexts]
        return np.array([sum(f.values()) if part is None else f[part] for f in flops])

    read = {form: np.array([reads(m, form, int(n)) for n in contexts]) for form in FORMS}
    made = of(EXPANDED, "latent")
    once = replace(m, form=EXPANDED).flops(d, 1, 1)["latent"]  # its own token's keys and values
    flops = {EXPANDED: of(EXPANDED), "kept": of(EXPANDED) - made + once, ABSORBED: of(ABSORBED)}
    return {"flops": flops, "reads": read}


def together(key: str, context: int, queries: np.ndarray) -> dict[str, np.ndarray]:
    """FLOPs of one layer when so many of the last tokens are answered at once, by form."""
    m, d = mixer(key), spec_of(key).d_model
    return {form: np.array([sum(replace(m, form=form).flops(d, int(q), context).values()) for q in queries]) for form in FORMS}


def crossing(key: str, context: int) -> int:
    """The fewest tokens at once for which the expanded form is no more arithmetic than the absorbed one; 0 if there are none."""

    def no_dearer(queries: int) -> bool:
        both = together(key, context, np.array([queries]))
        return bool(both[EXPANDED][0] <= both[ABSORBED][0])

    return first_context(no_dearer, context)


# Three answers behind one percentage

OLDER, OLDER_LAYERS = Attention(heads=64, kv_heads=8, k_dim=128, v_dim=128), 95  # DeepSeek 67B
BITS, QUANTISED = 16, 6  # 6 bits a number on average: the cache of DeepSeek-V2 as deployed (arXiv 2405.04434, section 3.2.3)


@dataclass(frozen=True)
class Saving:
    """One way to say how much smaller the cache is: numbers of one token and bits of one number, before and after."""

    against: str
    before: int
    before_bits: int
    after: int
    after_bits: int

    @property
    def share(self) -> float:
        """What is saved, 0 to 1."""
        return 1 - self.after * self.after_bits / (self.before * self.before_bits)

    @property
    def bytes(self) -> tuple[int, int]:
        """Bytes of one token before and after."""
        return self.before * self.before_bits // 8, self.after * self.after_bits // 8


def savings() -> tuple[Saving, ...]:
    """Three true answers to "how much smaller is the cache of DeepSeek-V2?"; () where the catalogue lacks it."""
    if V2 not in keys():
        return ()
    spec = spec_of(V2)
    now, alike = (cost.count(s, 2).cache_elements // 2 for s in (spec, reshaped(spec, lambda m: m.heads)))
    older = OLDER_LAYERS * sum(OLDER.cache(1).values())
    return (
        Saving("multi-head attention of its own shape", alike, BITS, now, BITS),
        Saving("DeepSeek 67B, both in 16 bits", older, BITS, now, BITS),
        Saving("DeepSeek 67B, the new cache in 6 bits", older, BITS, now, QUANTISED),
    )


# What is often said


@dataclass(frozen=True)
class Facts:
    """Numbers of one real model that common mistakes get wrong: of one token in one layer."""

    name: str
    latent: int
    rope_key: int
    kept: int
    multi_head: int
    query_rank: int
    kept_without_query_rank: int
    more_flops: float  # absorbed against expanded, for one query and one key
    fewer_reads: float


def facts(key: str) -> Facts:
    """What is counted for one model."""
    m = mixer(key)
    kept, plain = (sum(x.cache(1).values()) for x in (m, replace(m, q_rank=0)))
    pair = {form: replace(m, form=form).flops(1, 1, 1)["attention"] for form in FORMS}
    read = {form: reads(m, form, 1) for form in FORMS}
    multi_head = sum(shapes(m)["MHA"].cache(1).values())
    return Facts(
        model_name(key), m.kv_rank, m.rope_dim, kept, multi_head, m.q_rank, plain,
        pair[ABSORBED] / pair[EXPANDED], read[EXPANDED] / read[ABSORBED],
    )  # fmt: skip
