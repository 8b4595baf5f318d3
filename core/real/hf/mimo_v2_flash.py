"""MiMo-V2-Flash (model_type "mimo_v2_flash"): a full layer, then five local ones for each further full one. Local layers have
twice the KV heads, a learned sink in each head and a base of rope of their own. Values are narrower than keys and scaled; a third
of each head is turned. Experts with DeepSeek-V3's router, none shared, in every layer but the first.

The released config's `sliding_window_size` counts earlier tokens; `sliding_window` counts the token itself too.
"""

from core.errors import LONGEST, one_of
from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.deepseek_v2 import groups
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder, dense
from core.real.hf.weights import stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    released(f)
    layers, (_, kv_heads, width) = parts.depth(f), parts.heads(f)
    local = parts.bits(f, "hybrid_layer_pattern", layers) or [i > 0 and (i + 1) % 6 != 0 for i in range(layers)]
    reaches = parts.reaches(f, local.__getitem__)
    kinds = {
        "sliding": {"kv_heads": f.whole("swa_num_key_value_heads") if f.has("swa_num_key_value_heads") else 2 * kv_heads},
        "full": {"kv_heads": kv_heads},
    }
    for kind, field, usual in (("sliding", "add_swa_attention_sink_bias", True), ("full", "add_full_attention_sink_bias", False)):
        kinds[kind]["sinks"] = f.flag(field) if f.has(field) else usual
    scale = 1.0 if f.raw("attention_value_scale") is None else f.number("attention_value_scale")
    settings = {"v_dim": f.whole("v_head_dim"), "v_scale": scale, "qkv_bias": f.flag("attention_bias")}
    ropes = parts.ropes(f, width, reaches, local="swa_rope_theta")
    return decoder(f, reaches, settings, ropes=ropes, ffns=ffns(f, layers), own=[kinds[reach.kind] for reach in reaches])


def released(f: Fields) -> None:
    """The words of the released config for fields that are read by other names."""
    if f.has("layernorm_epsilon") and not f.has("rms_norm_eps"):
        f.take("rms_norm_eps", f.number("layernorm_epsilon", high=1.0))
    if f.has("sliding_window_size"):
        f.take("sliding_window", f.whole("sliding_window_size", high=LONGEST - 1) + 1)
    f.has("attention_chunk_size")  # the window once more
    for name in ("num_attention_heads", "head_dim", "v_head_dim"):  # known where local layers have those of full ones
        if f.config.get(f"swa_{name}") == f.config.get(name):
            f.has(f"swa_{name}")


def ffns(f: Fields, layers: int) -> list:
    """The layers' feed-forward parts: by `mlp_layer_types`, or `moe_layer_freq` with 1 for experts, else all but the first."""
    sparse = parts.bits(f, "moe_layer_freq", layers) or [i > 0 for i in range(layers)]
    stated = f.items("mlp_layer_types", layers)
    if stated is not None:
        sparse = [one_of("mlp_layer_types", kind, ("dense", "sparse")) == "sparse" for kind in stated]
    own, moe = dense(f), experts(f)
    return [moe if s else own for s in sparse]


def experts(f: Fields) -> MoE:
    """DeepSeek-V3's router: a sigmoid, and a bias that only picks. A null scale is 1."""
    for name, known in (("topk_method", "noaux_tc"), ("scoring_func", "sigmoid")):
        if f.has(name):
            f.choice(name, {known: known})
    count, hidden = f.whole("n_routed_experts", low=2), f.whole("moe_intermediate_size", high=1 << 24)
    settings = {"scores": "sigmoid", "bias": True, "normalise": f.flag("norm_topk_prob"), **groups(f, best=2)}
    scale, activation = f.number_or("routed_scaling_factor", 1.0, high=1e6), f.choice("hidden_act", parts.ACTIVATIONS)
    return MoE(count, f.whole("num_experts_per_tok", high=count), hidden, scale=scale, activation=activation, **settings)


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them; what predicts further tokens is left out."""
    named = {name.replace(".attention_sink_bias", ".sinks"): tensor for name, tensor in tensors.items()}
    return stacked({name: tensor for name, tensor in named.items() if not name.startswith("model.mtp.")})


FAMILY = LLAMA.but("mimo_v2_flash", read=read, disk=disk, defaults={
    "vocab_size": 152576, "intermediate_size": 16384, "num_key_value_heads": 4, "head_dim": 192, "v_head_dim": 128,
    "rms_norm_eps": 1e-5, "rope_theta": 5000000.0, "swa_rope_theta": 10000.0, "partial_rotary_factor": 0.334,
    "sliding_window": 129, "attention_value_scale": 0.707, "n_routed_experts": 256, "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "max_position_embeddings": 131072,
})  # fmt: skip
