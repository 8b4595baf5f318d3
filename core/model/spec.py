"""The one description of an architecture: the calculator counts it, torch runs it, the page draws it.

A model is a stack of layers; a layer mixes tokens (mixer), then channels (ffn). Either may be absent. Everything here is
frozen, hashable and prints as the call that makes it.

    x = x + mixer(conv(norm(x)))        norms="pre"       (Llama)
    x = x + norm(mixer(conv(x)))        norms="post"      (OLMo 2)
    x = x + norm(mixer(conv(norm(x))))  norms="sandwich"  (Gemma 2)
    x = norm(x + mixer(conv(x)))        norms="outer"     (the first transformer; TRM and HRM)
    x = norm(x); x = a x + mixer(x)     norms="stream"    (MiniMax-M1: the stream itself is normed, then scaled by a)

and the same again with the ffn (which has no convolution before it).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import TypeVar

from core.errors import DEEPEST, LARGEST_VOCABULARY, SpecError, flag, number, one_of, short, whole
from core.model.blocks import Norm
from core.model.part import Ffn, Kind, Mixer, Part, inside

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Scales:
    """Factors on what the mixer and the ffn add to the residual stream (Granite's residual multiplier), and on the stream itself
    where it is normed (norms="stream")."""

    mixer: float = 1.0
    ffn: float = 1.0
    mixer_stream: float = 1.0
    ffn_stream: float = 1.0


def hashed_once(description: "Layer | ModelSpec") -> int:
    """The hash of a description, computed once: deep models are looked up in caches many times for one picture."""
    known = vars(description)
    if "_hash" not in known:
        known["_hash"] = hash(tuple(known[f.name] for f in fields(description)))
    return known["_hash"]


def without_hash(description: "Layer | ModelSpec") -> dict:
    """What is copied of a description: a hash holds for one process only."""
    return {name: value for name, value in vars(description).items() if name != "_hash"}


@dataclass(frozen=True)
class Layer:
    """One layer. `input_conv` is the kernel of a short causal convolution on the mixer's input; 0 means none."""

    mixer: Mixer | None
    ffn: Ffn | None
    norms: str = "pre"
    scales: Scales = Scales()
    input_conv: int = 0

    __hash__, __getstate__ = hashed_once, without_hash

    def __post_init__(self):
        if self.mixer is None and self.ffn is None:
            raise SpecError("layer.mixer and layer.ffn are both absent: a layer has at least one")
        one_of("layer.norms", self.norms, ("pre", "post", "sandwich", "outer", "stream"))
        for field in ("mixer", "ffn", "mixer_stream", "ffn_stream"):
            number(f"layer.scales.{field}", getattr(self.scales, field))
        whole("layer.input_conv", self.input_conv, low=0, high=64)
        if self.input_conv == 1 or (self.input_conv and self.mixer is None):
            raise SpecError("layer.input_conv must be 0 (none) or at least 2, on a layer that has a mixer")

    @property
    def kind(self) -> str:
        """How its memory grows: the mixer's kind, or none for a layer that only mixes channels."""
        return self.mixer.kind if self.mixer else "none"

    def parts(self, kind: type[Kind] | tuple[type[Kind], ...] = Part) -> Iterator[Kind]:  # type: ignore[assignment]
        """Mixer and feed-forward part and all that they are made of, those of one class."""
        yield from inside(self.mixer, kind)
        yield from inside(self.ffn, kind)


@dataclass(frozen=True)
class Recursion:
    """How a recursive solver uses its layers in one step: `inner` updates of z, then one of y, `cycles` times (TRM: n and T).
    The first `low` layers update z and the others y (HRM); low 0: all of them do both. inner 0: there is no z, y is updated from
    itself and the board (a looped transformer; one cycle is a plain one). `halt` outputs say whether to stop."""

    cycles: int = 1
    inner: int = 1
    low: int = 0
    halt: int = 0

    def __post_init__(self):
        whole("recursion.cycles", self.cycles, high=1024)
        whole("recursion.inner", self.inner, low=0, high=1024)
        if self.low and not self.inner:
            raise SpecError("recursion.inner must be at least 1 where recursion.low layers update z")
        whole("recursion.low", self.low, low=0, high=DEEPEST)
        whole("recursion.halt", self.halt, low=0, high=16)

    def passes(self, layer: int) -> int:
        """How often a layer runs in one step."""
        if self.low:
            return self.cycles * (self.inner if layer < self.low else 1)
        return self.cycles * (self.inner + 1)


@dataclass(frozen=True)
class ModelSpec:
    """A language model (or a denoiser, or a recursive solver: `decoding` says how its answer is produced)."""

    name: str
    d_model: int
    vocab: int
    layers: tuple[Layer, ...]
    norm: Norm = Norm()
    tied: bool = False
    learned_positions: int = 0  # rows of a learned position table (GPT-2); 0 means none
    embed_scale: float = 1.0
    logit_scale: float = 1.0
    softcap: float = 0.0  # logits pass softcap * tanh(logits / softcap); 0 means not
    head_bias: bool = False
    decoding: str = "autoregressive"
    embed_norm: bool = False  # embeddings pass a norm of their own (RWKV)
    recursion: Recursion = Recursion()  # of a solver that decodes by "recursion"
    streams: int = 1  # residual streams that stand side by side; more than one are joined by hyper-connections (DeepSeek-V4)

    __hash__, __getstate__ = hashed_once, without_hash

    def __post_init__(self):
        whole("d_model", self.d_model)
        whole("vocab", self.vocab, high=LARGEST_VOCABULARY)
        if not isinstance(self.layers, tuple) or not 1 <= len(self.layers) <= DEEPEST:
            raise SpecError(f"layers must be a tuple of 1 to {DEEPEST:,} layers")
        whole("learned_positions", self.learned_positions, low=0, high=1 << 30)
        for field in ("embed_scale", "logit_scale", "softcap"):
            number(field, getattr(self, field))
        flag("tied", self.tied)
        flag("head_bias", self.head_bias)
        flag("embed_norm", self.embed_norm)
        whole("streams", self.streams, high=64)
        one_of("decoding", self.decoding, ("autoregressive", "diffusion", "recursion"))

    def cache_names(self) -> frozenset[str]:
        """Names of the tensors of a state that grow with context; every other tensor does not."""
        return frozenset(name for layer in self.layers if layer.mixer for name in layer.mixer.cache(1))

    def parts(self, kind: type[Kind] | tuple[type[Kind], ...] = Part) -> Iterator[Kind]:  # type: ignore[assignment]
        """The parts of one class in all layers, the first layer first."""
        return (part for layer in self.layers for part in layer.parts(kind))

    def remixed(self, kind: type[Kind] | tuple[type[Kind], ...], change: Callable[[Kind], Mixer]) -> "ModelSpec":
        """The same model with another mixer in place of every one of a class."""
        made = {x: replace(x, mixer=change(x.mixer)) if isinstance(x.mixer, kind) else x for x in dict.fromkeys(self.layers)}
        return replace(self, layers=tuple(made[layer] for layer in self.layers))

    def causal(self) -> "ModelSpec":
        """The same trunk reading backwards only: what the counts of a denoiser are made on."""
        return self.remixed(Mixer, lambda mixer: mixer.causal())


def expand(pattern: str, kinds: Mapping[str, Thing], depth: int) -> tuple[Thing, ...]:
    """`depth` layers (or what letters stand for) from a pattern, repeated and cut: expand("LLLLLG", {"L": ..., "G": ...}, 26)."""
    if not isinstance(pattern, str) or not pattern or set(pattern) - set(kinds):
        raise SpecError(f"pattern must be made of the letters {', '.join(sorted(kinds))}, not {short(pattern)}")
    whole("depth", depth, high=DEEPEST)
    return tuple(kinds[pattern[i % len(pattern)]] for i in range(depth))


def brief(value) -> str:
    """A description as the shortest call that makes it: fields that hold their default are left out, so that a field added
    later changes no text that was written before."""
    if isinstance(value, tuple):
        return f"({', '.join(map(brief, value))}{',' * (len(value) == 1)})"
    if not is_dataclass(value):
        return repr(value)
    given = [f for f in fields(value) if f.default is MISSING or getattr(value, f.name) != f.default]
    return f"{type(value).__name__}({', '.join(f'{f.name}={brief(getattr(value, f.name))}' for f in given)})"
