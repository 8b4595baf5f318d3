"""Does a model fit on real accelerators, for how many users, and how fast could it be at best?

Glossary
    N   devices     accelerators that hold one copy of the model together (tensor parallelism)
    B   batch       sequences (users) that are decoded together, all of them `context` tokens long
    G   kv_heads    key/value heads of a layer: every device holds ceil(G / N) of them, so from N > G on they are repeated
    split           what is dealt out of attention: "heads", or "users" (every device holds all of a layer's mixer and serves its
                    own ceil(B / N) sequences; data-parallel attention, the feed-forward parts are still split)
    page            tokens that the cache is given out by: what grows, and what a window keeps, stands in whole pages
    reserve         share of the memory that is left to activations, buffers and the runtime: an assumption, adjustable

    memory          weights (split) + B (cache in pages + state), on the fullest device, against (1 - reserve) of its memory
    roofline        a phase takes at least max(arithmetic / peak, bytes / bandwidth); intensity = arithmetic / bytes
    peak            the dense fp8 peak where weights have 8 or 4 float bits or int4 and the accelerator has one; else bf16

Bounds, not predictions: no traffic between devices, no activations, every number is moved once and every unit is always busy.
    decode          every sequence gets one token. Read: weights once, of routed experts those that the batch is expected to
                    visit (MoE.touched), of the embedding B rows; what each layer may read of the cache. State: read, written
    prefill         B prompts of `context` tokens at once. Unlike the FLOPs of a prompt elsewhere, the masked half of attention
                    is subtracted and only the last token gets logits: a kernel can leave both out, so a bound must
    split           weights evenly, norms and routers included; recurrent heads; channels of a convolution. Repeated on every
                    device: latents, index keys, compressed entries with the matrices that make them, token shifts, and
                    key/value heads with their projections where N > G

Papers: roofline (Williams, Waterman, Patterson 2009, doi 10.1145/1498765.1498785), paged cache (arXiv 2309.06180).
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

from core.count import cost
from core.count.dtypes import named, per_number, stored
from core.count.split import mixers, mixture, on_one, remembered, whole_copies
from core.errors import LONGEST, number, one_of, whole
from core.model.spec import Layer, ModelSpec
from core.paths import ASSETS
from core.units import sized

NARROW = ("fp8", "int4", "mxfp4", "nvfp4")  # weights that can be multiplied at the fp8 peak
SPLITS = ("heads", "users")
WIDE = 2.0  # bytes of a number that a quantised release leaves as it was
MOST_DEVICES, MOST_USERS, LARGEST_PAGE = 4096, 1 << 20, 1 << 16


@dataclass(frozen=True)
class Accelerator:
    """One device: bytes, bytes a second, dense FLOPs a second (fp8 0 where it has none)."""

    key: str
    name: str
    vendor: str
    memory_bytes: int
    bandwidth: int
    bf16_flops: int
    fp8_flops: int
    source: str
    note: str

    def peak(self, weight_dtype: str) -> int:
        """FLOPs a second with weights of this dtype."""
        return self.fp8_flops if weight_dtype in NARROW and self.fp8_flops else self.bf16_flops


@lru_cache(maxsize=1)
def accelerators() -> dict[str, Accelerator]:
    """Every accelerator of the table by its key."""
    rows = json.loads((ASSETS / "hardware.json").read_text())
    return {row["key"]: Accelerator(**row | {"fp8_flops": row["fp8_flops"] or 0}) for row in rows}


@dataclass(frozen=True)
class Deployment:
    """One copy of a model on `devices` of an accelerator (a key of the table, or one of your own)."""

    accelerator: str | Accelerator
    devices: int = 1
    batch: int = 1
    context: int = 4096
    weight_dtype: str = "bfloat16"
    cache_dtype: str = "bfloat16"
    page: int = 16
    reserve: float = 0.1
    split: str = "heads"
    weight_bytes: int = 0  # of the whole model, where its release mixes dtypes; 0: every number in weight_dtype

    def __post_init__(self):
        if not isinstance(self.accelerator, Accelerator):
            one_of("accelerator", self.accelerator, tuple(accelerators()))
        whole("devices", self.devices, high=MOST_DEVICES)
        whole("batch", self.batch, high=MOST_USERS)
        whole("context", self.context, high=LONGEST)
        for field in ("weight_dtype", "cache_dtype"):
            named(field, getattr(self, field))
        whole("page", self.page, high=LARGEST_PAGE)
        number("reserve", self.reserve, high=0.9)
        one_of("split", self.split, SPLITS)
        whole("weight_bytes", self.weight_bytes, low=0, high=1 << 60)

    @property
    def device(self) -> Accelerator:
        """The accelerator."""
        return self.accelerator if isinstance(self.accelerator, Accelerator) else accelerators()[self.accelerator]

    @property
    def available(self) -> int:
        """Bytes of one device that weights, cache and state may fill."""
        return math.floor(self.device.memory_bytes * (1 - self.reserve))

    @property
    def sharing(self) -> int:
        """Devices among which the heads of a sequence are dealt out."""
        return self.devices if self.split == "heads" else 1

    def seats(self, batch: int) -> int:
        """Sequences of a batch that the fullest device works on."""
        return batch if self.split == "heads" else -(-batch // self.devices)

    @property
    def named(self) -> str:
        """How many of which."""
        return f"{self.devices:,} × {self.device.name}"


# A model on its devices


@dataclass(frozen=True)
class Shape:
    """What of a model the questions here need: its distinct layers with how often each stands there, and its tables."""

    spec: ModelSpec
    layers: tuple[tuple[Layer, int], ...]
    total: int

    @property
    def routed(self) -> int:
        """Weights of all routed experts together."""
        mixed = ((mixture(layer), times) for layer, times in self.layers)
        return sum(times * moe.experts * moe.expert(self.spec.d_model) for moe, times in mixed if moe)

    @property
    def tables(self) -> int:
        """Weights of the vocabulary's tables; a tied one stands once."""
        return (1 if self.spec.tied else 2) * self.spec.vocab * self.spec.d_model

    @property
    def rest(self) -> int:
        """All other weights."""
        return self.total - self.routed - self.tables

    @property
    def solver(self) -> bool:
        """A recursive solver carries whole boards instead of a cache."""
        return self.spec.decoding == "recursion"

    def each(self, value) -> int:
        """The sum over all layers of `value(mixer)`, for every mixer in them."""
        return sum(times * value(mixer) for layer, times in self.layers for mixer in mixers(layer))


@lru_cache(maxsize=512)
def shape(spec: ModelSpec) -> Shape:
    """A spec, its equal layers counted together. A denoiser is taken as it is counted: reading backwards only."""
    trunk = spec if spec.decoding == "recursion" else spec.causal()
    return Shape(spec, tuple(Counter(trunk.layers).items()), cost.count(spec, 1).params_total)


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest device; `*_all` on all devices together. `per_user` is what one sequence takes there."""

    weights: int
    cache: int
    state: int
    available: int
    installed: int
    devices: int
    sharing: int  # devices that a sequence is spread over
    per_user: int
    cache_once: int  # on all devices together if nothing were repeated
    cache_all: int

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        return self.weights + self.cache + self.state

    @property
    def free(self) -> int:
        """Bytes that are left; negative where it does not fit."""
        return self.available - self.used

    @property
    def fits(self) -> bool:
        """Whether it fits, to the byte."""
        return self.free >= 0

    @property
    def weights_all(self) -> int:
        """Bytes of weights on all devices, repeated ones included."""
        return self.weights * self.devices

    @property
    def user_all(self) -> int:
        """Bytes of one sequence on all devices, repeated ones included."""
        return self.per_user * self.sharing

    @property
    def replication(self) -> float:
        """How often every cached number is kept: 1 where nothing is repeated (or nothing cached)."""
        return self.cache_all / self.cache_once if self.cache_once else 1.0


def sequence(s: Shape, d: Deployment, context: int) -> tuple[int, int, int]:
    """Elements of one sequence on one device: cache, state in the cache's dtype, state in its own."""
    if s.solver:
        return 0, 0, sum(cost.carried(s.spec, context).values())
    cached = s.each(lambda mixer: on_one(mixer, mixer.paged(context, d.page), d.sharing))
    kept = [(times, remembered(layer, s.spec.d_model, d.sharing)) for layer, times in s.layers]
    return cached, sum(times * columns for times, (columns, _) in kept), sum(times * own for times, (_, own) in kept)


def weights(s: Shape, d: Deployment) -> int:
    """Bytes of weights on one device."""
    size = (s.spec.d_model, d.devices)
    more = s.each(lambda mixer: mixer.repeated_weights(*size) if d.split == "heads" else whole_copies(mixer, *size))
    if d.weight_bytes:
        return math.ceil((d.weight_bytes + more * rates(s, d)[2]) / d.devices)
    return stored(-(-(s.total + more) // d.devices), d.weight_dtype, scales=True)


def rates(s: Shape, d: Deployment) -> tuple[float, float, float]:
    """Bytes of a weight in routed experts, in the tables of the vocabulary, in all else. A release of mixed dtypes has its
    experts in `weight_dtype`, its tables in 16 bits, and else what is left of its bytes."""
    narrow = float(sum(per_number(d.weight_dtype)))
    if not d.weight_bytes or s.rest <= 0:
        return narrow, narrow, narrow
    return narrow, WIDE, max(d.weight_bytes - s.routed * narrow - s.tables * WIDE, 0) / s.rest


def dynamic(elements: tuple[int, int, int], d: Deployment, batch: int, state_dtype: str) -> tuple[int, int]:
    """Bytes of cache and of state on the fullest device, of so many equal sequences on all of them."""
    cached, columns, recurrent = (d.seats(batch) * n for n in elements)
    return stored(cached, d.cache_dtype), stored(columns, d.cache_dtype) + stored(recurrent, state_dtype)


def filled_memory(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> Memory:
    """What a deployment fills, counted; SpecError where a dtype is unknown."""
    named("state_dtype", state_dtype)
    d, s = deployment, shape(spec)
    elements = sequence(s, d, d.context)
    cached, state = dynamic(elements, d, d.batch, state_dtype)
    alone = replace(d, devices=1)
    once = dynamic(sequence(s, alone, d.context), alone, d.batch, state_dtype)[0]
    return Memory(
        weights(s, d), cached, state, d.available, d.device.memory_bytes, d.devices, d.sharing,
        per_user=sum(dynamic(elements, d, 1, state_dtype)),
        cache_once=once,
        cache_all=cached * d.devices if d.split == "heads" else once,
    )  # fmt: skip


# What fits


def last(fits, high: int) -> int:
    """The largest n from 0 to `high` with fits(n), where what fits is every number up to some bound; fits(0) is not asked."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def largest_batch(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> int:
    """The most users that fit at this context: 0 where not even one does, at most MOST_USERS."""
    d, s = deployment, shape(spec)
    elements, room = sequence(s, d, d.context), d.available - weights(s, d)
    return last(lambda batch: sum(dynamic(elements, d, batch, state_dtype)) <= room, MOST_USERS) if room >= 0 else 0


def largest_context(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> int:
    """The longest context that fits for this batch: 0 where no token does, LONGEST where memory sets no bound."""
    d, s = deployment, shape(spec)
    room = d.available - weights(s, d)

    def fits(context):
        return sum(dynamic(sequence(s, d, context), d, d.batch, state_dtype)) <= room

    return last(fits, LONGEST) if room >= 0 else 0


def fewest_devices(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> int:
    """The fewest devices that hold this batch at this context; 0 where no number of them does."""

    def lacks(devices):
        return not filled_memory(spec, replace(deployment, devices=devices), state_dtype).fits

    need = last(lacks, MOST_DEVICES) + 1
    return need if need <= MOST_DEVICES else 0


# The first sentence


def users_text(count: int, spec: ModelSpec, context: int) -> str:
    """ "37 users at 32,768 tokens each"."""
    many = "at least " if count >= MOST_USERS else ""
    unit = "position" if spec.decoding == "recursion" else "token"
    return f"{many}{count:,} user{'s' * (count > 1)} at {context:,} {unit}{'s' * (context > 1)}{' each' * (count > 1)}"


def verdict_text(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> str:
    """Does it fit on these devices, for how many users at this context? One sentence, computed. A denoiser's is about a cache
    that its released code does not keep, and says so."""
    if spec.decoding == "diffusion":
        judged = verdict_text(replace(spec, decoding="autoregressive"), deployment, state_dtype)
        return f"{judged.removesuffix('.')}, if it kept a cache; its released code keeps none."
    d, m = deployment, filled_memory(spec, deployment, state_dtype)
    most = largest_batch(spec, d, state_dtype)
    asked = users_text(d.batch, spec, d.context)
    if m.fits:
        return f"Fits on {d.named}: {users_text(most, spec, d.context)}."
    need, can = fewest_devices(spec, d, state_dtype), sized(d.available * d.devices)
    enough = f"{replace(d, devices=need).named} would hold {{}}" if need else "no number of these devices would hold {}"
    lead = f"Does not fit on {d.named}: "
    if m.weights > m.available:
        return f"{lead}weights alone need {sized(m.weights_all)}, and {can} can be used; {enough.format('them and ' + asked)}."
    room = sized((m.available - m.weights) * d.devices)
    wanted = f"{asked} need{'s' * (d.batch == 1)} {sized(m.user_all * d.batch)}, and {room} can be used beside the weights"
    fit = f"{users_text(most, spec, d.context)} fit{'s' * (most == 1)}, and " if most else ""
    return f"{lead}{wanted}; {fit}{enough.format('all of them' if d.batch > 1 else 'it')}."
