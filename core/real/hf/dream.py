"""Dream (model_type "Dream"): Qwen2.5 turned into a denoiser: it reads in both directions and fills in masked words."""

from dataclasses import replace

from core.model.blocks import Everything
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder
from core.real.hf.qwen2 import FAMILY as QWEN2


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("use_sliding_window", "use_mrope")
    f.seen.update(("mask_token_id", "sliding_window", "max_window_layers"))
    spec = decoder(f, [Everything()] * parts.depth(f), {"qkv_bias": True})
    return replace(spec, decoding="diffusion")


FAMILY = QWEN2.but("Dream", read=read)
