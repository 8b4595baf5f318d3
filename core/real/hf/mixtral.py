"""Mixtral (model_type "mixtral"): Mistral with eight experts a layer, of which the two best share the weight."""

from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder
from core.real.hf.weights import stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, parts.windows(f), {}, ffns=[experts(f)] * parts.depth(f))


def experts(f: Fields, **settings) -> MoE:
    """Experts of the width that a dense layer would have; `settings` are the router's, a softmax where they say nothing."""
    count = f.whole("num_local_experts", low=2)
    picked, hidden = f.whole("num_experts_per_tok", high=count), f.whole("intermediate_size", high=1 << 24)
    return MoE(count, picked, hidden, activation=f.choice("hidden_act", parts.ACTIVATIONS), **settings)


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return {name.replace(".block_sparse_moe.", ".mlp."): tensor for name, tensor in stacked(tensors, "w1", "w3", "w2").items()}


FAMILY = LLAMA.but("mixtral", read=read, disk=disk, defaults={
    "intermediate_size": 14336, "num_key_value_heads": 8, "rms_norm_eps": 1e-5, "rope_theta": 1000000.0, "sliding_window": None,
    "num_experts_per_tok": 2, "num_local_experts": 8,
})  # fmt: skip
