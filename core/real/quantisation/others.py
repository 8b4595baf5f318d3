"""AMD's Quark, torchao, ExLlama's formats, AQLM, BitNet. Each example is one matrix of 4096 x 4096 numbers."""

from fractions import Fraction

from core.real.hf.source import as_object
from core.real.quantisation.names import Unread, names
from core.real.quantisation.pieces import left_out, whole_number, word
from core.real.quantisation.scheme import Block, Quantisation, Scheme, each_matrix, each_row, group

QUARK = {"int4": "int4", "uint4": "int4", "int8": "int8", "uint8": "int8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8"}


def quark(stated: dict) -> Quantisation:
    """AMD's Quark: `global_quant_config` for all that is not excluded, `layer_quant_config` for what its names mean. Scales are
    float32; those of 4-bit floats a byte for 32.

    >>> example({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor"}}})
    (16777220, 8.0)
    >>> example({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4", "qscheme": "per_group",
    ...     "group_size": 32, "scale_format": "e8m0"}}})
    (8912896, 4.25)
    """
    general = as_object(stated.get("global_quant_config"))
    if not general or stated.get("layer_type_quant_config") or stated.get("algo_config"):
        raise Unread("no global_quant_config" if not general else "layer_type_quant_config or algo_config")
    own = tuple(
        (names([name]), quark_scheme(as_object(one))) for name, one in as_object(stated.get("layer_quant_config")).items()
    )
    return Quantisation("quark", quark_scheme(general), kept=left_out(stated), own=own, head=True)


def quark_scheme(stated: dict) -> Scheme | None:
    """How Quark stores a matrix; None where its weights stay as they were."""
    weight = stated.get("weight")
    if weight is None:
        return None
    weight = as_object(weight)
    kind, scheme, entering = word(weight.get("dtype")), word(weight.get("qscheme")), as_object(stated.get("input_tensors"))
    static = (each_matrix(4),) if entering and entering.get("is_dynamic") is False else ()
    if kind == "fp4" and scheme == "per_group" and weight.get("group_size") == 32 and weight.get("scale_format") == "e8m0":
        return Scheme("mxfp4", (group(1, 32), *static))
    if kind not in QUARK or scheme not in ("per_tensor", "per_channel"):
        raise Unread(f"weights in {kind!r}, {scheme!r}")
    return Scheme(QUARK[kind], (each_matrix(4) if scheme == "per_tensor" else each_row(4), *static))


def torchao(stated: dict) -> Quantisation:
    """torchao: int4 weights with a scale and a zero point of 16 bits a group; int8 weights with a 16-bit scale a row; 8-bit
    floats with a float32 a row. Others are not understood.

    131,072 groups of 4 bytes.
    >>> example({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig", "_data":
    ...     {"group_size": 128}}}})
    (8912896, 4.25)
    >>> example({"quant_method": "torchao", "quant_type": "int8_weight_only"})
    (16785408, 8.0039)
    """
    kind, settings = torchao_type(stated)
    if stated.get("include_input_output_embeddings"):
        raise Unread("include_input_output_embeddings")
    plain = kind.lower().replace("_", "").removesuffix("config")
    if plain == "int4weightonly":
        scheme = Scheme("int4", (group(4, whole_number(settings, "group_size", usual=128)),))
    elif plain in ("int8weightonly", "int8dynamicactivationint8weight"):
        scheme = Scheme("int8", (each_row(2),))
    elif plain in ("float8weightonly", "float8dynamicactivationfloat8weight") and "PerTensor" not in str(settings):
        scheme = Scheme("fp8", (each_row(4),))
    else:
        raise Unread(f"quant_type {kind!r}")
    return Quantisation("torchao", scheme, kept=left_out(stated))


def torchao_type(stated: dict) -> tuple[str, dict]:
    """The name of a type and its settings, in both generations."""
    kind = stated.get("quant_type")
    if isinstance(kind, str):
        return kind, as_object(stated.get("quant_type_kwargs"))
    default = as_object(as_object(kind).get("default"))
    return word(default.get("_type")), as_object(default.get("_data"))


def exl(stated: dict) -> Quantisation:
    """ExLlama's formats: `bits` is what the matrices of layers take on average, everything included, `head_bits` what the output
    matrix takes; the rest is in 16 bits. The average is rounded where it is stated.

    >>> example({"quant_method": "exl2", "bits": 4.65, "head_bits": 6})
    (9751756, 4.65)
    >>> example({"quant_method": "exl3", "bits": 3.0, "head_bits": 6})
    (6291456, 3.0)
    """
    head = names(["lm_head"]), Scheme(average(stated.get("head_bits", 6)))
    return Quantisation(word(stated.get("quant_method")), Scheme(average(stated.get("bits"))), own=(head,))


def average(value: object) -> str:
    """So many bits a weight."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.25 <= value <= 16:
        raise Unread(f"bits {value!r}")
    return f"{round(value, 4):g} bits"


def aqlm(stated: dict) -> Quantisation:
    """AQLM: `in_group_size` x `out_group_size` numbers are the sum of entries of `num_codebooks` code books of 16-bit numbers; an
    index has 8 or 16 bits; a 16-bit scale for each `out_group_size` rows.

    1 x 16 bits for 8 numbers: 4,194,304 bytes of indices, a book of 65,536 x 8 numbers, 4096 scales.
    >>> example({"quant_method": "aqlm", "in_group_size": 8, "out_group_size": 1, "num_codebooks": 1, "nbits_per_codebook": 16})
    (5251072, 2.5039)
    """
    across, down = (whole_number(stated, field, usual=n) for field, n in (("in_group_size", 8), ("out_group_size", 1)))
    books = whole_number(stated, "num_codebooks", usual=1, high=64)
    width = whole_number(stated, "nbits_per_codebook", usual=16, high=16)
    bits = average(books * (8 if width <= 8 else 16) / (across * down))
    scheme = Scheme(bits, (each_matrix(books * 2**width * across * down * 2), Block(Fraction(2), down, 0)))
    return Quantisation("aqlm", scheme, kept=left_out(stated, "linear_weights_not_to_quantize"))


def bitnet(stated: dict) -> Quantisation:
    """BitNet: four numbers of -1, 0 or 1 share a byte, and a 16-bit scale a matrix; with `quantization_mode` online the files
    hold the numbers that they are made from, in 16 bits.

    >>> example({"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"})
    (4194306, 2.0)
    """
    scheme = None if stated.get("quantization_mode") == "online" else Scheme("2 bits", (each_matrix(2),))
    return Quantisation("bitnet", scheme, kept=left_out(stated))
