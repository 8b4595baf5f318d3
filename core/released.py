"""The weights of a release as its files hold them: what is quantised, what is not, and what the scales take.

`cost.count` says how large a model is in one dtype. A release mixes: gpt-oss keeps attention, routers and embeddings in bfloat16
and converts its experts alone, DeepSeek-V3 converts every matrix of its layers but the routers'. Here every tensor of the model
is looked up in what the config says. Not counted: modules that predict further tokens, routers' biases, index tables of GPTQ.
"""

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import lru_cache

import torch
from torch.overrides import TorchFunctionMode

from core import cost
from core.dtypes import stored
from core.errors import CountedOnly, short
from core.hf.quantisation import Quantisation, Scheme
from core.hf.weights import WeightError, outer
from core.model import LayerModule
from core.spec import Layer, ModelSpec

ROUTERS = ("gate", "router")


@dataclass(frozen=True)
class Part:
    """All tensors stored alike: learned numbers, the bytes of these numbers, the bytes of their scales."""

    dtype: str
    numbers: int
    stored: int
    scales: int


@dataclass(frozen=True)
class Released:
    """A release's weights in parts, the largest first. `left` are the modules that the config says are not converted."""

    parts: tuple[Part, ...]
    left: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Everything."""
        return sum(part.stored + part.scales for part in self.parts)

    @property
    def note(self) -> str:
        """The parts in words."""
        scales = [f" with {part.scales:,} bytes of scales" * (part.scales > 0) for part in self.parts]
        said = ", ".join(f"{part.numbers:,} numbers in {part.dtype}{more}" for part, more in zip(self.parts, scales))
        names = ", ".join(map(short, self.left[:4])) + ", …" * (len(self.left) > 4)
        return said + (f" (not converted by name: {names})" if self.left else "")


def weights(reading) -> Released | None:
    """How a release stores its weights; None where its layout is not understood, or where a part has no module to look into."""
    q, spec = reading.quantisation, reading.spec
    own = reading.cache_dtype  # the model's own, which whatever is not converted keeps
    if not q:
        total = cost.count(spec, 1).params_total
        return Released((Part(own, total, stored(total, own), 0),), ())
    if not q.known:
        return None
    try:
        found = list(tensors(spec, reading.model_type, q))
    except CountedOnly:
        return None
    sums: dict[str, list] = {}
    for (shape, scheme), count in found:
        dtype = scheme.dtype if scheme else own
        numbers, scales = math.prod(shape), scaled(shape, scheme) if scheme else Fraction(0)
        row = sums.setdefault(dtype, [0, Fraction(0)])
        row[0], row[1] = row[0] + count * numbers, row[1] + count * scales
    parts = [Part(d, n, stored(n, d), math.ceil(scales)) for d, (n, scales) in sums.items() if n]
    return Released(tuple(sorted(parts, key=lambda part: -part.numbers)), q.kept)


def scaled(shape: tuple[int, ...], scheme: Scheme) -> Fraction:
    """Bytes of the scales of a matrix (R, C), or of a stack of them."""
    *stack, rows, columns = shape
    blocks = math.ceil(rows / (scheme.rows or rows)) * math.ceil(columns / (scheme.columns or columns))
    return math.prod(stack) * blocks * scheme.scale


# Every tensor


def tensors(spec: ModelSpec, kind: str, q: Quantisation):
    """((shape, scheme or None), how often) of every tensor; layers alike are looked at once where no name has a number."""
    hidden, vocab, solver = spec.d_model, spec.vocab, spec.decoding == "recursion"
    if solver or spec.streams > 1:
        raise CountedOnly("this model")
    yield ((vocab, hidden), scheme(q, "embed_tokens", "embed_tokens.weight", 2)), 1
    if not spec.tied:
        yield ((vocab, hidden), None), 1
    rest = spec.norm.params(hidden) * (1 + spec.embed_norm) + spec.learned_positions * hidden + spec.head_bias * vocab
    yield ((rest,), None), 1
    each = any(ch.isdigit() for name in q.kept for ch in name)
    groups: dict[Layer, list[int]] = {}
    for i, layer in enumerate(spec.layers):
        groups.setdefault(layer, []).append(i)
    theirs = names(spec, kind, [i for places in groups.values() for i in (places if each else places[:1])])
    for layer, places in groups.items():
        for i in places if each else places[:1]:
            for name, shape in inside(layer, hidden, spec.norm):
                ours = f"layers.{i}.{name}"
                for piece in split(name, shape):
                    yield (piece, scheme(q, theirs.get(ours, outer(ours)), name, len(shape))), 1 if each else len(places)


@lru_cache(maxsize=1024)
def inside(layer: Layer, d_model: int, norm) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of a layer's learned numbers. CountedOnly where a part has no module."""
    with torch.device("meta"), Undrawn():
        module = LayerModule(layer, ModelSpec("", d_model, 1, (layer,), norm))
    return tuple((name, tuple(p.shape)) for name, p in module.named_parameters())


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


def names(spec: ModelSpec, kind: str, places: list[int]) -> dict[str, str]:
    """Our name -> the released one, for the layers at these places."""
    from core.hf.reader import FAMILIES

    ours = [f"layers.{i}.{name}" for i in places for name, _ in inside(spec.layers[i], spec.d_model, spec.norm)]
    try:
        entries = FAMILIES[kind].table(spec, ours)
    except (AttributeError, WeightError, KeyError, IndexError):
        return {}
    return {name: entry.theirs for entry in entries for name in entry.ours}


def split(name: str, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """gate and up of experts stand in one tensor and are blocked apart."""
    if name.endswith("gate_up_proj") and len(shape) == 3 and shape[1] % 2 == 0:
        return [(shape[0], shape[1] // 2, shape[2])] * 2
    return [shape]


# Converted or not


def scheme(q: Quantisation, theirs: str, name: str, dimensions: int) -> Scheme | None:
    """How a tensor is stored; None: as it was. `name` is ours inside its layer, `theirs` the released one."""
    parts = name.split(".")
    expert = "experts" in parts
    matrix = dimensions == 3 if expert else dimensions == 2 and parts[-1] == "weight"
    if not matrix or parts[0] == "embed_tokens":
        return None
    router = not expert and len(parts) > 1 and parts[-2] in ROUTERS
    if router or any("conv" in part for part in parts):
        return None
    found = (q.experts or q.others) if expert else q.others
    return None if found is None or kept(theirs.removesuffix(".weight"), q.kept) else found


def kept(path: str, left: tuple[str, ...]) -> bool:
    """Does the list of what is not converted name this module, or one that it stands in, in full or by its last words?"""
    parts = path.split(".")
    runs = {".".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
    plain, starred = sorted_names(left)
    return not runs.isdisjoint(plain) or any(fnmatchcase(run, name) for name in starred for run in runs)


@lru_cache(maxsize=64)
def sorted_names(left: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Names without a * and names with one."""
    return frozenset(name for name in left if "*" not in name), tuple(name for name in left if "*" in name)
