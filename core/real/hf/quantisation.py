"""What `quantization_config` says about a release's weights: into which numbers, with which scales, and what stays as it was.

A scale is shared by a block of `rows` x `columns` numbers of a matrix; 0 stands for the whole length. Layouts are those of the
checkpoints: DeepSeek's 128 x 128 blocks with a float32 each (one byte where `scale_fmt` is ue8m0), mxfp4's one byte for 32
numbers of a row (OCP Microscaling Formats 1.0), GPTQ's and AWQ's 16-bit scale and zero point for `group_size` numbers.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from core.real.hf.fields import Fields

MANY = 20_000  # names of modules that a list may hold
STARS = 64  # of them with a *
FORMATS = {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "int4"}


@dataclass(frozen=True)
class Scheme:
    """How matrices are stored: their dtype, the block that shares a scale, bytes of that scale (and zero point)."""

    dtype: str
    rows: int = 0
    columns: int = 0
    scale: Fraction = Fraction(4)

    def scales(self, rows: int, columns: int) -> Fraction:
        """Bytes of the scales of a matrix."""
        return math.ceil(rows / (self.rows or rows)) * math.ceil(columns / (self.columns or columns)) * self.scale


@dataclass(frozen=True)
class Quantisation:
    """A release's weights. `kept` names modules that are not converted; `experts` is the scheme of routed experts where they have
    one of their own; `others` is absent where experts alone are converted. `known` is False where the layout is not understood
    well enough to count its bytes."""

    method: str
    others: Scheme | None
    experts: Scheme | None = None
    kept: tuple[str, ...] = ()
    known: bool = True

    @property
    def dtype(self) -> str:
        """The dtype that the whole is called by: that of the experts, which are most of it, where they have one of their own."""
        return (self.experts or self.others).dtype


MX = Scheme("mxfp4", 1, 32, Fraction(1))


def quantised(f: Fields) -> Quantisation | None:
    """What `quantization_config` says, or None where there is none that is understood (then it is an unknown field)."""
    inner = f.inside("quantization_config")
    method = hashable(inner.get("quant_method"))
    found = READERS[method](inner) if method in READERS else None
    if inner and not found:
        f.strange.append("quantization_config")
    elif inner.get("kv_cache_scheme") is not None:  # the cache is counted in the model's own dtype
        f.strange.append("quantization_config.kv_cache_scheme")
    if not found:
        return None
    experts, own = found.experts, f.config.get("expert_dtype", inner.get("expert_dtype"))  # DeepSeek-V4, and its next version
    if own in ("fp4", "fp8"):
        f.seen.add("expert_dtype")
        experts = MX if own == "fp4" else experts
    names, understood = left_out(inner)
    return Quantisation(method, found.others, experts, names, found.known and understood)


def left_out(inner: dict) -> tuple[tuple[str, ...], bool]:
    """Names of the modules that are not converted, and whether every one of them is understood."""
    stated = [inner.get(name) for name in ("modules_to_not_convert", "ignored_layers", "ignore") if inner.get(name) is not None]
    names = stated[0] if stated else []
    if not isinstance(names, list) or len(names) > MANY or not all(isinstance(name, str) for name in names):
        return (), False
    plain = tuple(dict.fromkeys(map(plainly, names)))
    return tuple(name for name in plain if name), "" not in plain and sum("*" in name for name in plain) <= STARS


def plainly(name: str) -> str:
    """A name, or an expression that is one behind `.*`; "" for an expression that is more than that."""
    if not name.startswith("re:"):
        return name
    bare = name[3:].removeprefix(".*").removeprefix(r"\.").removesuffix("$").removesuffix(".*").replace(r"\.", ".")
    return bare if bare.replace(".", "").replace("_", "").isalnum() else ""


def blocks(inner: dict) -> Quantisation | None:
    """8-bit floats: a scale for each block, or one for a matrix."""
    size = inner.get("weight_block_size")
    if size is None:
        return Quantisation("fp8", Scheme("fp8"))
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and 1 <= n <= 1 << 20 for n in size):
        return Quantisation("fp8", Scheme("fp8"), known=False)
    return Quantisation("fp8", Scheme("fp8", *size, Fraction(1 if inner.get("scale_fmt") == "ue8m0" else 4)))


def grouped(inner: dict) -> Quantisation | None:
    """GPTQ and AWQ: a scale of 16 bits and a zero point for each group of a row."""
    bits, size = hashable(inner.get("bits")), inner.get("group_size", 128)
    dtype = {4: "int4", 8: "int8"}.get(bits)
    sound = type(size) is int and (size == -1 or 1 <= size <= 1 << 20)
    return dtype and Quantisation("grouped", Scheme(dtype, 1, max(size, 0) if sound else 0, 2 + Fraction(bits, 8)), known=sound)


def nested(inner: dict) -> Quantisation | None:
    """bitsandbytes: how many bits; its scales are quantised again, and their bytes are not counted."""
    dtype = "int4" if inner.get("load_in_4bit") else "int8" if inner.get("load_in_8bit") else ""
    return dtype and Quantisation("bitsandbytes", Scheme(dtype), known=False)


def compressed(inner: dict) -> Quantisation | None:
    """A compressed-tensors checkpoint, where all its groups agree on one dtype that is known."""
    groups = inner.get("config_groups")
    weights = [group.get("weights") for group in groups.values() if isinstance(group, dict)] if isinstance(groups, dict) else []
    kinds = {(hashable(w.get("type")), hashable(w.get("num_bits"))) for w in weights if isinstance(w, dict)}
    dtype = FORMATS.get(kinds.pop()) if len(kinds) == 1 else None
    first = next((w for w in weights if isinstance(w, dict)), {})
    size, strategy = first.get("group_size"), hashable(first.get("strategy"))
    if strategy == "channel":
        return dtype and Quantisation("compressed-tensors", Scheme(dtype, 1, 0, Fraction(2)))
    if strategy == "group" and type(size) is int and 1 <= size <= 1 << 20:
        return dtype and Quantisation("compressed-tensors", Scheme(dtype, 1, size, Fraction(2)))
    return dtype and Quantisation("compressed-tensors", Scheme(dtype), known=strategy == "tensor")


READERS = {
    "fp8": blocks,
    "fbgemm_fp8": lambda inner: Quantisation("fbgemm_fp8", Scheme("fp8", 1, 0)),
    "mxfp4": lambda inner: Quantisation("mxfp4", None, MX),
    "gptq": grouped,
    "awq": grouped,
    "bitsandbytes": nested,
    "compressed-tensors": compressed,
}


def hashable(value):
    """A value that can be looked up: text and numbers as they are, anything else as None."""
    return value if isinstance(value, (str, int)) else None
