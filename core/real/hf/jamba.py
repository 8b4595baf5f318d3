"""Jamba (model_type "jamba"): one layer of attention in eight, without rotation, the others Mamba with norms inside; every second
layer has experts whose affinities are weights as they are."""

from core.errors import DEEPEST, SpecError
from core.model.blocks import Full
from core.model.ffn.moe import MoE
from core.model.mixers.mamba import Mamba1
from core.model.rope import Rope
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.hybrid import rank, swap
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder, dense
from core.real.hf.weights import naming, stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    f.off("sliding_window")
    attends, expert = (at(f, name, layers) for name in ("attn_layer", "expert_layer"))
    own, moe = dense(f), experts(f)
    spec = decoder(f, [Full()] * layers, {}, ropes=[Rope()] * layers, ffns=[moe if on else own for on in expert])
    return swap(spec, ["full" if on else "mamba" for on in attends], {"mamba": mamba(f)})


def at(f: Fields, name: str, layers: int) -> list[bool]:
    """Which layers have something that comes every so many layers, from an offset on."""
    period = f.whole(f"{name}_period", high=DEEPEST)
    offset = f.whole(f"{name}_offset", low=0, high=DEEPEST)
    if offset >= period:
        raise SpecError(f"{name}_offset must be smaller than {name}_period ({period}), not {offset}")
    return [i % period == offset for i in range(layers)]


def experts(f: Fields):
    """Experts, or one dense layer where there is one expert."""
    count = f.whole("num_experts")
    picked = f.whole("num_experts_per_tok", high=max(count, 2))
    hidden = f.whole("intermediate_size", high=1 << 24)
    if count == 1:
        return dense(f)
    return MoE(count, picked, hidden, normalise=False, activation=f.choice("hidden_act", parts.ACTIVATIONS))


def mamba(f: Fields) -> Mamba1:
    """The mixer of the other layers."""
    inner = f.whole("mamba_expand") * f.whole("hidden_size")
    kernel, eps = f.whole("mamba_d_conv", low=2, high=64), f.number("rms_norm_eps", high=1.0)
    biases = f.flag("mamba_conv_bias"), f.flag("mamba_proj_bias")
    return Mamba1(inner, f.whole("mamba_d_state"), rank(f, "mamba_dt_rank"), kernel, *biases, "learned", eps)


NAMES = {
    r"^model\.norm\.": "model.final_layernorm.", r"\.mlp\.gate\.": ".feed_forward.router.", r"\.mlp\.": ".feed_forward.",
    r"\.post_attention_layernorm\.": ".pre_ff_layernorm.",
}  # fmt: skip


FAMILY = LLAMA.but("jamba", read=read, table=naming(NAMES), disk=stacked, defaults={
    "vocab_size": 65536, "intermediate_size": 14336, "num_key_value_heads": 8, "num_experts_per_tok": 2, "num_experts": 16,
    "expert_layer_period": 2, "expert_layer_offset": 1, "attn_layer_period": 8, "attn_layer_offset": 4, "mamba_d_state": 16,
    "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": "auto", "mamba_conv_bias": True, "mamba_proj_bias": False,
})  # fmt: skip
