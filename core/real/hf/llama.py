"""Llama 2, 3, 3.1, 3.2 (model_type "llama"): GQA, rope, SwiGLU, RMSNorm before each part.

Also the base that most later families differ from by a field or two: `decoder` reads what they share.
"""

from dataclasses import replace

from core.model.blocks import Norm
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.weights import naming

DEFAULTS = {
    "vocab_size": 32000, "intermediate_size": 11008, "num_key_value_heads": None, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, parts.reaches(f), biases(f), ffn_bias=f.flag("mlp_bias"))


def biases(f: Fields) -> dict:
    """The mixer's settings where `attention_bias` is about all four matrices."""
    bias = f.flag("attention_bias")
    return {"qkv_bias": bias, "out_bias": bias}


def decoder(
    f: Fields, reaches: list, attention: dict, ffn_bias: bool = False, norms: str = "pre", ropes=None, ffns=None, own=None
) -> ModelSpec:
    """A Llama-like stack. `attention` are the mixer's further settings and `own` those of each layer, `ropes` the layers' ropes
    where they are not all one, `ffns` their feed-forward parts where they are not all one dense SwiGLU."""
    f.off("attention_bias", "mlp_bias", "use_sliding_window")  # seen by some families, harmless to the others where off
    heads, kv_heads, width = parts.heads(f)
    norm = Norm("rms", f.number("rms_norm_eps", high=1.0))
    ropes = ropes or [parts.rope(f, width)] * len(reaches)
    ffns = ffns or [dense(f, ffn_bias)] * len(reaches)
    plain = Attention(heads, kv_heads, width, width, norm_eps=norm.eps)

    def layer(reach, rope, ffn, settings):
        return Layer(replace(plain, rope=rope, reach=reach, **{**attention, **settings}), ffn, norms)

    layers = tuple(map(layer, reaches, ropes, ffns, own or [{}] * len(reaches)))
    return ModelSpec("", f.whole("hidden_size"), parts.vocabulary(f), layers, norm, tied=f.flag("tie_word_embeddings"))


def dense(f: Fields, bias: bool = False, size: str = "intermediate_size") -> Dense:
    """A gated feed-forward layer of the width that `size` names."""
    return Dense(f.whole(size, high=1 << 24), f.choice("hidden_act", parts.ACTIVATIONS), True, bias)


FAMILY = Family(("llama",), read, DEFAULTS, naming())
