"""OLMo 2 (model_type "olmo2"): norms after each part instead of before, RMSNorm over all query and key heads at once."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder
from core.real.hf.weights import Entry, outer

DEFAULTS = {
    "vocab_size": 50304, "intermediate_size": 11008, "num_key_value_heads": None, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "attention_bias": False,
}  # fmt: skip

NORMS = {"mixer_out_norm": "post_attention_layernorm", "ffn_out_norm": "post_feedforward_layernorm"}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    bias = f.flag("attention_bias")
    settings = {"qk_norm": "full", "qkv_bias": bias, "out_bias": bias}
    return decoder(f, parts.reaches(f, layers, [False] * layers), settings, norms="post")


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Their names are ours behind `model.`, but for the two norms of a layer."""
    return [Entry(outer(renamed(name)), (name,)) for name in names]


def renamed(name: str) -> str:
    """layers.0.mixer_out_norm.weight -> layers.0.post_attention_layernorm.weight."""
    return ".".join(NORMS.get(word, word) for word in name.split("."))
