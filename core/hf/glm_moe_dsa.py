"""GLM-5 (model_type "glm_moe_dsa"): DeepSeek-V3.2 with other sizes."""

from core.hf import deepseek_v32
from core.hf.deepseek_v32 import read  # noqa: F401

DEFAULTS = {
    **deepseek_v32.DEFAULTS, "vocab_size": 154880, "intermediate_size": 12288, "rms_norm_eps": 1e-5, "q_lora_rank": 2048,
    "qk_nope_head_dim": 192, "v_head_dim": 256, "n_group": 1, "topk_group": 1, "index_n_heads": 32,
}  # fmt: skip
