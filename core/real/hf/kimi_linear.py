"""Kimi Linear (model_type "kimi_linear"): three layers of Kimi Delta Attention, then one of latent attention without rotation;
DeepSeek-V3's router and shared expert after the first layer. Layers are numbered from 1 in its own form of config."""

import re

import torch

from core.errors import DEEPEST, LONGEST, SpecError, short
from core.model.blocks import Norm
from core.model.ffn.moe import MoE
from core.model.mixers.delta import KimiDelta
from core.model.mixers.latent import Latent
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.real.hf import mixtral, parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import KINDS, LINEAR, mixed, word
from core.real.hf.llama import dense
from core.real.hf.parts import FULL
from core.real.hf.weights import Reshape, naming

DEFAULTS = {
    "vocab_size": 163840, "intermediate_size": 9216, "moe_intermediate_size": 1024, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False, "attention_bias": False, "kv_lora_rank": 512, "q_lora_rank": None, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "num_local_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "routed_scaling_factor": 2.446,
    "norm_topk_prob": True, "linear_head_dim": 128, "linear_num_heads": 32, "linear_conv_kernel_dim": 4,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    norm, layers = Norm("rms", f.number("rms_norm_eps", high=1.0)), parts.depth(f)
    inner = Fields(f.inside("linear_attn_config"), {}, "linear_attn_config.")
    if f.has("model_max_length") and not f.has("max_position_embeddings"):  # the older word
        f.take("max_position_embeddings", f.whole("model_max_length", high=LONGEST))
    usual = [FULL if i and i % 4 == 0 else LINEAR for i in range(layers)]
    kinds = parts.kinds(f, layers, numbered(inner, layers) or usual, KINDS)
    mixers = {FULL: latent(f), LINEAR: delta(f, inner, norm.eps)}
    f.adopt(inner)
    made = tuple(Layer(mixers[kind], ffn) for kind, ffn in zip(kinds, ffns(f, layers), strict=True))
    return ModelSpec("", f.whole("hidden_size"), parts.vocabulary(f), made, norm, f.flag("tie_word_embeddings"))


def numbered(inner: Fields, layers: int) -> list[str]:
    """Kinds from two lists of layer numbers that name each layer once; [] where the config has none."""
    names = {"full_attn_layers": FULL, "kda_layers": LINEAR}
    if not all([inner.has(name) for name in names]):
        return []
    found: dict[int, str] = {}
    for name, kind in names.items():
        value = inner.config[name]
        if not isinstance(value, list) or not all(type(i) is int for i in value):
            raise SpecError(f"{inner.where}{name} must be a list of layer numbers, not {short(value)}")
        found |= dict.fromkeys(value, kind)
    if sorted(found) != list(range(1, layers + 1)) or len(found) != sum(len(inner.config[name]) for name in names):
        raise SpecError(f"{inner.where}full_attn_layers and kda_layers must name each layer from 1 to {layers:,} once")
    return [found[i + 1] for i in range(layers)]


def delta(f: Fields, inner: Fields, eps: float) -> KimiDelta:
    """The mixer of most layers; its sizes stand in an object of their own, or beside the others."""

    def size(name, outer, **bounds):
        f.has(outer)
        return inner.whole(name, **bounds) if inner.has(name) else f.whole(outer, **bounds)

    kernel = size("short_conv_kernel_size", "linear_conv_kernel_dim", low=2, high=64)
    return KimiDelta(size("num_heads", "linear_num_heads"), size("head_dim", "linear_head_dim"), kernel, eps)


def latent(f: Fields) -> Latent:
    """The mixer of every fourth layer: nothing is rotated, so that the base of rope is of no use."""
    f.seen.update(("num_key_value_heads", "head_dim", "qk_head_dim", "rope_theta", "rope_scaling", "rope_parameters"))
    if f.config.get("mla_use_nope", True) is not True:
        raise SpecError(f"mla_use_nope must be true, not {short(f.config['mla_use_nope'])}")
    f.has("mla_use_nope")
    return Latent(
        heads=f.whole("num_attention_heads"),
        kv_rank=f.whole("kv_lora_rank"),
        nope_dim=f.whole("qk_nope_head_dim"),
        rope_dim=f.whole("qk_rope_head_dim"),
        v_dim=f.whole("v_head_dim"),
        q_rank=f.optional("q_lora_rank") or 0,
        rope=Rope(),
        bias=f.flag("attention_bias"),
    )


def ffns(f: Fields, layers: int) -> list:
    """The first layers are dense, the others have experts. Half of the fields have two names."""
    first, own, moe = f.whole("first_k_dense_replace", low=0, high=DEEPEST), dense(f), experts(f)
    every = f.whole("moe_layer_freq", high=DEEPEST) if f.has("moe_layer_freq") else 1
    return mixed(f, [moe if i >= first and i % every == 0 else own for i in range(layers)], own, moe)


def experts(f: Fields) -> MoE:
    """A sigmoid router with a bias that only picks; a group is as good as its best two experts together."""
    if f.has("moe_router_activation_func"):
        f.choice("moe_router_activation_func", {"sigmoid": "sigmoid"})
    count = f.whole(word(f, "num_local_experts", "num_experts", "n_routed_experts"), low=2)
    groups = f.whole(word(f, "n_group", "num_expert_group"), high=count)
    hidden = f.whole("moe_intermediate_size", high=1 << 24)
    return MoE(
        count,
        f.whole(word(f, "num_experts_per_tok", "num_experts_per_token"), high=count),
        hidden,
        shared=hidden * f.whole(word(f, "n_shared_experts", "num_shared_experts"), low=0, high=1 << 10),
        scores="sigmoid",
        normalise=f.flag(word(f, "norm_topk_prob", "moe_renormalize")),
        scale=f.number("routed_scaling_factor", high=1e6),
        bias=True,
        groups=groups,
        top_groups=f.whole("topk_group", high=groups),
        group_best=min(2, count // groups) if groups > 1 else 1,
        activation=f.choice("hidden_act", parts.ACTIVATIONS),
    )


# What makes the decay stands in a module of its own
GATE = {r"\.self_attn\.(dt_bias|A_log|f_[ab]_proj\.)": r".self_attn.forget_gate.\1"}


def flat(spec: ModelSpec, name: str) -> tuple:
    """The rates of the decay have more dimensions."""
    heads = next((mixer.heads for mixer in spec.parts(KimiDelta)), 0)
    return (Reshape((1, 1, heads, 1), (heads,)),) if name.endswith(".A_log") else ()


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them: one convolution for queries, keys and values."""
    found = {}
    for name, tensor in mixtral.disk(tensors).items():
        for pattern, said in GATE.items():
            name = re.sub(pattern, said, name)
        found[name] = tensor
    for stem in [name.removesuffix("q_conv1d.weight") for name in found if name.endswith(".q_conv1d.weight")]:
        apart = [f"{stem}{part}_conv1d.weight" for part in "qkv"]
        if set(apart) <= set(found):
            found[f"{stem}conv1d.weight"] = torch.cat([found.pop(part) for part in apart])
    return found


FAMILY = Family(("kimi_linear",), read, DEFAULTS, naming(GATE, flat), disk)
