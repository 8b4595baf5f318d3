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

from core import cost
from core.catalogue import FOLDER
from core.cost import COLUMNS
from core.dtypes import DTYPES, stored
from core.errors import LONGEST, number, one_of, whole
from core.ffn.moe import MoE
from core.mixers.attention import Attention
from core.mixers.borrowed import Borrowed
from core.mixers.compressed import Compressed
from core.mixers.latent import Latent
from core.mixers.parallel import Parallel
from core.mixers.sparse import Indexed
from core.mixers.unified import Unified
from core.spec import Layer, ModelSpec
from core.units import binary, decimal

NARROW = ("fp8", "int4", "mxfp4")  # weights that can be multiplied at the fp8 peak
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
    rows = json.loads((FOLDER.parent / "hardware.json").read_text())
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
            one_of(field, getattr(self, field), tuple(DTYPES))
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


# What a layer keeps and reads, in elements of one sequence on one device


def mixers(layer: Layer) -> tuple:
    """The mixers of a layer: none, one, or two side by side."""
    if isinstance(layer.mixer, Parallel):
        return layer.mixer.first, layer.mixer.second
    return (layer.mixer,) if layer.mixer else ()


def inner(mixer):
    """What another mixer stands in front of: its attention, or its latent."""
    if isinstance(mixer, (Borrowed, Unified)):
        return mixer.own
    return mixer.latent if isinstance(mixer, Indexed) else mixer


def up(n: int, page: int) -> int:
    """n in whole pages."""
    return -(-n // page) * page


def here(elements: int, heads: int, devices: int) -> int:
    """Elements on the fullest device when whole heads are dealt out; 0 heads: split evenly."""
    return elements * -(-heads // devices) // heads if heads else -(-elements // devices)


def held(mixer, n: int, page: int) -> int:
    """Elements that the cache takes up after n tokens, in whole pages, on a single device."""
    if isinstance(mixer, Compressed):
        kept = up(min(n, mixer.window), page) * mixer.width + up(mixer.entries(n), page) * (mixer.width + mixer.index_width)
        return kept + 2 * min(n, max(mixer.ratio - 1, 0)) * mixer.made  # room for the tokens of a block that is not whole yet
    elements = sum(mixer.cache(n).values())
    return elements * up(tokens := inner(mixer).reach.kept(n), page) // tokens if elements else 0


def read(mixer, n: int) -> int:
    """Elements that the n-th token reads of the cache, its own included, on a single device. Borrowed ones are read as well."""
    if isinstance(mixer, Compressed):
        entries = mixer.entries(n)
        picked = min(entries, mixer.top_k) if mixer.overlap else entries
        return (min(n, mixer.window) + picked) * mixer.width + entries * mixer.index_width
    if isinstance(mixer, Indexed):
        return sum(mixer.latent.cache(min(n, mixer.top_k)).values()) + n * mixer.kept
    own, elements = inner(mixer), sum(inner(mixer).cache(n).values())
    return elements * own.reach.reads(n) // own.reach.kept(n) if elements else 0


def kv_heads(mixer) -> int:
    """Key/value heads that can be dealt out to devices; 1 where all heads read the same (latents, compressed entries)."""
    return getattr(inner(mixer), "kv_heads", 1)


def on_one(mixer, elements: int, devices: int) -> int:
    """Of so many cached elements those on one device."""
    return here(elements, kv_heads(mixer), devices)


def remembered(layer: Layer, d_model: int, devices: int) -> tuple[int, int]:
    """State of a layer on one device that is kept in the cache's dtype, and in the state's own."""
    kept = Counter()
    for mixer in mixers(layer):
        heads = getattr(mixer, "value_heads", 0) or getattr(mixer, "heads", 0)
        for name, elements in mixer.state(d_model).items():
            repeated = name == "shift" or isinstance(mixer, Compressed)
            kept[name in COLUMNS] += elements if repeated else here(elements, heads, devices)
    for elements in (layer.ffn.state(d_model) if layer.ffn else {}).values():
        kept[True] += elements
    if layer.input_conv:
        kept[True] += here((layer.input_conv - 1) * d_model, 0, devices)
    return kept[True], kept[False]


def repeated(mixer, d_model: int, devices: int) -> int:
    """Weights that stand on more than one device, beyond their first copy."""
    own, copies = inner(mixer), devices - 1
    if isinstance(mixer, Compressed):
        lead = mixer.q_rank + mixer.width + 2 * mixer.made + mixer.index_heads
        return copies * (d_model * lead + mixer.q_rank * mixer.scorer)
    if isinstance(own, Latent):
        scorer = mixer.weights(d_model) if isinstance(mixer, Indexed) else 0
        return copies * (d_model * (own.kv_rank + own.rope_dim + own.q_rank) + scorer)
    if not isinstance(own, Attention) or isinstance(mixer, Borrowed):
        return 0
    width = own.k_dim + own.v_dim - (own.v_dim if isinstance(mixer, Unified) and mixer.one else 0)
    return (here(own.kv_heads, own.kv_heads, devices) * devices - own.kv_heads) * width * (d_model + own.qkv_bias)


def whole_copies(mixer, d_model: int, devices: int) -> int:
    """The same where every device holds the whole mixer."""
    return (devices - 1) * mixer.params(d_model)


def unmasked(n: int, most: int) -> int:
    """Pairs of tokens in a prompt of n where each reads itself and those before it, at most so many."""
    grown = min(n, most)
    return grown * (grown + 1) // 2 + (n - grown) * most


def pairs(reach, n: int) -> int:
    """Pairs of tokens that attention visits in a prompt of n."""
    if reach.kind == "chunked":
        return n // reach.size * unmasked(reach.size, reach.size) + unmasked(n % reach.size, reach.size)
    return n * n if reach.kept(n) == 0 else unmasked(n, reach.kept(n))


def masked(mixer, d_model: int, n: int) -> int:
    """FLOPs of a prompt of n that are counted and that no kernel needs: tokens not yet written."""
    flops = mixer.flops(d_model, n, n)
    if isinstance(mixer, Compressed):
        E, most = mixer.entries(n), mixer.top_k if mixer.overlap else n
        read = min(n, mixer.window) + min(E, most)
        visited = unmasked(n, mixer.window)
        if E:
            visited += mixer.ratio * unmasked(E - 1, most) + (n - E * mixer.ratio + 1) * min(E, most)
        return flops["attention"] - flops["attention"] * visited // (n * read)
    if isinstance(mixer, Indexed):
        most = min(n, mixer.top_k)
        scan = 2 * mixer.heads * mixer.kept * (n * n - unmasked(n, n))
        return flops["attention"] - flops["attention"] * unmasked(n, most) // (n * most) + scan
    reach = getattr(inner(mixer), "reach", None)
    if reach is None:
        return 0
    return flops["attention"] - flops["attention"] * pairs(reach, n) // (n * reach.span(n))


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
    cached = s.each(lambda mixer: on_one(mixer, held(mixer, context, d.page), d.sharing))
    kept = [(times, remembered(layer, s.spec.d_model, d.sharing)) for layer, times in s.layers]
    return cached, *(sum(times * both[i] for times, both in kept) for i in (0, 1))


def weights(s: Shape, d: Deployment) -> int:
    """Bytes of weights on one device."""
    copies = repeated if d.split == "heads" else whole_copies
    more = s.each(lambda mixer: copies(mixer, s.spec.d_model, d.devices))
    if d.weight_bytes:
        return math.ceil((d.weight_bytes + more * rates(s, d)[2]) / d.devices)
    return stored(-(-(s.total + more) // d.devices), d.weight_dtype, scales=True)


def rates(s: Shape, d: Deployment) -> tuple[float, float, float]:
    """Bytes of a weight in routed experts, in the tables of the vocabulary, in all else. A release of mixed dtypes has its
    experts in `weight_dtype`, its tables in 16 bits, and else what is left of its bytes."""
    narrow = float(sum(DTYPES[d.weight_dtype]))
    if not d.weight_bytes or s.rest <= 0:
        return narrow, narrow, narrow
    return narrow, WIDE, max(d.weight_bytes - s.routed * narrow - s.tables * WIDE, 0) / s.rest


def dynamic(elements: tuple[int, int, int], d: Deployment, batch: int, state_dtype: str) -> tuple[int, int]:
    """Bytes of cache and of state on the fullest device, of so many equal sequences on all of them."""
    cached, columns, recurrent = (d.seats(batch) * n for n in elements)
    return stored(cached, d.cache_dtype), stored(columns, d.cache_dtype) + stored(recurrent, state_dtype)


def memory(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> Memory:
    """What a deployment fills, counted; SpecError where a dtype is unknown."""
    one_of("state_dtype", state_dtype, tuple(DTYPES))
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
        return not memory(spec, replace(deployment, devices=devices), state_dtype).fits

    need = last(lacks, MOST_DEVICES) + 1
    return need if need <= MOST_DEVICES else 0


# Time


@dataclass(frozen=True)
class Phase:
    """One prefill or one decode step of the whole batch, as one device sees it: arithmetic and bytes moved."""

    flops: float
    weights: float
    cache: float
    state: float
    peak: int
    bandwidth: int

    @property
    def bytes(self) -> float:
        """All bytes that are moved."""
        return self.weights + self.cache + self.state

    @property
    def intensity(self) -> float:
        """FLOPs a byte."""
        return self.flops / self.bytes

    @property
    def compute_seconds(self) -> float:
        """The arithmetic alone, at peak."""
        return self.flops / self.peak

    @property
    def memory_seconds(self) -> float:
        """The traffic alone, at full bandwidth."""
        return self.bytes / self.bandwidth

    @property
    def seconds(self) -> float:
        """The bound: it cannot take less."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def binds(self) -> str:
        """Which of the two takes longer."""
        return "memory" if self.memory_seconds > self.compute_seconds else "compute"


@dataclass(frozen=True)
class Bounds:
    """What no engine can beat. Seconds are of the whole batch; experts are those of one layer, on average over its layers."""

    prefill: Phase
    decode: Phase
    batch: int
    context: int
    devices: int
    experts: float
    experts_read: float

    @property
    def ridge(self) -> float:
        """FLOPs a byte from which on arithmetic binds."""
        return self.decode.peak / self.decode.bandwidth

    @property
    def tokens_per_second(self) -> float:
        """Decoded tokens a second of all users together, at most."""
        return self.batch / self.decode.seconds

    @property
    def tokens_per_second_each(self) -> float:
        """Decoded tokens a second of one user, at most."""
        return 1 / self.decode.seconds

    @property
    def prompt_tokens_per_second(self) -> float:
        """Tokens of prompts a second, at most."""
        return self.batch * self.context / self.prefill.seconds

    @property
    def device_seconds(self) -> float:
        """Device time of one decoded token, at least."""
        return self.devices * self.decode.seconds / self.batch


def mixture(layer: Layer) -> MoE | None:
    """The routed experts of a layer, where it has them."""
    ffn = layer.ffn
    found = ffn if isinstance(ffn, MoE) else getattr(ffn, "experts", None)
    return found if isinstance(found, MoE) else None


def unvisited(s: Shape, tokens: int) -> tuple[float, int]:
    """Weights that a batch of tokens is not expected to read: experts nobody picks, rows of the tables nobody asks for."""
    spec, idle = s.spec, 0.0
    for layer, times in s.layers:
        if moe := mixture(layer):
            idle += times * (moe.experts - moe.touched(tokens)) * moe.expert(spec.d_model)
    rows = 0 if spec.tied else max(spec.vocab - tokens, 0)
    return idle, (rows + max(spec.learned_positions - tokens, 0)) * spec.d_model


def experts(s: Shape, tokens: int) -> tuple[float, float]:
    """Routed experts of a layer, and those that so many tokens are expected to visit: means over the layers that have them."""
    mixed = [(moe, times) for layer, times in s.layers if (moe := mixture(layer))]
    layers = sum(times for _, times in mixed) or 1
    there = sum(times * moe.experts for moe, times in mixed) / layers
    return there, sum(times * moe.touched(tokens) for moe, times in mixed) / layers


def fed(s: Shape, d: Deployment, tokens: int) -> float:
    """Bytes of weights that one device reads when so many tokens pass at once."""
    sizes = rates(s, d)
    idle = sum(n * size for n, size in zip(unvisited(s, tokens), sizes))
    return weights(s, d) * (1 - idle / sum(n * size for n, size in zip((s.routed, s.tables, s.rest), sizes)))


def prompt_flops(s: Shape, context: int) -> int:
    """FLOPs that one prompt needs: what is counted, without masked pairs and without logits of any token but the last."""
    spec, whole_prompt = s.spec, cost.count(s.spec, context).prefill_flops
    if s.solver:
        return whole_prompt
    dropped = s.each(lambda mixer: masked(mixer, spec.d_model, context))
    return whole_prompt - dropped - 2 * spec.vocab * spec.d_model * (context - 1)


def bounds(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> Bounds:
    """The least time that a prefill and a decode step take, and what they move; whether or not the model fits."""
    return sweep(spec, deployment, (deployment.batch,), state_dtype)[0]


def sweep(spec: ModelSpec, deployment: Deployment, batches: tuple[int, ...], state_dtype: str = "float32") -> tuple[Bounds, ...]:
    """The bounds at several batches."""
    one_of("state_dtype", state_dtype, tuple(DTYPES))
    s, n = shape(spec), deployment.context
    flops = cost.count(spec, n).flops_per_token, prompt_flops(s, n)
    looked = 0 if s.solver else s.each(lambda mixer: on_one(mixer, read(mixer, n), deployment.sharing))
    elements = sequence(s, replace(deployment, page=1), n)
    return tuple(at_batch(s, replace(deployment, batch=batch), flops, looked, elements, state_dtype) for batch in batches)


def at_batch(
    s: Shape, d: Deployment, flops: tuple[int, int], looked: int, elements: tuple[int, int, int], state_dtype: str
) -> Bounds:
    """The bounds at one batch, from what one sequence computes, reads and keeps."""
    device = (d.device.peak(d.weight_dtype), d.device.bandwidth)
    kept, state = dynamic(elements, d, d.batch, state_dtype)
    step, prompt = (d.batch * f / d.devices for f in flops)
    tokens = d.batch * (d.context if s.solver else 1)
    decode = Phase(step, fed(s, d, tokens), stored(d.seats(d.batch) * looked, d.cache_dtype), 2 * state, *device)
    prefill = Phase(prompt, fed(s, d, d.batch * d.context), kept, state, *device)
    return Bounds(prefill, decode, d.batch, d.context, d.devices, *experts(s, tokens))


# The first sentence


def sized(n: float) -> str:
    """Bytes in powers of 1000 and of 1024 beside each other, three digits: "85.9 MB (81.9 MiB)"; GB is the largest unit."""
    if n < 10_000:
        return f"{n:,.0f} B"
    powers = f"{rounded(n / 10**9)} GB" if n >= 10**9 else decimal(n)
    return f"{powers} ({f'{rounded(n / 2**30)} GiB' if n >= 2**30 else binary(n)})"


def rounded(x: float) -> str:
    """Three digits, or every digit before the point."""
    return f"{x:,.{0 if x >= 99.95 else 1 if x >= 9.995 else 2}f}"


def users(count: int, spec: ModelSpec, context: int) -> str:
    """ "37 users at 32,768 tokens each"."""
    many = "at least " if count >= MOST_USERS else ""
    unit = "position" if spec.decoding == "recursion" else "token"
    return f"{many}{count:,} user{'s' * (count > 1)} at {context:,} {unit}{'s' * (context > 1)}{' each' * (count > 1)}"


def verdict(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> str:
    """Does it fit on these devices, for how many users at this context? One sentence, computed. A denoiser's is about a cache
    that its released code does not keep, and says so."""
    if spec.decoding == "diffusion":
        judged = verdict(replace(spec, decoding="autoregressive"), deployment, state_dtype)
        return f"{judged.removesuffix('.')}, if it kept a cache; its released code keeps none."
    d, m = deployment, memory(spec, deployment, state_dtype)
    most = largest_batch(spec, d, state_dtype)
    asked = users(d.batch, spec, d.context)
    if m.fits:
        return f"Fits on {d.named}: {users(most, spec, d.context)}."
    need, can = fewest_devices(spec, d, state_dtype), sized(d.available * d.devices)
    enough = f"{replace(d, devices=need).named} would hold {{}}" if need else "no number of these devices would hold {}"
    lead = f"Does not fit on {d.named}: "
    if m.weights > m.available:
        return f"{lead}weights alone need {sized(m.weights_all)}, and {can} can be used; {enough.format('them and ' + asked)}."
    room = sized((m.available - m.weights) * d.devices)
    wanted = f"{asked} need{'s' * (d.batch == 1)} {sized(m.user_all * d.batch)}, and {room} can be used beside the weights"
    fit = f"{users(most, spec, d.context)} fit{'s' * (most == 1)}, and " if most else ""
    return f"{lead}{wanted}; {fit}{enough.format('all of them' if d.batch > 1 else 'it')}."
