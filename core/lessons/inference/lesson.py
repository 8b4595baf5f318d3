"""Why memory decides the price: a model on real accelerators, what fills them, what a token costs, which models fit.

Letters: N devices, B users decoded together, n tokens of context.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.count import hardware, roofline, split
from core.count.dtypes import stored
from core.count.hardware import Deployment, Memory
from core.count.roofline import Bounds
from core.errors import LONGEST
from core.lessons.common import model_name
from core.model.spec import ModelSpec
from core.real import catalogue, released

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


def cards() -> dict[str, str]:
    """Key and name of every accelerator."""
    return {key: a.name for key, a in hardware.accelerators().items()}


def reading(key: str):
    """What the config of a model of the catalogue says."""
    return catalogue.entries()[key].reading


def boards(reading) -> bool:
    """A recursive solver: it carries a board of one size, and has no context to choose."""
    return reading.spec.decoding == "recursion"


def step_words(reading) -> tuple[str, str]:
    """What one step makes, and what the memory holds."""
    return ("step", "position") if boards(reading) else ("token", "token")


def deploy(reading, accelerator: str, devices: int, users: int, context: int, settings: dict | None = None) -> Deployment:
    """Controls -> Deployment; dtypes "as released" are the config's own. `settings`: weights, cache, split, reserve (percent),
    page."""
    s = USUAL | {"reserve": RESERVE, "page": PAGE} | (settings or {})
    own = {"weights": reading.weight_dtype, "cache": reading.cache_dtype}
    weights, cache = (own[field] if s[field] == RELEASED else s[field] for field in ("weights", "cache"))
    n = reading.context if boards(reading) else context
    return Deployment(
        accelerator, devices, users, n, weights, cache, page=s["page"], reserve=s["reserve"] / 100, split=s["split"],
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
    """A sentence where it is not known how a release stores its weights and the reader said in what; "" elsewhere."""
    return f"Weights are taken to be in {d.weight_dtype}, as you said: {reading.unclear}." if reading.unclear else ""


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
            Part("state", round(step.state), "state"),
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
    memory = hardware.filled_memory(*asked)
    return Scene(
        memory, roofline.bounds(*asked), hardware.verdict_text(*asked), hardware.largest_batch(*asked),
        hardware.largest_context(*asked), parts(spec, d, memory),
    )  # fmt: skip


def parts(spec: ModelSpec, d: Deployment, memory: Memory) -> tuple[Part, ...]:
    """What fills one device: experts, other weights, cache by kind of layer, state; empty ones are left out."""
    experts = round(memory.weights * routed(spec, d))
    rows = [Part("routed experts", experts, "routed"), Part("weights", memory.weights - experts, "soft")]
    if experts:
        rows[1] = Part("other weights", rows[1].bytes, "soft")
    rows += [Part(KEPT.get(kind, "cache"), n, HUES.get(kind, "kv")) for kind, n in cache_by_kind(spec, d).items()]
    rows.append(Part("state", memory.state, "state"))
    return tuple(row for row in rows if row.bytes)


def routed(spec: ModelSpec, d: Deployment) -> float:
    """Share of all bytes of weights that routed experts are."""
    s = hardware.shape(spec)
    narrow, table, rest = hardware.rates(s, d)
    return s.routed * narrow / (s.routed * narrow + s.tables * table + s.rest * rest)


def cache_by_kind(spec: ModelSpec, d: Deployment) -> dict[str, int]:
    """Bytes of cache on one device by kind of mixer."""
    sizes: dict[str, int] = {}
    s = hardware.shape(spec)
    if s.solver:
        return sizes
    for layer, times in s.layers:
        for mixer in split.mixers(layer):
            n = split.on_one(mixer, mixer.paged(d.context, d.page), d.sharing)
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
    return roofline.sweep(reading.spec, d, users, reading.state_dtype)


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
    m, most = hardware.filled_memory(r.spec, d, r.state_dtype), hardware.largest_batch(r.spec, d, r.state_dtype)
    full = hours(roofline.bounds(r.spec, replace(d, batch=most), r.state_dtype)) if most else 0.0
    longest = hardware.largest_context(r.spec, d, r.state_dtype)
    return Fit(key, model_name(key), m.weights_all, most, longest, full, r.context)
