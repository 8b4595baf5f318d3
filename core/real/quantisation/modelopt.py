"""NVIDIA's ModelOpt. Each example is one matrix of 4096 x 4096 numbers."""

from collections.abc import Callable
from fractions import Fraction

from core.real.hf.source import as_object
from core.real.quantisation.names import Unread, names
from core.real.quantisation.pieces import left_out, size_of_group, word
from core.real.quantisation.scheme import MXFP4, Block, Quantisation, Scheme, each_column, each_matrix, each_row, group

PREQUANTISED = each_column(2)  # by what each input is multiplied beforehand
ALGORITHMS: dict[str, Callable[[dict], Scheme]] = {
    "FP8": lambda s: Scheme("fp8", (each_matrix(4), each_matrix(4))),
    "FP8_PER_CHANNEL_PER_TOKEN": lambda s: Scheme("fp8", (each_row(4),)),
    "FP8_PB_WO": lambda s: Scheme("fp8", (Block(Fraction(4), 128, 128),)),
    "MXFP8": lambda s: Scheme("fp8", (group(1, 32),)),
    "NVFP4": lambda s: nvfp4(s, each_matrix(4)),
    "W4A16_NVFP4": lambda s: nvfp4(s),
    "NVFP4_AWQ": lambda s: nvfp4(s, each_matrix(4), PREQUANTISED),
    "MXFP4": lambda s: MXFP4,
    "W4A8_MXFP4_FP8": lambda s: Scheme("mxfp4", (group(1, 32), each_matrix(4))),
    "W4A8_NVFP4_FP8": lambda s: nvfp4(s, each_matrix(4)),
    "W4A16_AWQ": lambda s: Scheme("int4", (group(2, size_of_group(s, "group_size", usual=128)), PREQUANTISED)),
    "W8A16": lambda s: Scheme("int8", (each_row(2),)),
}  # fmt: skip


def nvfp4(stated: dict, *more: Block) -> Scheme:
    """4-bit floats, a byte for 16 of them and a float32 for the matrix."""
    if stated.get("group_size", 16) not in (16, None):
        raise Unread(f"NVFP4 in groups of {stated['group_size']!r}")
    return Scheme("nvfp4", (group(1, 16), each_matrix(4), *more))


def modelopt(stated: dict) -> Quantisation:
    """NVIDIA's ModelOpt, as config.json or hf_quant_config.json has it: one `quant_algo` for all that is not excluded, or
    MIXED_PRECISION with a list of modules and theirs.

    NVFP4: 1,048,576 scales of a byte, two float32 for the matrix and what goes in.
    >>> example({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]})
    (9437192, 4.5)
    >>> example({"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}})
    (16777224, 8.0)
    >>> example({"quant_algo": "MIXED_PRECISION", "quantized_layers": {"layers.0.mlp.up_proj": {"quant_algo": "MXFP8"}}})
    (17301504, 8.25)
    """
    stated = as_object(stated.get("quantization")) or stated
    algorithm = word(stated.get("quant_algo")).upper()
    if algorithm == "MIXED_PRECISION":
        own = tuple((names(listed), scheme) for scheme, listed in mixed(stated).items())
        return Quantisation("modelopt", kept=left_out(stated), own=own)
    if not algorithm and stated.get("kv_cache_quant_algo"):
        return Quantisation("modelopt")  # the cache alone
    return Quantisation("modelopt", algorithmic(stated), kept=left_out(stated))


def mixed(stated: dict) -> dict[Scheme, list[str]]:
    """The modules of every scheme, from the list of modules or, where there is none, from the groups."""
    found: dict[Scheme, list[str]] = {}
    for name, own in as_object(stated.get("quantized_layers")).items():
        found.setdefault(algorithmic(as_object(own)), []).append(name)
    if found:
        return found
    for own in map(as_object, as_object(stated.get("config_groups")).values()):
        weights, entering = as_object(own.get("weights")), as_object(own.get("input_activations"))
        kind = weights.get("type"), weights.get("num_bits"), weights.get("group_size")
        known = {("float", 8, None): "FP8", ("float", 4, 16): "NVFP4" if entering else "W4A16_NVFP4"}
        listed = names(own.get("targets")).listed
        if kind not in known or not listed or "Linear" in listed:
            raise Unread("MIXED_PRECISION without a list of modules")
        found.setdefault(algorithmic({"quant_algo": known[kind]}), []).extend(listed)
    if not found:
        raise Unread("MIXED_PRECISION without quantized_layers")
    return found


def algorithmic(stated: dict) -> Scheme:
    """The scheme that a `quant_algo` names."""
    algorithm = word(stated.get("quant_algo")).upper()
    if algorithm not in ALGORITHMS:
        raise Unread(f"quant_algo {algorithm!r}")
    return ALGORITHMS[algorithm](stated)
