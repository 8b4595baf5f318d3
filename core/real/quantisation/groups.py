"""Whole numbers in groups that share a scale and a zero point: GPTQ, AWQ, AutoRound, MLX, HQQ, bitsandbytes. Each example is one
matrix of 4096 x 4096 numbers.
"""

from fractions import Fraction

from core.real.hf.source import as_object
from core.real.quantisation.names import Unread, names
from core.real.quantisation.pieces import bits_of, integers, left_out, size_of_group, whole_number, word
from core.real.quantisation.scheme import MXFP4, Block, Quantisation, Scheme, each_column, each_matrix, each_row, group


def gptq(stated: dict) -> Quantisation:
    """GPTQ: a 16-bit scale and a zero point for `group_size` numbers of a row, and for every column the group that it is in, four
    bytes. Modules of layers alone, and the output matrix where `lm_head` says so; `dynamic` has expressions for others.

    3 bits: 6,291,456 bytes of numbers, 131,072 groups of 2 + 3/8 bytes, 4096 columns of 4.
    >>> example({"quant_method": "gptq", "bits": 3, "group_size": 128})
    (6619136, 3.1562)
    >>> [example({"quant_method": "gptq", "bits": b, "group_size": 128})[1] for b in (2, 4, 8)]
    [2.1484, 4.1641, 8.1953]
    """
    form = word(stated.get("checkpoint_format") or stated.get("format") or "gptq")
    if form not in ("gptq", "gptq_v2"):
        raise Unread(f"checkpoint_format {form!r}")
    own = []
    for expression, change in as_object(stated.get("dynamic")).items():
        skip, bare = expression.startswith("-:"), expression.removeprefix("+:").removeprefix("-:")
        own.append((names([f"re:{bare}"]), None if skip else indexed({**stated, **as_object(change)})))
    return Quantisation(
        "gptq", indexed(stated), kept=left_out(stated), own=tuple(own), head=stated.get("lm_head") is True
    )  # fmt: skip


def indexed(stated: dict) -> Scheme:
    """GPTQ's numbers with the table of groups."""
    found = in_groups(stated)
    return Scheme(found.dtype, (*found.blocks, each_column(4)))


def in_groups(stated: dict) -> Scheme:
    """Whole numbers, a 16-bit scale and a zero point a group."""
    bits = bits_of(stated, "bits", "w_bit")
    return Scheme(integers(bits), (group(2 + Fraction(bits, 8), size_of_group(stated, "group_size", "q_group_size", usual=128)),))


def awq(stated: dict) -> Quantisation:
    """AWQ, in both spellings: `bits` and `group_size`, or `w_bit` and `q_group_size`. A scale and a zero point a group.

    131,072 groups of 2 + 1/2 bytes.
    >>> example({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"})
    (8716288, 4.1562)
    >>> example({"quant_method": "awq", "w_bit": 4, "q_group_size": 64})
    (9043968, 4.3125)
    """
    return Quantisation("awq", in_groups(stated), kept=left_out(stated))


def auto_round(stated: dict) -> Quantisation:
    """AutoRound: packed as GPTQ's or AWQ's, without the table of groups; `extra_config` has the modules that differ.

    >>> example({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True})
    (8716288, 4.1562)
    """
    if word(stated.get("data_type") or "int") != "int" or "llm_compressor" in word(stated.get("packing_format")):
        raise Unread(f"data_type {stated.get('data_type')!r}, packing_format {stated.get('packing_format')!r}")
    own = []
    for name, change in as_object(stated.get("extra_config")).items():
        changed = {**stated, **as_object(change)}
        scheme = None if whole_number(changed, "bits", high=32) >= 16 else in_groups(changed)
        own.append((names([f"re:{name}" if any(c in name for c in "*|(\\") else name]), scheme))
    return Quantisation(
        "auto-round", in_groups(stated), kept=left_out(stated), own=tuple(own), head=bool(stated.get("quant_lm_head"))
    )


MLX_MODES = {"mxfp4": MXFP4, "nvfp4": Scheme("nvfp4", (group(1, 16),)), "mxfp8": Scheme("fp8", (group(1, 32),))}


def mlx(stated: dict) -> Quantisation:
    """MLX: every matrix of layers, the table of words and the output matrix in `bits`, with a scale and a bias of 16 bits for
    `group_size` numbers; a module's own object (or false) goes first. Routers stay unless they are named.

    4 bits, groups of 64: 262,144 of 4 bytes.
    >>> example({"bits": 4, "group_size": 64})
    (9437184, 4.5)
    >>> example({"bits": 4, "group_size": 32, "mode": "mxfp4"})
    (8912896, 4.25)
    """
    own = [
        (names([name]), mlx_scheme({**stated, **as_object(change)}) if change else None)
        for name, change in stated.items()
        if isinstance(change, dict) or (change is False and "." in name)
    ]
    return Quantisation("mlx", mlx_scheme(stated), own=tuple(own), head=True, table=True)


def mlx_scheme(stated: dict) -> Scheme:
    """How MLX stores a matrix."""
    mode = word(stated.get("mode")) or "affine"
    if mode in MLX_MODES:
        return MLX_MODES[mode]
    if mode != "affine":
        raise Unread(f"mode {mode!r}")
    return Scheme(integers(bits_of(stated, "bits")), (group(4, whole_number(stated, "group_size", usual=64)),))


def hqq(stated: dict) -> Quantisation:
    """HQQ: a scale and a zero point of 16 bits a group. Ten numbers of 3 bits share a word of 32.

    4 bits, groups of 64: 262,144 of 4 bytes.
    >>> example({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}})
    (9437184, 4.5)
    >>> example({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 3, "group_size": 64}}})
    (7759462, 3.7)
    """
    settings = as_object(stated.get("quant_config"))
    one = as_object(settings.get("weight_quant_params"))
    kept = left_out(stated, "skip_modules")
    if one or not settings:
        return Quantisation("hqq", hqq_scheme(one or settings, settings), kept=kept)
    own = tuple(
        (names([name]), hqq_scheme(as_object(as_object(s).get("weight_quant_params")), as_object(s)))
        for name, s in settings.items()
    )
    return Quantisation("hqq", kept=kept, own=own)


def hqq_scheme(stated: dict, around: dict) -> Scheme:
    """How HQQ stores a matrix. Scales that are quantised in turn are not understood."""
    if any(around.get(field) for field in ("scale_quant_params", "zero_quant_params")):
        raise Unread("scales or zero points that are quantised again")
    bits = whole_number(stated, "nbits", high=8)
    if bits not in (1, 2, 3, 4, 8):
        raise Unread(f"nbits {bits}")
    return Scheme("3.2 bits" if bits == 3 else integers(bits), (group(4, size_of_group(stated, "group_size", usual=64)),))


def bitsandbytes(stated: dict) -> Quantisation:
    """bitsandbytes: 4 bits with a float32 for 64 numbers, or one byte for 64 and a float32 for 64 x 256 of them where scales are
    quantised again (`bnb_4bit_use_double_quant`), and their tables of 16 and 256 float32; 8 bits with a float32 a row and a byte.
    The output matrix is left out where no list says what is. The text in which each matrix' state is kept, about a hundred bytes,
    is not counted.

    262,144 scales of a byte, 1,024 of 4, tables of 64 and 1,024 bytes.
    >>> example({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True})
    (8655936, 4.1275)
    >>> example({"quant_method": "bitsandbytes", "load_in_4bit": True})
    (9437248, 4.5)
    >>> example({"quant_method": "bitsandbytes", "load_in_8bit": True})
    (16793601, 8.0078)
    """
    four = stated.get("load_in_4bit") or stated.get("_load_in_4bit")
    eight = stated.get("load_in_8bit") or stated.get("_load_in_8bit")
    if not four and not eight:
        raise Unread("neither load_in_4bit nor load_in_8bit")
    if not four:
        scheme = Scheme("int8", (each_row(4), each_matrix(1)))
    elif stated.get("bnb_4bit_use_double_quant"):
        twice = (Block(Fraction(1), flat=64), Block(Fraction(4), flat=64 * 256), each_matrix(64 + 1024))
        scheme = Scheme("int4", twice)
    else:
        scheme = Scheme("int4", (Block(Fraction(4), flat=64), each_matrix(64)))
    return Quantisation("bitsandbytes", scheme, kept=left_out(stated))
