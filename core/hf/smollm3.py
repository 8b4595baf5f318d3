"""SmolLM3 (model_type "smollm3"): Llama without rope on every fourth layer (NoPE)."""

from core.errors import SpecError, short
from core.hf import parts
from core.hf.fields import Fields
from core.hf.llama import decoder, table  # noqa: F401
from core.spec import ModelSpec

DEFAULTS = {
    "vocab_size": 128256, "intermediate_size": 11008, "num_key_value_heads": 4, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "rope_theta": 2000000.0, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
    "use_sliding_window": False, "sliding_window": None, "no_rope_layer_interval": 4,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    turned = rotated(f, layers)
    windowed = f.flag("use_sliding_window") and parts.window(f) is not None
    f.has("sliding_window")
    reaches = parts.reaches(f, layers, [windowed and not t for t in turned])
    bias = f.flag("attention_bias")
    return decoder(f, reaches, {"qkv_bias": bias, "out_bias": bias}, ffn_bias=f.flag("mlp_bias"), ropes=turned)


def rotated(f: Fields, layers: int) -> list[bool]:
    """Which layers rotate: `no_rope_layers` holds 1 for those that do; else all but every n-th."""
    stated = f.items("no_rope_layers", layers)
    if stated is not None:
        if any(x not in (0, 1) for x in stated):
            raise SpecError(f"no_rope_layers must hold 0 or 1 for each layer, not {short(stated)}")
        f.has("no_rope_layer_interval")
        return [bool(x) for x in stated]
    every = f.whole("no_rope_layer_interval")
    return [(i + 1) % every != 0 for i in range(layers)]
