"""Qwen3.5's mixtures of experts (model_type "qwen3_5_moe"): Qwen3.5 with Qwen3-Next's experts in every layer."""

from core.model.spec import ModelSpec
from core.real.hf import parts, qwen3_5, qwen3_moe
from core.real.hf.fields import Fields
from core.real.hf.qwen3_next import disk, shared, stack


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    qwen3_5.text(f)
    f.has("intermediate_size")  # no layer is dense
    return stack(f, [shared(f, qwen3_moe.experts(f))] * parts.depth(f))


FAMILY = qwen3_5.FAMILY.but(
    "qwen3_5_moe_text", wrapper="qwen3_5_moe", read=read, disk=disk,
    defaults={"num_key_value_heads": 2, "num_experts_per_tok": 8, "num_experts": 256},
)  # fmt: skip
