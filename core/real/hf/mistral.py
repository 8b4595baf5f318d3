"""Mistral 7B and its successors (model_type "mistral"): Llama with a sliding window on every layer, unless it is null."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder, table  # noqa: F401

DEFAULTS = {
    "vocab_size": 32000, "intermediate_size": 14336, "num_key_value_heads": 8, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "sliding_window": 4096,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    return decoder(f, parts.reaches(f, layers, [parts.window(f) is not None] * layers), {})
