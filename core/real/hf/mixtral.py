"""Mixtral (model_type "mixtral"): Mistral with eight experts a layer, of which the two best share the weight."""

from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder, table  # noqa: F401
from core.real.hf.weights import stacked

DEFAULTS = {
    "vocab_size": 32000, "intermediate_size": 14336, "num_key_value_heads": 8, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    "rope_theta": 1000000.0, "tie_word_embeddings": False, "sliding_window": None, "num_experts_per_tok": 2,
    "num_local_experts": 8,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    reaches = parts.reaches(f, layers, [parts.window(f) is not None] * layers)
    return decoder(f, reaches, {}, ffns=[experts(f)] * layers)


def experts(f: Fields, **settings) -> MoE:
    """Experts of the width that a dense layer would have; `settings` are the router's, a softmax where they say nothing."""
    count = f.whole("num_local_experts", low=2)
    picked, hidden = f.whole("num_experts_per_tok", high=count), f.whole("intermediate_size", high=1 << 24)
    return MoE(count, picked, hidden, activation=f.choice("hidden_act", parts.ACTIVATIONS), **settings)


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return {name.replace(".block_sparse_moe.", ".mlp."): tensor for name, tensor in stacked(tensors, "w1", "w3", "w2").items()}
