"""compressed-tensors: groups of modules, each with numbers of its own. Each example is one matrix of 4096 x 4096 numbers."""

from fractions import Fraction

from core.real.hf.source import as_object
from core.real.quantisation.names import Unread, names
from core.real.quantisation.pieces import bits_of, block, integers, left_out, whole_number, word
from core.real.quantisation.scheme import MXFP4, Block, Quantisation, Scheme, each_matrix, each_row, group


def compressed(stated: dict) -> Quantisation:
    """compressed-tensors: groups of modules (`targets`: a class of modules, names, `re:` expressions), each with its own weights.
    Scales are 16 bits wide but for the 4-bit floats; zero points are packed as the numbers are. `ignore` goes before all.

    4 bits in groups of 128 with zero points: 131,072 groups of 2 + 1/2 bytes, and the shape, two numbers of 8.
    >>> example({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"g": {"targets": ["Linear"],
    ...     "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": False}}}})
    (8716304, 4.1563)

    nvfp4-pack-quantized: 1,048,576 scales of a byte, and one float32 for the matrix.
    >>> example({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized", "config_groups": {"g": {"targets":
    ...     ["Linear"], "weights": {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}}}})
    (9437188, 4.5)

    mxfp4-pack-quantized: 524,288 exponents.
    >>> example({"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized", "config_groups": {"g": {"targets":
    ...     ["Linear"], "weights": {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32}}}})
    (8912896, 4.25)
    """
    sparse = word(as_object(stated.get("sparsity_config")).get("format"))
    if sparse not in ("", "dense"):
        raise Unread(f"sparsity_config.format {sparse!r}")
    groups = as_object(stated.get("config_groups"))
    if not groups:
        raise Unread("no config_groups")
    everything, own = [], []
    for stated_group in groups.values():
        scheme = compressed_group(as_object(stated_group), word(stated.get("format")))
        targets = names(as_object(stated_group).get("targets"))
        everything += [scheme] * ("Linear" in targets.listed or not targets.listed)
        if rest := [name for name in targets.listed if name != "Linear"]:
            own.append((names(rest), scheme))
    if len(everything) > 1:
        raise Unread("two config_groups for all modules")
    others = everything[0] if everything else None
    return Quantisation("compressed-tensors", others, kept=left_out(stated), own=tuple(own), head=True)


def compressed_group(stated: dict, usual: str) -> Scheme | None:
    """How one group is stored; None where its weights stay as they were."""
    weights = stated.get("weights")
    if weights is None:
        return None
    weights, form = as_object(weights), word(stated.get("format")) or usual
    bits, kind = bits_of(weights, "num_bits"), word(weights.get("type"))
    entering = as_object(stated.get("input_activations"))
    static = each_matrix(4 if bits == 4 else 2) if entering and entering.get("dynamic") in (False, "local") else None
    if kind == "float":
        found = floats(weights, bits, form)
    elif kind == "int" and form in ("", "pack-quantized", "int-quantized", "naive-quantized", "mixed-precision"):
        found = packed(weights, bits, form)
    else:
        raise Unread(f"format {form!r} of {kind} weights")
    return Scheme(found.dtype, found.blocks + ((static,) if static else ()))


def floats(weights: dict, bits: int, form: str) -> Scheme:
    """Floats of a compressed-tensors group."""
    strategy, size = word(weights.get("strategy")), weights.get("group_size")
    if bits == 4 and size == 16:
        return Scheme("nvfp4", (group(1, 16), each_matrix(4)))
    if bits == 4 and size == 32:
        return MXFP4
    if bits == 8 and strategy == "block":
        return Scheme("fp8", (block(weights.get("block_structure"), 2),))
    if bits == 8 and size == 32 and "mxfp8" in form:
        return Scheme("fp8", (group(1, 32),))
    if bits == 8:
        return Scheme("fp8", (strategic(weights, 2),))
    raise Unread(f"{bits}-bit floats in groups of {size}")


def packed(weights: dict, bits: int, form: str) -> Scheme:
    """Whole numbers of a compressed-tensors group: packed into words of 32 bits, or a byte each."""
    zero = Fraction(bits, 8) if weights.get("symmetric") is False else Fraction(0)
    shape = () if form in ("int-quantized", "naive-quantized") or (bits == 8 and form != "pack-quantized") else (each_matrix(16),)
    return Scheme(integers(bits), (strategic(weights, 2 + zero), *shape))


def strategic(weights: dict, size: Fraction | int) -> Block:
    """One scale a matrix, a row, or a group of a row."""
    strategy = word(weights.get("strategy")) or ("group" if weights.get("group_size") else "tensor")
    if strategy == "tensor":
        return each_matrix(size)
    if strategy == "channel":
        return each_row(size)
    if strategy == "group":
        return group(size, whole_number(weights, "group_size"))
    raise Unread(f"strategy {strategy!r}")
