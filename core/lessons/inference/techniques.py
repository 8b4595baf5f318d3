"""What each technique would change: the same model with one thing replaced, counted again on the same accelerators.

A change of a mixer gets i, the place of the mixer among those that are attention of any kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from core.count import hardware, roofline
from core.count.hardware import Deployment
from core.count.split import mixture
from core.lessons.inference.lesson import hours
from core.model import registry
from core.model.blocks import Full, Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.delta import GatedDelta
from core.model.mixers.latent import Latent
from core.model.mixers.sparse import Indexed
from core.model.part import Mixer, inside
from core.model.rope import Rope
from core.model.spec import ModelSpec

EIGHT, WINDOW, EVERY, HYBRID = 8, 1024, 6, 4


# Other mixers


def remix(spec: ModelSpec, kind: type, change: Callable[..., Mixer]) -> ModelSpec | None:
    """The model with `change(i, mixer)` in place of its i-th mixer that is attention of any kind, if it is of the class; None
    where nothing changes."""
    layers, i = [], 0
    for layer in spec.layers:
        if isinstance(layer.mixer, (Attention, Latent, Indexed)):
            layer, i = replace(layer, mixer=change(i, layer.mixer)) if isinstance(layer.mixer, kind) else layer, i + 1
        layers.append(layer)
    return None if tuple(layers) == spec.layers else replace(spec, layers=tuple(layers))


def plain(a: Attention) -> bool:
    """Does it read all that came before?"""
    return type(a.reach) is Full


def unshared(i: int, mixer):
    """Every head with keys and values of its own."""
    own = next(inside(mixer, Latent), None)
    if own is None:
        return replace(mixer, kv_heads=mixer.heads)
    return Attention(own.heads, own.heads, own.k_dim, own.v_dim, rope=own.rope)


def grouped(i: int, mixer):
    """Eight query heads a KV head, where none were shared."""
    if mixer.kv_heads != mixer.heads or mixer.heads % EIGHT:
        return mixer
    return replace(mixer, kv_heads=mixer.heads // EIGHT)


def single(i: int, mixer):
    """One KV head for all."""
    return replace(mixer, kv_heads=1)


def summarised(i: int, mixer):
    """A latent of four head widths and a rotated key of half a one, as DeepSeek-V2 chose."""
    if not plain(mixer):
        return mixer
    width = mixer.k_dim // 2
    return Latent(mixer.heads, 4 * mixer.k_dim, mixer.k_dim, width, mixer.v_dim, rope=Rope(width))


def local(i: int, mixer):
    """A window on all layers but every sixth."""
    return replace(mixer, reach=Window(WINDOW)) if plain(mixer) and i % EVERY != EVERY - 1 else mixer


def unlimited(i: int, mixer):
    """No window, no chunk."""
    return replace(mixer, reach=Full()) if mixer.kind != "full" else mixer


def scored(i: int, mixer):
    """DeepSeek-V3.2's scorer in front of the latent."""
    return Indexed(mixer, heads=64, width=128, rope_dim=64, top_k=2048) if mixer.q_rank else mixer


def unscored(i: int, mixer):
    """No scorer: the latent reads all."""
    return mixer.latent


def recurrent(i: int, mixer):
    """A matrix memory in three of four layers, as wide as the heads were."""
    if not plain(mixer) or i % HYBRID == HYBRID - 1:
        return mixer
    return GatedDelta(mixer.heads, mixer.heads, mixer.k_dim, mixer.v_dim)


def attending(spec: ModelSpec) -> ModelSpec | None:
    """Attention in the place of every recurrence, as the model's own other layers have it."""
    own = next((layer.mixer for layer in spec.layers if isinstance(layer.mixer, (Attention, Latent))), None)
    layers = tuple(replace(each, mixer=own) if own and each.kind == "state" else each for each in spec.layers)
    return None if layers == spec.layers else replace(spec, layers=layers)


# Other feed-forward parts


def refeed(spec: ModelSpec, kind: type, change: Callable) -> ModelSpec | None:
    """The model with other feed-forward parts in place of those of a class; None where nothing changes."""
    layers = tuple(replace(x, ffn=change(x.ffn)) if isinstance(x.ffn, kind) else x for x in spec.layers)
    return None if layers == spec.layers else replace(spec, layers=layers)


def merged(ffn):
    """All experts as one dense layer of the same size."""
    return Dense(ffn.experts * ffn.hidden + ffn.shared, gated=ffn.gated)


def divided(ffn):
    """Eight experts of the same size together, two for a token."""
    if ffn.hidden % EIGHT or ffn.bias:
        return ffn
    return MoE(EIGHT, 2, ffn.hidden // EIGHT, gated=ffn.gated)


def experts_of(spec: ModelSpec) -> ModelSpec | None:
    """A dense model with experts in place of every feed-forward part."""
    return None if any(mixture(layer) for layer in spec.layers) else refeed(spec, Dense, divided)


# The techniques


@dataclass(frozen=True)
class Technique:
    """One change: its name, the page that explains it, the changed model (None where it does not apply) and dtypes."""

    name: str
    page: str
    hue: str
    spec: Callable[[ModelSpec], ModelSpec | None] = lambda spec: spec
    dtypes: tuple[tuple[str, str], ...] = ()


def mixing(change, kind: type = Attention) -> Callable[[ModelSpec], ModelSpec | None]:
    """A change of every mixer of a class as one of the model."""
    return lambda spec: remix(spec, kind, change)


TECHNIQUES = (
    Technique("keys and values for every head", "gqa", "query", mixing(unshared, Mixer)),
    Technique(f"{EIGHT} query heads share one KV head", "gqa", "kv", mixing(grouped)),
    Technique("one KV head for all query heads", "gqa", "kv", mixing(single)),
    Technique("a latent instead of keys and values", "mla", "latent", mixing(summarised)),
    Technique(f"a window of {WINDOW:,} on 5 of {EVERY} layers", "sliding_window", "window", mixing(local)),
    Technique("no windows", "sliding_window", "kv", mixing(unlimited)),
    Technique("a scorer picks 2,048 tokens to read", "sparse_attention", "latent", mixing(scored, Latent)),
    Technique("no scorer: all is read", "sparse_attention", "latent", mixing(unscored, Indexed)),
    Technique("a matrix memory in 3 of 4 layers", "gated_deltanet", "state", mixing(recurrent)),
    Technique("attention in every layer", "gated_deltanet", "kv", attending),
    Technique("dense, of the same total", "moe", "soft", lambda spec: refeed(spec, MoE, merged)),
    Technique(f"{EIGHT} experts, 2 a token, of the same total", "moe", "routed", experts_of),
    Technique("cache in 8 bits", "", "kv", dtypes=(("cache_dtype", "fp8"),)),
    Technique("cache in 4 bits", "", "kv", dtypes=(("cache_dtype", "int4"),)),
    Technique("weights in 8 bits", "", "soft", dtypes=(("weight_dtype", "fp8"),)),
    Technique("weights in 4 bits", "", "soft", dtypes=(("weight_dtype", "int4"),)),
)
CHOSEN = Technique("as chosen", "", "ink")


@dataclass(frozen=True)
class Effect:
    """What a technique makes of the chosen deployment: bytes on all devices, tokens a second of a lone user, device-hours of a
    million tokens when memory is full."""

    name: str
    page: str
    hue: str
    weights: int
    user: int
    most: int
    alone: float
    hours: float  # 0 where not one user fits

    @property
    def numbers(self) -> tuple:
        """What is compared."""
        return self.weights, self.user, self.most, self.alone, self.hours


@lru_cache(maxsize=512)
def effects(reading, d: Deployment) -> tuple[Effect, ...]:
    """The chosen deployment, then every technique that would change it."""
    chosen, *rows = (row for t in (CHOSEN, *TECHNIQUES) if (row := effect(t, reading, d)))  # what is chosen always applies
    return (chosen, *(row for row in rows if row.numbers != chosen.numbers))


def effect(t: Technique, reading, d: Deployment) -> Effect | None:
    """One technique on this model; None where it changes nothing."""
    spec = t.spec(reading.spec) if reading.spec.decoding == "autoregressive" or t.dtypes or t is CHOSEN else None
    new = d
    for field, dtype in t.dtypes:
        new = replace(new, cache_dtype=dtype) if field == "cache_dtype" else replace(new, weight_dtype=dtype)
    if spec is None or (t is not CHOSEN and (spec, new) == (reading.spec, d)):
        return None
    if any(field == "weight_dtype" for field, _ in t.dtypes):
        new = replace(new, weight_bytes=0)
    elif d.weight_bytes:
        new = replace(new, weight_bytes=reweighed(reading.spec, spec, d))
    most = hardware.largest_batch(spec, new, reading.state_dtype)
    m = hardware.filled_memory(spec, new, reading.state_dtype)
    one, full = roofline.sweep(spec, new, (1, max(most, 1)), reading.state_dtype)
    page = t.page if t.page in {page.name for page in registry.PAGES} else ""
    return Effect(t.name, page, t.hue, m.weights_all, m.user_all, most, one.tokens_per_second_each, hours(full) if most else 0.0)


def reweighed(old: ModelSpec, new: ModelSpec, d: Deployment) -> int:
    """Bytes of a changed model: what comes or goes is stored as all but the release's routed experts are."""
    before, after = hardware.shape(old), hardware.shape(new)
    return max(1, d.weight_bytes + round((after.total - before.total) * hardware.rates(before, d)[2]))
