"""8-bit floats, and 4-bit floats of experts alone. Each example is one matrix of 4096 x 4096 numbers."""

from core.real.quantisation.pieces import block, left_out
from core.real.quantisation.scheme import MXFP4, NVFP4, Quantisation, Scheme, each_matrix, each_row


def fp8(stated: dict) -> Quantisation:
    """8-bit floats: a float32 for each block of `weight_block_size` (one byte where `scale_fmt` is ue8m0), else one for a matrix
    and, with `activation_scheme` static, one for what goes in.

    128 x 128: 32 x 32 blocks of 4 bytes beside 16,777,216 of numbers.
    >>> example({"quant_method": "fp8", "weight_block_size": [128, 128]})
    (16781312, 8.002)
    """
    size = stated.get("weight_block_size")
    if size is None:
        static = stated.get("activation_scheme") == "static"
        return Quantisation("fp8", Scheme("fp8", (each_matrix(8 if static else 4),)), kept=left_out(stated))
    return Quantisation(
        "fp8", Scheme("fp8", (block(size, 1 if stated.get("scale_fmt") == "ue8m0" else 4),)), kept=left_out(stated)
    )


def fbgemm(stated: dict) -> Quantisation:
    """8-bit floats with a float32 for each row.

    4096 rows of 4 bytes more.
    >>> example({"quant_method": "fbgemm_fp8"})
    (16793600, 8.0078)
    """
    return Quantisation("fbgemm_fp8", Scheme("fp8", (each_row(4),)), kept=left_out(stated))


def nvfp4_experts(stated: dict) -> Quantisation:
    """DeepSeek-V4's files as ModelOpt converts them again: routed experts in NVFP4, all else as in `fp8`. What `ignore` lists is
    left out of NVFP4 alone.

    >>> example({"quant_method": "fp8", "weight_block_size": [128, 128], "moe_quant_algo": "NVFP4"})
    (16781312, 8.002)
    """
    rest = fp8({field: stated.get(field) for field in ("weight_block_size", "scale_fmt", "modules_to_not_convert")})
    return Quantisation("fp8", rest.others, NVFP4, rest.kept)


def mxfp4(stated: dict) -> Quantisation:
    """gpt-oss: routed experts alone, one byte of exponent for 32 numbers of a row.

    8,388,608 bytes of numbers and 524,288 exponents.
    >>> example({"quant_method": "mxfp4"})
    (8912896, 4.25)
    """
    return Quantisation("mxfp4", experts=MXFP4, kept=left_out(stated))
