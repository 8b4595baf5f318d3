"""Qwen3 dense models (model_type "qwen3"): RMSNorm on each query and key head, a head width of its own, no biases."""

from core.model.spec import ModelSpec
from core.real.hf.fields import Fields
from core.real.hf.llama import biases, decoder
from core.real.hf.qwen2 import FAMILY as QWEN2
from core.real.hf.qwen2 import windows


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, windows(f), {"qk_norm": "head", **biases(f)})


FAMILY = QWEN2.but("qwen3", read=read, defaults={"head_dim": 128})
