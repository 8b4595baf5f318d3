"""Hunyuan-A13B (model_type "hunyuan_v1_moe"): queries and keys are normed after they are turned; softmax experts beside a shared
one. Sizes may be lists, with a number for each layer."""

from core.errors import WIDEST, whole
from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder
from core.real.hf.weights import naming, stacked

NAMES = {
    r"\.q_norm\.": ".query_layernorm.", r"\.k_norm\.": ".key_layernorm.", r"\.mlp\.gate\.weight": ".mlp.gate.wg.weight",
    r"\.mlp\.shared_experts\.": ".mlp.shared_mlp.",
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("use_cla", "moe_layer_num_skipped")  # layers that read another's keys and values, layers without experts
    if f.has("attention_head_dim") and not f.has("head_dim"):  # the older word
        f.take("head_dim", f.whole("attention_head_dim"))
    return decoder(f, parts.reaches(f), settings(f), ffns=ffns(f, parts.depth(f)))


def settings(f: Fields) -> dict:
    """The mixer's settings."""
    return {"qk_norm": "turned" if f.flag("use_qk_norm") else "none", **biases(f)}


def ffns(f: Fields, layers: int) -> list[MoE]:
    """Experts of every layer; the shared one is as wide as `num_shared_expert` dense layers would be."""
    dense, activation = f.whole("intermediate_size", high=1 << 24), f.choice("hidden_act", parts.ACTIVATIONS)
    counts, picked = each(f, "num_experts", layers, low=2), each(f, "moe_topk", layers)
    widths = each(f, "moe_intermediate_size", layers, high=1 << 24) if f.has("moe_intermediate_size") else [dense] * layers
    shared = each(f, "num_shared_expert", layers, low=0, high=1 << 10)
    mixed = f.flag("use_mixed_mlp_moe")
    sizes = zip(counts, picked, widths, shared)
    return [MoE(e, whole("moe_topk", k, high=e), width, dense * n * mixed, activation=activation) for e, k, width, n in sizes]


def each(f: Fields, name: str, layers: int, low: int = 1, high: int = WIDEST) -> list[int]:
    """A number for each layer, from a list or from one that holds for all."""
    if not isinstance(f.raw(name), list):
        return [f.whole(name, low, high)] * layers
    return [whole(name, value, low, high) for value in f.items(name, layers) or ()]


FAMILY = LLAMA.but("hunyuan_v1_moe", read=read, table=naming(NAMES), disk=stacked, defaults={
    "vocab_size": 290943, "rms_norm_eps": 1e-5, "num_experts": 1, "moe_topk": 1, "num_shared_expert": 1,
    "use_mixed_mlp_moe": True, "use_qk_norm": True,
})  # fmt: skip
