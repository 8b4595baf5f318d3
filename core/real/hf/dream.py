"""Dream (model_type "Dream"): Qwen2.5 turned into a denoiser: it reads in both directions and fills in masked words."""

from dataclasses import replace

from core.model.blocks import Everything
from core.model.spec import ModelSpec
from core.real.hf import parts, qwen2
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder, table  # noqa: F401

DEFAULTS = qwen2.DEFAULTS


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("use_sliding_window", "use_mrope")
    f.seen.update(("mask_token_id", "sliding_window", "max_window_layers"))
    spec = decoder(f, [Everything()] * parts.depth(f), {"qkv_bias": True})
    return replace(spec, decoding="diffusion")
