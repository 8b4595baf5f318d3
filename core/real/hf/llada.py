"""LLaDA (model_type "llada"): a Llama with as many KV heads as query heads that reads in both directions and fills in masked
words; fields in the words of OLMo's first code."""

from core.errors import DEEPEST, divides
from core.model.blocks import Everything, Norm
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import only

DEFAULTS = {
    "vocab_size": 126464, "n_kv_heads": None, "mlp_hidden_size": 12288, "mlp_ratio": 4, "activation_type": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "weight_tying": False, "include_bias": False, "include_qkv_bias": False,
}  # fmt: skip

FIXED = {
    "block_type": "llama", "layer_norm_type": "rms", "rope": True, "alibi": False, "attention_layer_norm": False,
    "multi_query_attention": None, "block_group_size": 1, "input_emb_norm": False, "scale_logits": False,
    "layer_norm_with_affine": True, "attention_layer_norm_with_affine": True, "bias_for_layer_norm": False, "clip_qkv": None,
}  # fmt: skip
HOW = """mask_token_id embedding_size flash_attention embedding_dropout residual_dropout init_device init_fn init_std
init_cutoff_factor precision rope_full_precision mlp_ratio""".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    only(f, **FIXED)
    f.seen.update(HOW)
    hidden, heads = f.whole("d_model"), f.whole("n_heads")
    divides("n_heads", heads, "d_model", hidden)
    kv = f.optional("n_kv_heads") or heads
    divides("n_kv_heads", kv, "n_heads", heads)
    norm, bias = Norm("rms", f.number("rms_norm_eps", high=1.0)), f.flag("include_bias")
    width, qkv = hidden // heads, f.flag("include_qkv_bias") or bias
    rope = Rope(width, f.number("rope_theta", low=2))
    mixer = Attention(heads, kv, width, width, rope, Everything(), norm_eps=norm.eps, qkv_bias=qkv, out_bias=bias)
    ffn = Dense(f.whole("mlp_hidden_size", high=1 << 24), f.choice("activation_type", parts.ACTIVATIONS), True, bias)
    layers = (Layer(mixer, ffn),) * f.whole("n_layers", high=DEEPEST)
    return ModelSpec("", hidden, parts.vocabulary(f), layers, norm, f.flag("weight_tying"), decoding="diffusion")


FAMILY = Family(("llada",), read, DEFAULTS, context="max_sequence_length")
