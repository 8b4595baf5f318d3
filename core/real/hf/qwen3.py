"""Qwen3 dense models (model_type "qwen3"): RMSNorm on each query and key head, a head width of its own, no biases."""

from core.model.spec import ModelSpec
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder, table  # noqa: F401
from core.real.hf.qwen2 import DEFAULTS as QWEN2
from core.real.hf.qwen2 import windows

DEFAULTS = {**QWEN2, "head_dim": 128, "attention_bias": False}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    bias = f.flag("attention_bias")
    return decoder(f, windows(f), {"qk_norm": "head", "qkv_bias": bias, "out_bias": bias})
