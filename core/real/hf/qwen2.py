"""Qwen2 and Qwen2.5 (model_type "qwen2"): Llama with biases on q, k and v; windows on the upper layers where switched on."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder, table  # noqa: F401

DEFAULTS = {
    "vocab_size": 151936, "intermediate_size": 22016, "num_key_value_heads": 32, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "use_sliding_window": False, "sliding_window": 4096,
    "max_window_layers": 28,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, windows(f), {"qkv_bias": True})


def windows(f: Fields) -> list:
    """The layers from `max_window_layers` on are sliding where `use_sliding_window` says so."""
    layers = parts.depth(f)
    f.seen.update(("max_window_layers", "sliding_window"))  # stated by most, used by few
    if not f.flag("use_sliding_window"):
        return parts.reaches(f, layers, [False] * layers)
    lowest, on = f.whole("max_window_layers", low=0), parts.window(f) is not None
    return parts.reaches(f, layers, [on and i >= lowest for i in range(layers)])
