"""GLM-4.5 and 4.6 (model_type "glm4_moe"): grouped-query attention of which half of each head is turned, with biases on q, k and
v, in the large ones a norm on each head; DeepSeek-V3's router and shared expert."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.deepseek_v2 import after_dense, disk
from core.real.hf.deepseek_v3 import experts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec. The output projection has no bias."""
    settings = {"qk_norm": "head" if f.flag("use_qk_norm") else "none", "qkv_bias": f.flag("attention_bias")}
    return decoder(f, parts.reaches(f), settings, ffns=after_dense(f, experts(f)))


FAMILY = LLAMA.but("glm4_moe", read=read, disk=disk, defaults={
    "vocab_size": 151552, "intermediate_size": 10944, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
    "partial_rotary_factor": 0.5, "use_qk_norm": False, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "n_routed_experts": 128, "n_shared_experts": 1, "moe_intermediate_size": 1408, "routed_scaling_factor": 1.0,
    "num_experts_per_tok": 8, "norm_topk_prob": True,
})  # fmt: skip
