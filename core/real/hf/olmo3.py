"""OLMo 3 (model_type "olmo3"): OLMo 2 with a window on three layers of four; context extension on full layers alone."""

from core.model.spec import ModelSpec
from core.real.hf import olmo2, parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder
from core.real.hf.olmo2 import table  # noqa: F401

DEFAULTS = {**olmo2.DEFAULTS, "rope_theta": 500000.0, "sliding_window": 4096}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers, bias = parts.depth(f), f.flag("attention_bias")
    reaches = parts.reaches(f, layers, [(i + 1) % 4 != 0 for i in range(layers)])
    ropes = parts.ropes(f, parts.heads(f)[2], reaches)
    return decoder(f, reaches, {"qk_norm": "full", "qkv_bias": bias, "out_bias": bias}, norms="post", ropes=ropes)
