"""Nemotron-H and Nemotron 3 (model_type "nemotron_h"): each layer is one part: Mamba-2, attention without rotation, a plain
feed-forward layer with squared relu, or such experts. A pattern of letters says which; newer configs have a list."""

import re

from core.errors import SpecError, divides, short
from core.model.blocks import Norm
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.mamba import Mamba2
from core.model.spec import Layer, ModelSpec, expand
from core.real.hf import parts
from core.real.hf.deepseek_v2 import groups
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import LINEAR, grouped, unlimited, word
from core.real.hf.parts import FULL
from core.real.hf.weights import naming

DEFAULTS = {
    "vocab_size": 131072, "tie_word_embeddings": False, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 21504,
    "mlp_hidden_act": "relu2", "mlp_bias": False, "ssm_state_size": 128, "mamba_num_heads": 128, "mamba_head_dim": 64,
    "n_groups": 8, "conv_kernel": 4, "use_conv_bias": True, "use_bias": False, "layer_norm_epsilon": 1e-5, "n_routed_experts": 8,
    "moe_intermediate_size": 7688, "moe_shared_expert_intermediate_size": 7688, "num_experts_per_tok": 2,
    "routed_scaling_factor": 1.0, "n_group": 1, "topk_group": 1, "norm_topk_prob": True,
}  # fmt: skip

LETTERS = {"M": LINEAR, "*": FULL, "-": "mlp", "E": "moe"}
WORDS = {**{kind: letter for letter, kind in LETTERS.items()}, "mamba": "M", "attention": "*"}
UNUSED = """expand mamba_hidden_act hidden_dropout n_shared_experts norm_eps rms_norm_eps rope_theta partial_rotary_factor
time_step_rank moe_shared_expert_overlap mamba_proj_bias""".split()  # of no use to the reference, which rotates nothing


def read(f: Fields) -> ModelSpec:
    """config -> spec. Only the parts that the pattern names are read."""
    f.off("sliding_window", "attention_bias", "moe_latent_size")
    f.seen.update((*UNUSED, "mtp_hybrid_override_pattern", "mtp_layers_block_type"))
    unlimited(f)
    letters, norm = pattern(f), Norm("rms", f.number("layer_norm_epsilon", high=1.0))
    made = {"M": mamba, "*": attention, "-": plain, "E": experts}
    f.seen.update(f.defaults)  # sizes of parts that the pattern does not name
    layers = expand(letters, {letter: made[letter](f, norm.eps) for letter in dict.fromkeys(letters)}, len(letters))
    return ModelSpec("", f.whole("hidden_size"), parts.vocabulary(f), layers, norm, f.flag("tie_word_embeddings"))


def pattern(f: Fields) -> str:
    """The letters of all layers, from the pattern or from the list that newer configs have."""
    stated = parts.depth(f) if f.has("num_hidden_layers") else None
    if f.has("hybrid_override_pattern"):
        name, value = "hybrid_override_pattern", f.config["hybrid_override_pattern"]
        letters = value if isinstance(value, str) and value and not set(value) - set(LETTERS) else ""
    else:
        name = word(f, "layers_block_type", "layer_types")
        value = f.raw(name)
        named = isinstance(value, list) and value and all(isinstance(x, str) and x in WORDS for x in value)
        letters = "".join(WORDS[x] for x in value) if named else ""
    if not letters:
        accepted = f"the letters {' '.join(LETTERS)}" if name.startswith("hybrid") else f"a list of {', '.join(WORDS)}"
        raise SpecError(f"{name} must be {accepted}, not {short(value)}")
    if stated not in (None, len(letters)):
        raise SpecError(f"{name} must name each of num_hidden_layers ({stated:,}) layers, not {len(letters):,}")
    return letters


def mamba(f: Fields, eps: float) -> Layer:
    """A layer that is Mamba-2."""
    bias = f.flag("use_bias")
    heads = f.whole("mamba_num_heads")
    mixer = Mamba2(
        heads, f.whole("mamba_head_dim"), f.whole("ssm_state_size"), grouped(f, "n_groups", "mamba_num_heads", heads),
        f.whole("conv_kernel", low=2, high=64), f.flag("use_conv_bias"), bias, bias, norm_eps=eps,
    )  # fmt: skip
    return Layer(mixer, None)


def attention(f: Fields, eps: float) -> Layer:
    """A layer that is attention, without rotation."""
    heads = f.whole("num_attention_heads")
    kv = f.optional("num_key_value_heads") or heads
    divides("num_key_value_heads", kv, "num_attention_heads", heads)
    width = f.whole(word(f, "head_dim", "attention_head_dim"))
    return Layer(Attention(heads, kv, width, width, norm_eps=eps), None)


def plain(f: Fields, eps: float) -> Layer:
    """A layer that is a feed-forward part without a gate."""
    activation = f.choice("mlp_hidden_act", parts.ACTIVATIONS)
    return Layer(None, Dense(f.whole("intermediate_size", high=1 << 24), activation, False, f.flag("mlp_bias")))


def experts(f: Fields, eps: float) -> Layer:
    """A layer that is experts without gates, beside a wider one that every token passes."""
    count = f.whole("n_routed_experts", low=2)
    moe = MoE(
        count,
        f.whole("num_experts_per_tok", high=count),
        f.whole("moe_intermediate_size", high=1 << 24),
        shared=f.whole("moe_shared_expert_intermediate_size", high=1 << 24),
        scores="sigmoid",
        normalise=f.flag("norm_topk_prob"),
        scale=f.number("routed_scaling_factor", high=1e6),
        bias=True,
        activation=f.choice("mlp_hidden_act", parts.ACTIVATIONS),
        gated=False,
        **groups(f, best=2),
    )
    return Layer(None, moe)


# Every layer is one part, which is called the mixer whatever it is
NAMES = {
    r"^model\.embed_tokens\.": "model.embeddings.", r"^model\.norm\.": "model.norm_f.",
    r"\.(input|post_attention)_layernorm\.": ".norm.", r"\.(mamba|self_attn|mlp)\.": ".mixer.",
}  # fmt: skip


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return {re.sub(r"^backbone\.", "model.", name): tensor for name, tensor in tensors.items()}


FAMILY = Family(("nemotron_h",), read, DEFAULTS, naming(NAMES), disk, state_field="mamba_ssm_cache_dtype")
