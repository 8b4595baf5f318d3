"""Gemma 3 (model_type "gemma3_text", or "gemma3": the same inside a model that also sees): five local layers, then a global one,
with bases of rope of their own; context extension on global layers alone; Gemma 2 with norms on query and key heads instead of
caps."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.gemma2 import FAMILY as GEMMA2
from core.real.hf.gemma2 import stack


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("attn_logit_softcapping")
    f.seen.update(("sliding_window_pattern", "_sliding_window_pattern"))
    width = parts.heads(f)[2]
    every = 1 if f.has("layer_types") else f.whole("sliding_window_pattern")
    reaches = parts.reaches(f, lambda i: (i + 1) % every != 0)
    return stack(f, reaches, parts.ropes(f, width, reaches, local="rope_local_base_freq"), qk_norm="head")


FAMILY = GEMMA2.but("gemma3_text", wrapper="gemma3", read=read, defaults={
    "vocab_size": 262208, "num_attention_heads": 8, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
    "sliding_window_pattern": 6, "final_logit_softcapping": None, "attn_logit_softcapping": None,
    "max_position_embeddings": 131072,
})  # fmt: skip
