"""Gemma 2 (model_type "gemma2"): every second layer is local; norms before and after each part, caps on scores and logits, GeGLU,
embeddings multiplied by the root of their width.

Its norms multiply by 1 + w. `stack` is also Gemma 3's.
"""

from dataclasses import replace

from core.model.ffn.dense import Dense
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.llama import biases, decoder
from core.real.hf.weights import AddOne, naming

DEFAULTS = {
    "vocab_size": 256000, "intermediate_size": 9216, "num_key_value_heads": 4, "head_dim": 256, "rms_norm_eps": 1e-6,
    "hidden_activation": "gelu_pytorch_tanh", "rope_theta": 10000.0, "tie_word_embeddings": True, "attention_bias": False,
    "query_pre_attn_scalar": 256, "sliding_window": 4096, "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0,
    "max_position_embeddings": 8192,
}  # fmt: skip

NORMS = {
    r"\.post_attention_layernorm\.": ".pre_feedforward_layernorm.", r"\.mixer_out_norm\.": ".post_attention_layernorm.",
    r"\.ffn_out_norm\.": ".post_feedforward_layernorm.",
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return stack(f, parts.reaches(f, lambda i: i % 2 == 0), None, softcap=cap(f, "attn_logit_softcapping"))


def stack(f: Fields, reaches: list, ropes: list | None, **settings) -> ModelSpec:
    """What both Gemmas share; `settings` are the mixer's."""
    f.off("use_bidirectional_attention")
    f.has("hidden_act")  # the name before; hidden_activation goes first
    attention = {**biases(f), "scale": f.number("query_pre_attn_scalar", low=1e-6) ** -0.5, **settings}
    ffn = Dense(f.whole("intermediate_size", high=1 << 24), f.choice("hidden_activation", parts.ACTIVATIONS))
    spec = decoder(f, reaches, attention, norms="sandwich", ropes=ropes, ffns=[ffn] * len(reaches))
    return replace(spec, embed_scale=spec.d_model**0.5, softcap=cap(f, "final_logit_softcapping"))


def cap(f: Fields, name: str) -> float:
    """A bound on scores or logits; null is none."""
    return 0.0 if f.raw(name) is None else f.number(name, low=1e-6)


def shifted(spec: ModelSpec, name: str) -> tuple:
    """Norms are stored without their 1."""
    return (AddOne(),) if "norm" in name else ()


FAMILY = Family(("gemma2",), read, DEFAULTS, naming(NORMS, shifted))
