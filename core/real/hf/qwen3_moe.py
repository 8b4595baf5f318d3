"""Qwen3's mixtures of experts (model_type "qwen3_moe"): Qwen3's attention; experts in every `decoder_sparse_step`-th layer that
`mlp_only_layers` does not name."""

from core.errors import DEEPEST, SpecError, short
from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.hybrid import only
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder, dense
from core.real.hf.weights import stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.seen.update(("max_window_layers", "sliding_window"))  # a window is on every layer or on none
    only(f, use_qk_norm=True, qkv_bias=False, shared_expert_intermediate_size=0)
    windowed = f.flag("use_sliding_window") and parts.window(f) is not None
    reaches = parts.reaches(f, lambda i: windowed)
    return decoder(f, reaches, {"qk_norm": "head", **biases(f)}, ffns=ffns(f, parts.depth(f)))


def ffns(f: Fields, layers: int) -> list:
    """The layers' feed-forward parts: experts or one dense layer."""
    plain = f.raw("mlp_only_layers") or []
    if not isinstance(plain, list) or not all(type(i) is int for i in plain):
        raise SpecError(f"mlp_only_layers must be a list of layer numbers, not {short(plain)}")
    every, own, kept = f.whole("decoder_sparse_step", high=DEEPEST), dense(f), set(plain)
    moe = experts(f) if f.whole(counted(f), low=0) else own
    return [moe if i not in kept and (i + 1) % every == 0 else own for i in range(layers)]


def counted(f: Fields) -> str:
    """The field with the number of experts, which newer files call otherwise."""
    return "num_experts" if f.has("num_experts") or not f.has("num_local_experts") else "num_local_experts"


def experts(f: Fields) -> MoE:
    """A softmax router; whether the picked affinities are divided by their sum is a field."""
    count = f.whole(counted(f), low=2)
    picked, hidden = f.whole("num_experts_per_tok", high=count), f.whole("moe_intermediate_size", high=1 << 24)
    activation = f.choice("hidden_act", parts.ACTIVATIONS)
    return MoE(count, picked, hidden, normalise=f.flag("norm_topk_prob"), activation=activation)


FAMILY = LLAMA.but("qwen3_moe", read=read, disk=stacked, defaults={
    "vocab_size": 151936, "intermediate_size": 6144, "num_key_value_heads": 4, "use_sliding_window": False,
    "sliding_window": 4096, "decoder_sparse_step": 1, "moe_intermediate_size": 768, "num_experts_per_tok": 8, "num_experts": 128,
    "norm_topk_prob": False, "mlp_only_layers": [],
})  # fmt: skip
