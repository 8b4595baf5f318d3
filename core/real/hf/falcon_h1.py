"""Falcon-H1 (model_type "falcon_h1"): attention and Mamba-2 side by side in every layer, and factors nearly everywhere."""

from dataclasses import replace

from core.errors import SpecError, divides, number, short
from core.model.blocks import Full
from core.model.mixers.attention import Attention
from core.model.mixers.mamba import Mamba2
from core.model.mixers.parallel import Parallel
from core.model.spec import Layer, ModelSpec, Scales
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.hybrid import equal, grouped, unlimited
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder, dense
from core.real.hf.weights import as_part, naming


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    unlimited(f)
    layers = parts.depth(f)
    scale = factor(f, "key_multiplier") * parts.heads(f)[2] ** -0.5
    gate, down = several(f, "mlp_multipliers", 2)
    ffn = replace(dense(f, f.flag("mlp_bias")), gate_scale=gate)
    spec = decoder(f, [Full()] * layers, {**biases(f), "scale": scale}, ffns=[ffn] * layers)
    second = mamba(f)

    def both(layer: Layer) -> Layer:
        reads, says = (
            (factor(f, f"attention_{way}_multiplier"), factor(f, f"ssm_{way}_multiplier")) for way in ("in", "out")
        )  # fmt: skip
        return replace(layer, mixer=Parallel(as_part(Attention, layer.mixer), second, reads, says), scales=Scales(1.0, down))

    embed, logit = factor(f, "embedding_multiplier"), factor(f, "lm_head_multiplier")
    return replace(spec, layers=tuple(map(both, spec.layers)), embed_scale=embed, logit_scale=logit)


def factor(f: Fields, name: str) -> float:
    """One factor; null is one."""
    return 1.0 if f.raw(name) is None else f.number(name, high=1e6)


def several(f: Fields, name: str, count: int) -> tuple[float, ...]:
    """A list of factors, all one where it is absent or null."""
    if not f.has(name):
        return (1.0,) * count
    value = f.config[name]
    if not isinstance(value, list) or len(value) != count:
        raise SpecError(f"{name} must be a list of {count} numbers, not {short(value)}")
    return tuple(number(name, x, high=1e6) for x in value)


def mamba(f: Fields) -> Mamba2:
    """The second mixer. Its width is a field of its own; null is `mamba_expand` times the model's."""
    f.seen.add("mamba_norm_before_gate")  # an order that changes no count
    inner = f.optional("mamba_d_ssm") or f.whole("mamba_expand") * f.whole("hidden_size")
    f.has("mamba_expand")
    heads = f.whole("mamba_n_heads")
    divides("mamba_n_heads", heads, "mamba_d_ssm", inner)
    width = inner // heads if f.raw("mamba_d_head") == "auto" else f.whole("mamba_d_head")
    equal("mamba_n_heads x mamba_d_head", heads * width, "mamba_d_ssm", inner)
    return Mamba2(
        heads, width, f.whole("mamba_d_state"), grouped(f, "mamba_n_groups", "mamba_n_heads", heads),
        f.whole("mamba_d_conv", low=2, high=64), f.flag("mamba_conv_bias"), f.flag("mamba_proj_bias"),
        f.flag("projectors_bias"), f.flag("mamba_rms_norm"), f.number("rms_norm_eps", high=1.0), several(f, "ssm_multipliers", 5),
    )  # fmt: skip


# Both mixers stand in the layer itself
NAMES = {
    r"^model\.norm\.": "model.final_layernorm.", r"\.mixers\.": ".", r"\.mlp\.": ".feed_forward.",
    r"\.post_attention_layernorm\.": ".pre_ff_layernorm.",
}  # fmt: skip


FAMILY = LLAMA.but("falcon_h1", read=read, table=naming(NAMES), defaults={
    "vocab_size": 128000, "intermediate_size": 14336, "num_key_value_heads": 8, "rms_norm_eps": 1e-5, "mamba_d_ssm": 1024,
    "mamba_n_heads": 128, "mamba_d_head": "auto", "mamba_n_groups": 1, "mamba_d_state": 256, "mamba_d_conv": 4,
    "mamba_expand": 2, "mamba_conv_bias": True, "mamba_proj_bias": False, "mamba_rms_norm": False, "projectors_bias": False,
    "lm_head_multiplier": 1.0, "embedding_multiplier": 1.0, "key_multiplier": 1.0, "attention_out_multiplier": 1.0,
    "attention_in_multiplier": 1.0, "ssm_in_multiplier": 1.0, "ssm_out_multiplier": 1.0,
})  # fmt: skip
