"""Why memory decides the price: a model on real accelerators, what fills them, what a token costs, what techniques would change.

Letters: N devices, B users decoded together, n tokens of context.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core import catalogue, hardware, registry, released
from core.blocks import Full, Window
from core.dtypes import stored
from core.errors import LONGEST
from core.ffn.dense import Dense
from core.ffn.moe import MoE
from core.hardware import Bounds, Deployment, Memory
from core.lessons.sliding_window import CONTEXTS  # noqa: F401
from core.mixers.attention import Attention
from core.mixers.delta import GatedDelta
from core.mixers.latent import Latent
from core.mixers.sparse import Indexed
from core.rope import Rope
from core.spec import Layer, ModelSpec

RELEASED = "as released"
DTYPES = (RELEASED, "bfloat16", "fp8", "int8", "int4")
DEVICES = (1, 2, 4, 8, 16, 32, 64)
USERS = tuple(2**i for i in range(13))
RESERVES = (0, 5, 10, 15, 20, 30)  # percent of the memory
PAGES = (1, 16, 32, 64, 128)
RESERVE, PAGE = 10, 16
MODEL, ACCELERATOR = "llama3-8b", "h100-sxm"
HUES = {"full": "kv", "sliding": "window", "chunked": "window", "mla": "latent", "mla+indexer": "latent", "compressed": "latent"}
KEPT = {
    "full": "cache", "sliding": "cache in windows", "chunked": "cache in chunks", "mla": "latents",
    "mla+indexer": "latents and index keys", "compressed": "compressed cache",
}  # fmt: skip
PRESETS = {
    "Llama 3 8B on one card": {"model": "llama3-8b", "accelerator": "h100-sxm", "devices": 1, "context": "8k", "users": 16},
    "DeepSeek-V3 on eight": {
        "model": "deepseek-v3", "accelerator": "h200-sxm", "devices": 8, "context": "32k", "users": 128, "split": "users",
    },
    "Gemma 3 27B, long context": {
        "model": "gemma3-27b", "accelerator": "h100-sxm", "devices": 2, "context": "128k", "users": 8,
    },
}  # fmt: skip
USUAL = {"weights": RELEASED, "cache": RELEASED, "split": "heads"}


def presets() -> dict[str, dict]:
    """{name: what the controls then hold}."""
    return {name: USUAL | values for name, values in PRESETS.items()}


@lru_cache(maxsize=1)
def models() -> dict[str, str]:
    """Key and name of every model, by name."""
    return {key: entry.name for key, entry in sorted(catalogue.entries().items(), key=lambda item: item[1].name.lower())}


def cards() -> dict[str, str]:
    """Key and name of every accelerator."""
    return {key: a.name for key, a in hardware.accelerators().items()}


def reading(key: str):
    """What the config of a model of the catalogue says."""
    return catalogue.entries()[key].reading


def boards(reading) -> bool:
    """A recursive solver: it carries a board of one size, and has no context to choose."""
    return reading.spec.decoding == "recursion"


def words(reading) -> tuple[str, str]:
    """What one step makes, and what the memory holds."""
    return ("step", "position") if boards(reading) else ("token", "token")


def deploy(reading, accelerator: str, devices: int, users: int, context: int, settings: dict | None = None) -> Deployment:
    """Controls -> Deployment; dtypes "as released" are the config's own. `settings`: weights, cache, split, reserve (percent),
    page."""
    s = USUAL | {"reserve": RESERVE, "page": PAGE} | (settings or {})
    own = {"weights": reading.weight_dtype, "cache": reading.cache_dtype}
    kinds = [own[field] if s[field] == RELEASED else s[field] for field in ("weights", "cache")]
    n = reading.context if boards(reading) else context
    return Deployment(
        accelerator, devices, users, n, *kinds, page=s["page"], reserve=s["reserve"] / 100, split=s["split"],
        weight_bytes=released_bytes(reading) if s["weights"] == RELEASED else 0,
    )  # fmt: skip


def released_bytes(reading) -> int:
    """Bytes of the weights as the release mixes dtypes; 0 where all are in one, or where its layout is not understood."""
    found = as_released(reading)
    return found.bytes if found else 0


@lru_cache(maxsize=512)
def as_released(reading) -> released.Released | None:
    """The weights of a release that converts some of them; None for others, or where its layout is not understood."""
    return released.weights(reading) if reading.quantisation else None


def underived(reading, d: Deployment) -> str:
    """A sentence where a release mixes dtypes in a way that is not derived and all weights are taken for one; "" elsewhere."""
    q = reading.quantisation
    if not q or d.weight_dtype != reading.weight_dtype or released_bytes(reading):
        return ""
    mixed = q.others and q.experts and q.others.dtype != d.weight_dtype
    apart = f", though all but its experts is in {q.others.dtype}" if mixed else ""
    return f"How its files mix dtypes is not derived: every weight is taken to be in {d.weight_dtype}{apart}."


# See


@dataclass(frozen=True)
class Part:
    """A piece of one device's memory: its name, bytes, hue of the palette."""

    name: str
    bytes: int
    hue: str


@dataclass(frozen=True)
class Scene:
    """A model on its devices: what is taken, what is read, how many fit."""

    memory: Memory
    bounds: Bounds
    verdict: str
    most_users: int
    longest: int
    parts: tuple[Part, ...]

    @property
    def reads(self) -> tuple[Part, ...]:
        """What a decode step moves through one device."""
        step = self.bounds.decode
        hue = max((p for p in self.parts if p.hue in HUES.values()), key=lambda p: p.bytes, default=Part("", 0, "kv")).hue
        rows = (
            Part("weights", round(step.weights), "soft"),
            Part("cache", round(step.cache), hue),
            Part("state", step.state, "state"),
        )
        return tuple(part for part in rows if part.bytes)

    @property
    def heaviest(self) -> Part:
        """What most of a decode step's traffic is."""
        return max(self.reads, key=lambda part: part.bytes)

    @property
    def unbounded(self) -> bool:
        """Memory sets no bound on the context: nothing grows."""
        return self.longest >= LONGEST


@lru_cache(maxsize=512)
def scene(reading, d: Deployment) -> Scene:
    """Everything that the first picture shows."""
    spec, state = reading.spec, reading.state_dtype
    asked = (spec, d, state)
    memory = hardware.memory(*asked)
    return Scene(
        memory, hardware.bounds(*asked), hardware.verdict(*asked), hardware.largest_batch(*asked),
        hardware.largest_context(*asked), parts(spec, d, memory),
    )  # fmt: skip


def parts(spec: ModelSpec, d: Deployment, memory: Memory) -> tuple[Part, ...]:
    """What fills one device: experts, other weights, cache by kind of layer, state; empty ones are left out."""
    experts = round(memory.weights * routed(spec, d))
    rows = [Part("routed experts", experts, "routed"), Part("weights", memory.weights - experts, "soft")]
    if experts:
        rows[1] = Part("other weights", rows[1].bytes, "soft")
    rows += [Part(KEPT.get(kind, "cache"), n, HUES.get(kind, "kv")) for kind, n in kept(spec, d).items()]
    rows.append(Part("state", memory.state, "state"))
    return tuple(row for row in rows if row.bytes)


def routed(spec: ModelSpec, d: Deployment) -> float:
    """Share of all bytes of weights that routed experts are."""
    s = hardware.shape(spec)
    narrow, table, rest = hardware.rates(s, d)
    return s.routed * narrow / (s.routed * narrow + s.tables * table + s.rest * rest)


def kept(spec: ModelSpec, d: Deployment) -> dict[str, int]:
    """Bytes of cache on one device by kind of mixer."""
    sizes: dict[str, int] = {}
    s = hardware.shape(spec)
    if s.solver:
        return sizes
    for layer, times in s.layers:
        for mixer in hardware.mixers(layer):
            n = hardware.on_one(mixer, hardware.held(mixer, d.context, d.page), d.sharing)
            sizes[mixer.kind] = sizes.get(mixer.kind, 0) + d.seats(d.batch) * times * n
    return {kind: stored(n, d.cache_dtype) for kind, n in sizes.items() if n}


@dataclass(frozen=True, eq=False)
class Roof:
    """The roofline of one device: FLOPs a second that each intensity allows, and the way of decode as users join."""

    intensity: np.ndarray
    roof: np.ndarray
    users: np.ndarray
    path: np.ndarray  # intensity of a decode step with so many users


def rate(phase) -> float:
    """FLOPs a second that the bound allows."""
    return phase.flops / phase.seconds


@lru_cache(maxsize=512)
def roof(reading, d: Deployment) -> Roof:
    """The roofline from below the least intensity to beyond the greatest."""
    b = scene(reading, d).bounds
    users = np.array(USERS)
    path = np.array([b.decode.intensity for b in swept(reading, d, USERS)])
    low, high = min(path.min(), b.prefill.intensity, b.ridge) / 3, max(path.max(), b.prefill.intensity, b.ridge) * 4
    intensity = np.geomspace(low, high, 96)
    intensity = np.sort(np.append(intensity, b.ridge))
    return Roof(intensity, np.minimum(b.decode.peak, intensity * b.decode.bandwidth), users, path)


def swept(reading, d: Deployment, users: tuple[int, ...]) -> tuple[Bounds, ...]:
    """The bounds with other numbers of users, whatever the deployment's own."""
    return _swept(reading, replace(d, batch=1), users)


@lru_cache(maxsize=512)
def _swept(reading, d: Deployment, users: tuple[int, ...]) -> tuple[Bounds, ...]:
    return hardware.sweep(reading.spec, d, users, reading.state_dtype)


# Count


HOUR, MILLION = 3600, 1_000_000


@dataclass(frozen=True, eq=False)
class Prices:
    """Device-hours of a million decoded tokens against users: the bound, and what each kind of work alone would take."""

    users: np.ndarray
    total: np.ndarray
    weights: np.ndarray
    memory: np.ndarray  # cache and state
    compute: np.ndarray
    most: int  # users that fit


def hours(bounds: Bounds) -> float:
    """Device-hours of a million decoded tokens, at least."""
    return bounds.device_seconds * MILLION / HOUR


@lru_cache(maxsize=512)
def prices(reading, d: Deployment) -> Prices:
    """The cost of a token against users, at this context; the largest batch that fits is among the points."""
    most = scene(reading, d).most_users
    points = tuple(sorted({*USERS, min(max(most, 1), USERS[-1])}))
    users, steps = np.array(points), swept(reading, d, points)
    scale = d.devices * MILLION / HOUR / users / d.device.bandwidth
    weights, memory = (np.array([f(b.decode) for b in steps]) * scale for f in (lambda p: p.weights, lambda p: p.cache + p.state))
    compute = np.array([b.decode.compute_seconds for b in steps]) * d.devices * MILLION / HOUR / users
    return Prices(users, np.array([hours(b) for b in steps]), weights, memory, compute, most)


# What each technique would change: the same model with one thing replaced


def remix(spec: ModelSpec, change: Callable[[int, object], object]) -> ModelSpec | None:
    """The model with `change(i, mixer)` in place of its i-th mixer that is attention of any kind; None where nothing changes."""
    layers, i = [], 0
    for layer in spec.layers:
        if isinstance(layer.mixer, (Attention, Latent, Indexed)):
            layer, i = replace(layer, mixer=change(i, layer.mixer)), i + 1
        layers.append(layer)
    return None if tuple(layers) == spec.layers else replace(spec, layers=tuple(layers))


def plain(mixer) -> bool:
    """Attention that reads all that came before."""
    return isinstance(mixer, Attention) and type(mixer.reach) is Full


def unshared(i: int, mixer):
    """Every head with keys and values of its own."""
    if isinstance(mixer, Attention):
        return replace(mixer, kv_heads=mixer.heads)
    own = mixer.latent if isinstance(mixer, Indexed) else mixer
    return Attention(own.heads, own.heads, own.k_dim, own.v_dim, rope=own.rope)


EIGHT, WINDOW, EVERY, HYBRID = 8, 1024, 6, 4


def grouped(i: int, mixer):
    """Eight query heads a KV head, where none were shared."""
    if not isinstance(mixer, Attention) or mixer.kv_heads != mixer.heads or mixer.heads % EIGHT:
        return mixer
    return replace(mixer, kv_heads=mixer.heads // EIGHT)


def single(i: int, mixer):
    """One KV head for all."""
    return replace(mixer, kv_heads=1) if isinstance(mixer, Attention) else mixer


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
    return replace(mixer, reach=Full()) if isinstance(mixer, Attention) and mixer.kind != "full" else mixer


def scored(i: int, mixer):
    """DeepSeek-V3.2's scorer in front of the latent."""
    return Indexed(mixer, heads=64, width=128, rope_dim=64, top_k=2048) if isinstance(mixer, Latent) and mixer.q_rank else mixer


def unscored(i: int, mixer):
    """No scorer: the latent reads all."""
    return mixer.latent if isinstance(mixer, Indexed) else mixer


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


def refeed(spec: ModelSpec, change: Callable[[object], object]) -> ModelSpec | None:
    """The model with other feed-forward parts; None where nothing changes."""
    layers = tuple(Layer(x.mixer, change(x.ffn), x.norms, x.scales, x.input_conv) if x.ffn else x for x in spec.layers)
    return None if layers == spec.layers else replace(spec, layers=layers)


def merged(ffn):
    """All experts as one dense layer of the same size."""
    return Dense(ffn.experts * ffn.hidden + ffn.shared, gated=ffn.gated) if isinstance(ffn, MoE) else ffn


def divided(ffn):
    """Eight experts of the same size together, two for a token."""
    if not isinstance(ffn, Dense) or ffn.hidden % EIGHT or ffn.bias:
        return ffn
    return MoE(EIGHT, 2, ffn.hidden // EIGHT, gated=ffn.gated)


def experts_of(spec: ModelSpec) -> ModelSpec | None:
    """A dense model with experts in place of every feed-forward part."""
    return None if any(hardware.mixture(layer) for layer in spec.layers) else refeed(spec, divided)


@dataclass(frozen=True)
class Technique:
    """One change: its name, the page that explains it, the changed model (None where it does not apply) and dtypes."""

    name: str
    page: str
    hue: str
    spec: Callable[[ModelSpec], ModelSpec | None] = lambda spec: spec
    dtypes: tuple[tuple[str, str], ...] = ()


def mixing(change) -> Callable[[ModelSpec], ModelSpec | None]:
    """A change of every mixer as one of the model."""
    return lambda spec: remix(spec, change)


TECHNIQUES = (
    Technique("keys and values for every head", "gqa", "query", mixing(unshared)),
    Technique(f"{EIGHT} query heads share one KV head", "gqa", "kv", mixing(grouped)),
    Technique("one KV head for all query heads", "gqa", "kv", mixing(single)),
    Technique("a latent instead of keys and values", "mla", "latent", mixing(summarised)),
    Technique(f"a window of {WINDOW:,} on 5 of {EVERY} layers", "sliding_window", "window", mixing(local)),
    Technique("no windows", "sliding_window", "kv", mixing(unlimited)),
    Technique("a scorer picks 2,048 tokens to read", "sparse_attention", "latent", mixing(scored)),
    Technique("no scorer: all is read", "sparse_attention", "latent", mixing(unscored)),
    Technique("a matrix memory in 3 of 4 layers", "gated_deltanet", "state", mixing(recurrent)),
    Technique("attention in every layer", "gated_deltanet", "kv", attending),
    Technique("dense, of the same total", "moe", "soft", lambda spec: refeed(spec, merged)),
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
    chosen, *rows = (effect(t, reading, d) for t in (CHOSEN, *TECHNIQUES))
    return (chosen, *(row for row in rows if row and row.numbers != chosen.numbers))


def effect(t: Technique, reading, d: Deployment) -> Effect | None:
    """One technique on this model; None where it changes nothing."""
    spec = t.spec(reading.spec) if reading.spec.decoding == "autoregressive" or t.dtypes or t is CHOSEN else None
    new = replace(d, **dict(t.dtypes))
    if spec is None or (t is not CHOSEN and (spec, new) == (reading.spec, d)):
        return None
    if any(field == "weight_dtype" for field, _ in t.dtypes):
        new = replace(new, weight_bytes=0)
    elif d.weight_bytes:
        new = replace(new, weight_bytes=reweighed(reading.spec, spec, d))
    most = hardware.largest_batch(spec, new, reading.state_dtype)
    m = hardware.memory(spec, new, reading.state_dtype)
    one, full = hardware.sweep(spec, new, (1, max(most, 1)), reading.state_dtype)
    page = t.page if t.page in {page.name for page in registry.PAGES} else ""
    return Effect(t.name, page, t.hue, m.weights_all, m.user_all, most, one.tokens_per_second_each, hours(full) if most else 0.0)


def reweighed(old: ModelSpec, new: ModelSpec, d: Deployment) -> int:
    """Bytes of a changed model: what comes or goes is stored as all but the release's routed experts are."""
    before, after = hardware.shape(old), hardware.shape(new)
    return max(1, d.weight_bytes + round((after.total - before.total) * hardware.rates(before, d)[2]))


def users_said(most: int) -> str:
    """How many users fit, in words where none or more than are counted."""
    return "none" if not most else f"{most:,}" + (" or more" if most >= hardware.MOST_USERS else "")


def latex(phase, text: str, bytes_said) -> tuple[str, ...]:
    """The terms of a phase's bound, in the order of the formula; `text` puts one into LaTeX."""
    moved = [bytes_said(n) for n in (phase.weights, phase.cache, phase.state, phase.bandwidth)]
    arithmetic = (f"{si(phase.flops)}FLOP", f"{si(phase.peak)}FLOP/s", seconds(phase.compute_seconds), seconds(phase.seconds))
    terms = [*moved, seconds(phase.memory_seconds), *arithmetic]
    plain_at = (4, 7)  # inside a text already
    return tuple(term if i in plain_at else text % term for i, term in enumerate(terms))


# Numbers in words


def si(n: float) -> str:
    """A number with its SI prefix: 1978e12 -> "1.98 P"."""
    for power, prefix in ((15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if n >= 10**power:
            return f"{hardware.rounded(n / 10**power)} {prefix}"
    return f"{n:,.0f} "


def seconds(t: float) -> str:
    """A time in s, ms or µs."""
    for size, name in ((1, "s"), (1e-3, "ms")):
        if t >= size:
            return f"{hardware.rounded(t / size)} {name}"
    return f"{t * 1e6:.3g} µs"


def peak_said(flops: int) -> str:
    """A peak; none where there is none."""
    return si(flops).strip() if flops else "none"


def weights_said(reading, d: Deployment) -> str:
    """The dtype of the weights, or how many of them a release has in which."""
    return f"the dtypes of the release ({as_released(reading).amounts})" if d.weight_bytes else d.weight_dtype


def unit(price: float) -> tuple[str, float]:
    """What costs are given in, and by how much device-hours are multiplied: the reader's price where there is one."""
    return ("your currency", price) if price else ("device-hours", 1.0)


def cost_said(hours: float, factor: float) -> str:
    """The cost of a million tokens with three digits."""
    return three(hours * factor) if hours else "—"


def longest_said(n: int) -> str:
    """The longest context, or that there is no bound."""
    return "any" if n >= LONGEST else f"{n:,}" if n else "none"


def listed(parts: tuple[Part, ...], said) -> str:
    """The parts of a whole with their bytes."""
    text = ", ".join(f"{part.name} {said(part.bytes)}" for part in parts)
    return text[:1].upper() + text[1:]


def step_said(b: Bounds) -> str:
    """How long a decode step takes at least, and how many experts it wakes."""
    woken = f"; it wakes {b.experts_read:.3g} of {b.experts:,.0f} experts a layer" if b.experts else ""
    return f"At least {seconds(b.decode.seconds)}, {three(b.decode.intensity)} FLOPs a byte, bound by {b.decode.binds}{woken}."


def three(x: float) -> str:
    """A number with three digits, or every digit before the point."""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"


def best(b: Bounds, price: float, made: str) -> list[tuple[str, str]]:
    """How fast, at best, and what a million tokens cost; `made` is what a step makes."""
    name, factor = unit(price)
    return [
        (f"{made}s/s of one user", f"{b.tokens_per_second_each:,.4g}"),
        (f"{made}s/s of all users", f"{b.tokens_per_second:,.0f}"),
        (f"first {made} after", seconds(b.prefill.seconds)),
        (f"{name} a million {made}s", cost_said(hours(b), factor)),
    ]


def room(s: Scene, d: Deployment, held: str) -> list[tuple[str, str]]:
    """How much more fits; a board has no other length."""
    most = [(f"users at {d.context:,} {held}s", users_said(s.most_users))]
    return most + [(f"{held}s each for {d.batch:,} user{'s' * (d.batch > 1)}", longest_said(s.longest))] * (held == "token")


# Who fits


@dataclass(frozen=True)
class Fit:
    """One model of the catalogue on the chosen devices."""

    key: str
    name: str
    weights: int  # bytes, all devices together
    most: int
    longest: int  # tokens one user can have
    hours: float  # of a million tokens when memory is full; 0 where not one user fits
    trained: int  # the context of its config


@lru_cache(maxsize=64)
def fits(accelerator: str, devices: int, context: int, settings: tuple) -> tuple[Fit, ...]:
    """Every model on these devices at this context: those that fit first, the cheapest token first."""
    keys = [key for key in catalogue.entries() if not boards(reading(key))]
    rows = [fit(key, accelerator, devices, context, dict(settings)) for key in keys]
    return tuple(sorted(rows, key=lambda row: (not row.most, row.hours, row.weights)))


def fit(key: str, accelerator: str, devices: int, context: int, settings: dict) -> Fit:
    """One model on these devices."""
    r = reading(key)
    d = deploy(r, accelerator, devices, 1, context, settings)
    m, most = hardware.memory(r.spec, d, r.state_dtype), hardware.largest_batch(r.spec, d, r.state_dtype)
    full = hours(hardware.bounds(r.spec, replace(d, batch=most), r.state_dtype)) if most else 0.0
    longest = hardware.largest_context(r.spec, d, r.state_dtype)
    return Fit(key, models()[key], m.weights_all, most, longest, full, r.context)
