"""Code World Model (model_type "cwm"): Llama with a window on three layers of four; the first of them is full."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, parts.reaches(f, lambda i: i % 4 != 0), {}, ffn_bias=f.flag("mlp_bias"))


FAMILY = LLAMA.but("cwm", read=read, defaults={
    "vocab_size": 128256, "intermediate_size": 21504, "num_key_value_heads": 8, "head_dim": 128, "rms_norm_eps": 1e-5,
    "rope_theta": 1000000.0, "sliding_window": 8192, "max_position_embeddings": 131072,
    "rope_parameters": {
        "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
})  # fmt: skip
