"""SmolLM3 (model_type "smollm3"): Llama without rope on every fourth layer (NoPE)."""

from core.model.rope import Rope
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    turned = rotated(f, parts.depth(f))
    windowed = f.flag("use_sliding_window") and parts.window(f) is not None
    f.has("sliding_window")
    reaches = parts.reaches(f, lambda i: windowed and not turned[i])
    rope = parts.rope(f, parts.heads(f)[2])
    ropes = [rope if t else Rope() for t in turned]
    return decoder(f, reaches, biases(f), ffn_bias=f.flag("mlp_bias"), ropes=ropes)


def rotated(f: Fields, layers: int) -> list[bool]:
    """Which layers rotate: `no_rope_layers` holds 1 for those that do; else all but every n-th."""
    f.has("no_rope_layer_interval")
    if f.config.get("no_rope_layers") != [] and (stated := parts.bits(f, "no_rope_layers", layers)):
        return stated
    f.has("no_rope_layers")
    every = f.whole("no_rope_layer_interval")
    return [(i + 1) % every != 0 for i in range(layers)]


FAMILY = LLAMA.but("smollm3", read=read, defaults={
    "vocab_size": 128256, "num_key_value_heads": 4, "rope_theta": 2000000.0, "tie_word_embeddings": True,
    "use_sliding_window": False, "sliding_window": None, "no_rope_layer_interval": 4,
})  # fmt: skip
