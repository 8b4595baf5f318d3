"""Every method that is known, from what its config states to how a matrix is stored.

Each reader takes the object that `quantization_config` holds and gives a Quantisation; Unread where something in it that bears on
bytes is not understood, with a word on what. Where a layout is written down: the checkpoints' own loaders (transformers, vLLM,
compressed-tensors, AutoGPTQ, AutoAWQ, bitsandbytes, MLX, HQQ, AQLM) and OCP Microscaling Formats 1.0. The examples in the readers
are one matrix each, as `example` counts it.
"""

from collections.abc import Callable
from fractions import Fraction

from core.real.quantisation.compressed import compressed
from core.real.quantisation.floats import fbgemm, fp8, mxfp4, nvfp4_experts
from core.real.quantisation.groups import auto_round, awq, bitsandbytes, gptq, hqq, mlx
from core.real.quantisation.modelopt import modelopt
from core.real.quantisation.names import Unread
from core.real.quantisation.others import aqlm, bitnet, exl, quark, torchao
from core.real.quantisation.pieces import word
from core.real.quantisation.scheme import Quantisation

READERS: dict[str, Callable[[dict], Quantisation]] = {
    "fp8": fp8, "fbgemm-fp8": fbgemm, "nvfp4-experts": nvfp4_experts, "mxfp4": mxfp4, "compressed-tensors": compressed,
    "modelopt": modelopt, "modelopt-fp4": modelopt, "modelopt-mixed": modelopt, "gptq": gptq, "awq": awq,
    "auto-round": auto_round, "intel/auto-round": auto_round, "mlx": mlx, "hqq": hqq, "bitsandbytes": bitsandbytes,
    "quark": quark, "torchao": torchao, "exl2": exl, "exl3": exl, "aqlm": aqlm, "bitnet": bitnet,
}  # fmt: skip


def example(stated: dict, rows: int = 4096, columns: int = 4096) -> tuple[int, float]:
    """Bytes of a matrix in a layer, and bits a weight."""
    found = read(stated)
    scheme = found.others or next((s for _, s in found.own if s), None) or found.experts
    size = scheme.size(rows, columns) if scheme else Fraction(2 * rows * columns)
    return int(size), round(float(8 * size / (rows * columns)), 4)


def read(stated: dict) -> Quantisation:
    """What a config states -> Quantisation. Unread where it is not understood; its text says what."""
    method = word(stated.get("quant_method")).lower().replace("_", "-")
    if not method:
        method = unnamed(stated)
    if method == "fp8" and word(stated.get("moe_quant_algo")).upper() == "NVFP4":
        method = "nvfp4-experts"
    if method not in READERS:
        raise Unread(f"quant_method {method!r}" if method else "a block that names no quant_method")
    return READERS[method](stated)


def unnamed(stated: dict) -> str:
    """The method of a block that names none, by the fields that only one has."""
    if "quant_algo" in stated or isinstance(stated.get("quantization"), dict):
        return "modelopt"
    if "config_groups" in stated:
        return "compressed-tensors"
    if "w_bit" in stated or "q_group_size" in stated:
        return "awq"
    if stated.get("load_in_4bit") or stated.get("load_in_8bit"):
        return "bitsandbytes"
    return "mlx" if "bits" in stated and "group_size" in stated else ""
