"""Gemma 4 (model_type "gemma4", the language model inside one that also sees; "gemma4_text"): five local layers, then a global
one with wider and fewer KV heads, whose keys and values may come from one projection; a dense layer beside experts, or alone.

Its small models, which add inputs to every layer and share keys and values among layers, are not counted.
"""

from dataclasses import replace

from core.errors import NotRead, SpecError, divides, short
from core.model.blocks import Full, Norm
from core.model.ffn.beside import Beside
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.unified import Unified
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.gemma2 import cap
from core.real.hf.llama import biases
from core.real.hf.parts import FULL, SLIDING

DEFAULTS = {
    "vocab_size": 262144, "intermediate_size": 9216, "num_key_value_heads": 4, "head_dim": 256, "global_head_dim": 512,
    "num_global_key_value_heads": None, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True, "attention_bias": False, "sliding_window": 512, "final_logit_softcapping": None,
    "hidden_size_per_layer_input": 256, "attention_k_eq_v": False, "num_kv_shared_layers": 0, "enable_moe_block": False,
    "max_position_embeddings": 131072,
}  # fmt: skip

ROPE = {
    SLIDING: {"rope_theta": 10000.0},
    FULL: {"rope_theta": 1000000.0, "partial_rotary_factor": 0.25},
}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    for name in ("hidden_size_per_layer_input", "num_kv_shared_layers"):
        if value := f.whole(name, low=0):
            raise NotRead(f"{name} must be 0: models that have it are not counted, not {value:,}")
    f.off("use_double_wide_mlp")
    f.has("vocab_size_per_layer_input")
    if f.config.get("use_bidirectional_attention") == "vision":  # among the pieces of a picture only
        f.has("use_bidirectional_attention")
    norm, layers = Norm("rms", f.number("rms_norm_eps", high=1.0)), parts.depth(f)
    usual = [FULL if (i + 1) % 6 == 0 else SLIDING for i in range(layers)]
    kinds = [*parts.kinds(f, layers, usual)[:-1], FULL]  # the last is global whatever is said
    reaches = [*parts.reaches(f, lambda i: kinds[i] == SLIDING)[:-1], Full()]
    wide = wider(f, [str(i) for i, kind in enumerate(kinds) if kind == FULL])
    made = {kind: mixer(f, kind, wide, norm.eps) for kind in dict.fromkeys(kinds)}
    part = ffn(f)
    stack = tuple(Layer(reaching(made[kind], reach), part, "sandwich") for kind, reach in zip(kinds, reaches, strict=True))
    hidden, tied = f.whole("hidden_size"), f.flag("tie_word_embeddings")
    limit = cap(f, "final_logit_softcapping")
    return ModelSpec("", hidden, parts.vocabulary(f), stack, norm, tied, embed_scale=hidden**0.5, softcap=limit)


def reaching(m: Unified, reach) -> Unified:
    """The same mixer that reads as far as its layer does."""
    return replace(m, own=replace(m.own, reach=reach))


def wider(f: Fields, layers: list[str]) -> tuple[int, int]:
    """Head width and KV heads of global layers: in newer configs an object for each of them, which must be alike."""
    usual = f.whole("num_key_value_heads")
    if not f.has("per_layer_config"):
        few = f.optional("num_global_key_value_heads")
        return f.whole("global_head_dim"), few if few and f.flag("attention_k_eq_v") else usual
    f.seen.update(("global_head_dim", "num_global_key_value_heads"))
    where = f"{f.where}per_layer_config"
    told = {number.lstrip("0") or "0": own for number, own in f.inside("per_layer_config").items()}
    if set(told) != set(layers) or any(told[i] != told[layers[0]] for i in layers):
        raise SpecError(f"{where} must hold one object for each global layer, all alike, not {short(told)}")
    inner = Fields(Fields(told, {}, f"{where}.").inside(layers[0]), {}, f"{where}.{layers[0]}.")
    found = inner.or_else("head_dim", f.whole("head_dim")), inner.or_else("num_key_value_heads", usual)
    f.strange += [inner.where + name for name in inner.unknown]
    return found


def mixer(f: Fields, kind: str, wide: tuple[int, int], eps: float) -> Unified:
    """Attention of a kind of layer; where keys are values, in global ones, one projection makes both."""
    heads = f.whole("num_attention_heads")
    width, kv = wide if kind == FULL else (f.whole("head_dim"), f.whole("num_key_value_heads"))
    one = f.flag("attention_k_eq_v") and kind == FULL
    divides(f"num_key_value_heads of {kind}", kv, "num_attention_heads", heads)
    settings = {"qk_norm": "head", "norm_eps": eps, "scale": 1.0, **biases(f)}
    return Unified(Attention(heads, kv, width, width, rope(f, kind, width), **settings), one)


def rope(f: Fields, kind: str, width: int) -> Rope:
    """A kind of layer's rope. "proportional": the pairs that are turned keep the speeds they would have if all were."""
    keyed = Fields(f.inside("rope_parameters"), {}, f"{f.where}rope_parameters.")
    r = Fields(keyed.inside(kind), ROPE[kind], f"{keyed.where}{kind}.")
    if r.has("rope_type"):
        r.choice("rope_type", {"default": "", "proportional": ""})
    share = r.number("partial_rotary_factor", high=1.0) if kind == FULL or r.has("partial_rotary_factor") else 1.0
    base = r.number("rope_theta", low=2)
    turned = int(width * share) // 2 * 2
    f.adopt(r)
    return Rope(turned, base**share if turned else base)


def ffn(f: Fields):
    """The feed-forward part of every layer."""
    activation = f.choice("hidden_activation", parts.ACTIVATIONS)
    dense = Dense(f.whole("intermediate_size", high=1 << 24), activation)
    f.seen.update(("num_experts", "top_k_experts", "moe_intermediate_size"))
    if not f.flag("enable_moe_block"):
        return dense
    count = f.whole("num_experts", low=2)
    picked, hidden = f.whole("top_k_experts", high=count), f.whole("moe_intermediate_size", high=1 << 24)
    return Beside(dense, MoE(count, picked, hidden, activation=activation))


FAMILY = Family(("gemma4_text",), read, DEFAULTS, wrapper="gemma4")
