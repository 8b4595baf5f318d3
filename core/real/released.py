"""The weights of a release as its files hold them: what is quantised, what is not, and what the scales take.

`cost.count` says how large a model is in one dtype. A release mixes: gpt-oss keeps attention, routers and embeddings in bfloat16
and converts its experts alone, DeepSeek-V3 converts every matrix of its layers but the routers'. Here every tensor of the model
is looked up in what the config says; what only the files say is written down with the family that has such files (DeepSeek-V4).
Not counted: modules that predict further tokens, routers' biases and tables of words.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from core import units
from core.count import cost
from core.count.dtypes import stored
from core.errors import CountedOnly, short
from core.model.ffn.hashed import Hashed
from core.model.model import LayerModule
from core.model.spec import Layer, ModelSpec
from core.real.hf.families import FAMILIES
from core.real.hf.family import Family
from core.real.hf.weights import WeightError, outer
from core.real.quantisation.names import PIECES, Names, Unread, names
from core.real.quantisation.scheme import Quantisation, Scheme

ROUTERS = ("gate", "router")
SINGLE = Scheme("float32")  # tensors that a release has in full, whatever its own dtype


@dataclass(frozen=True)
class Part:
    """All tensors stored alike: learned numbers, the bytes of these numbers, the bytes of their scales."""

    dtype: str
    numbers: int
    stored: int
    scales: int


@dataclass(frozen=True)
class Released:
    """A release's weights in parts, the largest first. `left` are modules that the config, or the family's files, say are not
    converted."""

    parts: tuple[Part, ...]
    left: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Everything."""
        return sum(part.stored + part.scales for part in self.parts)

    @property
    def mix(self) -> str:
        """The dtypes, that of most numbers first: "mxfp4 and bfloat16"."""
        *most, last = (part.dtype for part in self.parts)
        return f"{', '.join(most)} and {last}" if most else last

    @property
    def amounts(self) -> str:
        """How many numbers are in which dtype, and what is counted."""
        each = ", ".join(f"{units.count(part.numbers)} in {part.dtype}" for part in self.parts)
        return f"{each}; scales included, modules that predict further tokens not"

    @property
    def note(self) -> str:
        """The parts in words."""
        scales = [f" with {part.scales:,} bytes of scales" * (part.scales > 0) for part in self.parts]
        said = ", ".join(f"{part.numbers:,} numbers in {part.dtype}{more}" for part, more in zip(self.parts, scales))
        names = ", ".join(map(short, self.left[:4])) + ", …" * (len(self.left) > 4)
        return said + (f" (not converted by name: {names})" if self.left else "")


@lru_cache(maxsize=64)
def weights(reading) -> Released | None:
    """How a release stores its weights; None where its layout is not understood, or where a part has no module to look into."""
    q, spec = reading.quantisation, reading.spec
    own = reading.cache_dtype  # the model's own, which whatever is not converted keeps
    if reading.unclear:
        return None
    if not q:
        total = cost.count(spec, 1).params_total
        return Released((Part(own, total, stored(total, own), 0),), ())
    family = FAMILIES[reading.model_type]
    single = family.single if q.method == "fp8" else ()
    if q.method == "fp8":  # what only the family's own files say
        q = replace(q, kept=names([*q.kept.listed, *family.unconverted]))
    try:
        found = list(tensors(spec, family, q, names(list(single))))
    except (CountedOnly, Unread):
        return None
    sums: dict[str, list] = {}
    for (shape, scheme), count in found:
        dtype = scheme.dtype if scheme else own
        numbers, scales = math.prod(shape), scaled(shape, scheme) if scheme else Fraction(0)
        row = sums.setdefault(dtype, [0, Fraction(0)])
        row[0], row[1] = row[0] + count * numbers, row[1] + count * scales
    parts = [Part(d, n, stored(n, d), math.ceil(scales)) for d, (n, scales) in sums.items() if n]
    return Released(tuple(sorted(parts, key=lambda part: -part.numbers)), q.kept.listed)


def scaled(shape: tuple[int, ...], scheme: Scheme) -> Fraction:
    """Bytes of the scales of a matrix (R, C), or of a stack of them."""
    if not scheme.blocks:
        return Fraction(0)
    *stack, rows, columns = shape
    return math.prod(stack) * scheme.scales(rows, columns)


# Every tensor


def tensors(spec: ModelSpec, family: Family, q: Quantisation, single: Names):
    """((shape, scheme or None), how often) of every tensor; layers alike are looked at once where no name has a number."""
    hidden, vocab = spec.d_model, spec.vocab
    if spec.decoding == "recursion":
        raise CountedOnly("this model")
    yield ((vocab, hidden), scheme(q, "model.embed_tokens", "embed_tokens.weight", 2)), 1
    if not spec.tied:
        yield ((vocab, hidden), scheme(q, "lm_head", "lm_head.weight", 2)), 1
    rest = spec.norm.params(hidden) * (1 + spec.embed_norm) + spec.learned_positions * hidden + spec.head_bias * vocab
    yield ((rest,), None), 1
    for name, shape in joins("hc_head", spec.streams, spec.streams, 1, hidden).items():
        yield (shape, SINGLE if single.means(name) else None), 1
    groups: dict[Layer, list[int]] = {}
    for i, layer in enumerate(spec.layers):
        groups.setdefault(layer, []).append(i)
    theirs = released_names(spec, family, [i for places in groups.values() for i in (places if q.numbered else places[:1])])
    for layer, places in groups.items():
        for i in places if q.numbered else places[:1]:
            for name, shape in inside(layer, hidden, spec.norm, spec.streams):
                ours, often = f"layers.{i}.{name}", 1 if q.numbered else len(places)
                if single.means(name):
                    yield (shape, SINGLE), often
                    continue
                for piece, called in split(theirs.get(ours, outer(ours)), shape, getattr(layer.ffn, "gated", True)):
                    yield (piece, scheme(q, called, name, len(shape))), often


@lru_cache(maxsize=1024)
def inside(layer: Layer, d_model: int, norm, streams: int = 1) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of a layer's learned numbers. CountedOnly where a part has neither a module nor a list of them."""
    listed: dict[str, tuple[int, ...]] = {}
    mixer: object = layer.mixer
    ffn = layer.ffn
    if layer.mixer is not None and hasattr(layer.mixer, "shapes"):
        listed = {f"{layer.mixer.name}.{name}": shape for name, shape in layer.mixer.shapes(d_model).items()}
        mixer = Listed(layer.mixer.name)
    bare = replace(layer, mixer=mixer, ffn=ffn.experts if isinstance(ffn, Hashed) else ffn)  # its table is no learned number
    with torch.device("meta"), Undrawn():
        module = LayerModule(bare, ModelSpec("", d_model, 1, (bare,), norm))
    for name, part in (("attn_hc", layer.mixer), ("ffn_hc", layer.ffn)):
        listed |= joins(name, streams, streams * (streams + 2), 3, d_model) if part else {}
    return (*((name, tuple(p.shape)) for name, p in module.named_parameters()), *listed.items())


def joins(name: str, streams: int, rows: int, scales: int, d_model: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a hyper-connection: shares from all streams, their bases, their scales; none where there is one stream."""
    shapes = {"fn": (rows, streams * d_model), "base": (rows,), "scale": (scales,)}
    return {f"{name}.{part}": shape for part, shape in shapes.items()} if streams > 1 else {}


@dataclass(frozen=True)
class Listed:
    """In the place of a mixer that has no module and lists its tensors: a module without numbers."""

    name: str

    def build(self, d_model: int) -> nn.Module:
        """Nothing inside."""
        return nn.Module()


class Undrawn(TorchFunctionMode):
    """Shapes alone are wanted: nothing is drawn or scaled, for which torch would load for seconds where there is no memory."""

    SAME = set("normal_ uniform_ mul_ log exp expm1 neg sqrt sigmoid clamp softplus".split())
    EITHER = set("mul add sub div rsub pow __mul__ __add__ __sub__ __truediv__ __rsub__ __pow__ __rmul__".split())

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = function.__name__
        given = args or tuple((kwargs or {}).values())
        if name in ("rand", "randn"):
            return torch.empty(*args)
        if name == "linspace":
            return torch.empty(args[2])
        if name in self.SAME or (name in self.EITHER and len(args) > 1):  # two of one shape, or a number beside one
            return next(value for value in given if isinstance(value, torch.Tensor))
        return function(*args, **(kwargs or {}))


def released_names(spec: ModelSpec, family: Family, places: list[int]) -> dict[str, str]:
    """Our name -> the released one, for the layers at these places; {} where it is not written down."""
    if family.table is None:
        return {}
    ours = [f"layers.{i}.{name}" for i in places for name, _ in inside(spec.layers[i], spec.d_model, spec.norm, spec.streams)]
    try:
        entries = family.table(spec, ours)
    except (AttributeError, WeightError, KeyError, IndexError):
        return {}
    return {name: entry.theirs for entry in entries for name in entry.ours}


def split(theirs: str, shape: tuple[int, ...], gated: bool = True) -> list[tuple[tuple[int, ...], str]]:
    """gate and up of experts stand in one tensor here and in two in the files: each with its name. Without a gate it is up."""
    if theirs.endswith("gate_up_proj") and not gated:
        return [(shape, theirs.replace("gate_up_proj", "up_proj"))]
    if theirs.endswith("gate_up_proj") and len(shape) == 3 and shape[1] % 2 == 0:
        stem, half = theirs.removesuffix("gate_up_proj"), (shape[0], shape[1] // 2, shape[2])
        return [(half, f"{stem}gate_proj"), (half, f"{stem}up_proj")]
    return [(shape, theirs)]


# Converted or not


def scheme(q: Quantisation, theirs: str, name: str, dimensions: int) -> Scheme | None:
    """How a tensor is stored; None: as it was. `name` is ours inside its layer, `theirs` the released one."""
    parts = name.split(".")
    expert = "experts" in parts
    matrix = dimensions == 3 if expert else dimensions == 2 and parts[-1] == "weight"
    if not matrix:
        return None
    called = expert_names(theirs) if expert else [theirs.removesuffix(".weight")]
    if any(map(q.kept.means, called)):
        return None
    for listed, own in q.own:
        if any(map(listed.means, called)):
            return own
    return usual(q, parts, expert)


def usual(q: Quantisation, parts: list[str], expert: bool) -> Scheme | None:
    """How a matrix is stored that no list names; `parts` are those of its name."""
    router = not expert and len(parts) > 1 and parts[-2] in ROUTERS
    if router or any("conv" in part for part in parts):
        return None
    if parts[0] in ("embed_tokens", "lm_head"):
        return q.others if (q.table if parts[0] == "embed_tokens" else q.head) else None
    return (q.experts or q.others) if expert else q.others


def expert_names(theirs: str) -> list[str]:
    """What files call a stack of experts: all of them, or the first of them by itself."""
    stem, _, piece = theirs.rpartition(".")
    return [theirs, *(f"{stem}.0.{word}" for word in (piece, *PIECES.get(piece, ())))]
