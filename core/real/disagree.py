"""Why calculators disagree: what a naive one would say of this very model, beside what we count.

Each reason is a mistake that users of calculators report, or a convention that makers differ in. The mistake is made on purpose,
on the description of the model, and the result is counted like any other; a reason that changes nothing here is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from core.count import cost
from core.count.dtypes import stored
from core.errors import SpecError
from core.model.blocks import Full
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.latent import Latent
from core.model.mixers.sparse import Indexed
from core.model.part import Mixer, inside
from core.model.rope import Rope
from core.model.spec import ModelSpec
from core.real import released

LEARNED, VISITED = "parameters", "parameters that a token visits"


@dataclass(frozen=True)
class Reason:
    """One way to arrive at another number. `what` they do; of which `subject`, in which `unit` ("GB": bytes, written in powers of
    1000); a `convention` is no mistake."""

    name: str
    what: str
    subject: str
    theirs: int
    ours: int
    unit: str = "bytes"
    convention: bool = False

    @property
    def ratio(self) -> float:
        """How many times ours theirs is; infinity where ours is nothing."""
        return self.theirs / self.ours if self.ours else float("inf")


@lru_cache(maxsize=256)
def reasons(reading, context: int, batch: int = 1) -> tuple[Reason, ...]:
    """Everything that makes a difference on this model: mistakes, then conventions; the larger the difference, the earlier."""
    every = (*of_the_cache(reading, context, batch), *of_the_state(reading, context, batch), *of_the_weights(reading, context))
    told = [reason for reason in every if reason.theirs != reason.ours]
    return tuple(sorted(told, key=lambda r: (r.convention, -max(r.ratio, 1 / r.ratio if r.ratio else float("inf")))))


# The cache


def narrow(mixer, spec: ModelSpec):
    """Heads as wide as hidden size / heads."""
    if mixer.heads > spec.d_model:
        return mixer
    width = spec.d_model // mixer.heads
    return replace(mixer, k_dim=width, v_dim=width, rope=Rope())


def unbounded(mixer, spec: ModelSpec):
    """No window and no chunk."""
    return replace(mixer, reach=Full()) if mixer.kind in ("sliding", "chunked") else mixer


def unshared(mixer, spec: ModelSpec):
    """A key and a value for every query head."""
    return replace(mixer, kv_heads=mixer.heads)


def expanded(mixer, spec: ModelSpec):
    """Every head's own keys and values instead of the latent."""
    latent = next(inside(mixer, Latent))
    return Attention(latent.heads, latent.heads, latent.k_dim, latent.v_dim)


def doubled(mixer, spec: ModelSpec):
    """The latent twice, once for keys and once for values, and no rotated key."""
    return replace(mixer, rope_dim=mixer.kept, rope=Rope())


def unscored(mixer, spec: ModelSpec):
    """No keys of the scorer."""
    return mixer.latent


def owned(mixer, spec: ModelSpec):
    """Keys and values in the layers that borrow them, too."""
    return mixer.own


def attending(mixer, spec: ModelSpec):
    """Attention in the layers that keep a state, or mix no tokens at all."""
    if mixer is not None and mixer.kind != "state":
        return mixer
    return next((layer.mixer for layer in spec.layers if layer.mixer and layer.mixer.cache(1)), mixer)


ANY = (Mixer, type(None))
CACHE: tuple[tuple[str, str, tuple[type, ...], Callable], ...] = (  # what, in words, the mixers that it is made in
    (
        "head width guessed",
        "hidden size / heads is taken for the width of a head, which is a field of its own",
        (Attention,),
        narrow,
    ),
    ("windows ignored", "every layer is taken to keep the whole context", (Attention,), unbounded),
    ("sharing ignored", "keys and values are counted for every query head", (Attention,), unshared),
    (
        "latents expanded",
        "every head's keys and values are counted, though one latent is kept for all of them",
        (Latent, Indexed),
        expanded,
    ),
    (
        "latents counted twice",
        "the latent is counted for keys and again for values, and the rotated key forgotten",
        (Latent,),
        doubled,
    ),
    ("scorer forgotten", "the keys that pick what is read are left out", (Indexed,), unscored),
    ("borrowing ignored", "keys and values are counted in layers that read those of another layer", (Borrowed,), owned),
    ("every layer attends", "layers that keep a state, or mix no tokens, are counted as attention", ANY, attending),
)


def of_the_cache(reading, context: int, batch: int) -> list[Reason]:
    """Mistakes with what grows."""
    spec, ours = reading.spec, counted(reading, reading.spec, context, batch).cache_bytes
    if spec.decoding == "recursion":
        return []
    if spec.decoding == "diffusion":
        what = "keys and values are counted as if the released code kept them; it reads both ways and keeps none"
        return [Reason("a cache that is not kept", what, "cache", ours, 0)]
    found = []
    for name, what, kinds, change in CACHE:
        try:
            theirs = counted(reading, changed(spec, kinds, change), context, batch).cache_bytes
        except SpecError:  # a mistake that no model of these sizes can make
            continue
        found.append(Reason(name, what, "cache", theirs, ours))
    if context % 1024 == 0:
        fewer = counted(reading, spec, context // 1024 * 1000, batch).cache_bytes
        what = f"{context:,} tokens are called {context // 1024}K and counted as {context // 1024 * 1000:,}"
        found.append(Reason("K is a thousand", what, "cache", fewer, ours, convention=True))
    return found


def changed(spec: ModelSpec, kinds: tuple[type, ...], change: Callable) -> ModelSpec:
    """The same model with a mistake made in every mixer of some classes."""
    return replace(spec, layers=tuple(replace(layer, mixer=through(layer.mixer, kinds, change, spec)) for layer in spec.layers))


def through(mixer, kinds: tuple[type, ...], change: Callable, spec: ModelSpec):
    """A mixer with the mistake made in it, or in the mixers that it holds."""
    made = change(mixer, spec) if isinstance(mixer, kinds) else mixer
    return made if made is not mixer or mixer is None else mixer.remade(lambda inner: through(inner, kinds, change, spec))


def counted(reading, spec: ModelSpec, context: int, batch: int) -> cost.Cost:
    """A description in the reading's own dtypes."""
    return cost.count(spec, context, batch, reading.weight_dtype, reading.cache_dtype, reading.state_dtype)


# State and weights


def of_the_state(reading, context: int, batch: int) -> list[Reason]:
    """Mistakes with what does not grow."""
    c = counted(reading, reading.spec, context, batch)
    kept, short = c.cache_bytes * (reading.spec.decoding != "diffusion"), stored(c.state_elements, reading.cache_dtype)
    forgotten = "only what grows is counted, not the state of fixed size"
    narrowed = f"recurrent matrices are counted in {reading.cache_dtype}; engines keep them in {reading.state_dtype}"
    return [
        Reason("state forgotten", forgotten, "memory of sequences", kept, kept + c.state_bytes),
        Reason("state in the cache's dtype", narrowed, "state", short, c.state_bytes),
    ]


def of_the_weights(reading, context: int) -> list[Reason]:
    """Mistakes with learned numbers, and conventions about which to name."""
    spec, c = reading.spec, counted(reading, reading.spec, context, 1)
    total, active, own = c.params_total, c.params_active, released.weights(reading)
    twice = total + spec.tied * spec.vocab * spec.d_model
    less, least = c.params_active_without_input_embedding, c.params_active_without_embeddings
    rows = (
        ("every expert runs", "all experts are counted for a token that visits a few", VISITED, total, active, False),
        ("tied table twice", "one table that serves at both ends is counted at each", LEARNED, twice, total, False),
        ("buffers counted", "tables and biases that no gradient reaches are counted", LEARNED, total + c.buffers, total, True),
        (
            "without the input table",
            "the input embedding is left out: it is looked up, not multiplied",
            VISITED,
            less,
            active,
            True,
        ),
        ("without both tables", "embedding and output matrix are left out", VISITED, least, active, True),
    )
    found = [Reason(name, what, subject, theirs, ours, "parameters", usual) for name, what, subject, theirs, ours, usual in rows]
    gigabytes = "bytes are divided by 1,024 three times and called GB"
    whole = own.bytes if own else c.weight_bytes
    found.append(Reason("GiB written as GB", gigabytes, "weights", whole * 10**9 >> 30, whole, "GB", convention=True))
    if own and reading.quantisation:
        named = reading.quantisation.others.dtype if reading.quantisation.others else reading.quantisation.dtype
        what = f"all weights are taken to be in {named}; the release has {own.mix}, and scales beside them"
        found.append(Reason("one dtype for all", what, "weights", stored(total, named, scales=True), own.bytes))
    return found
