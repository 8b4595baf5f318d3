"""Mamba-2 (model_type "mamba2"): layers that are a Mamba-2 mixer and nothing else."""

from core.model.blocks import Norm
from core.model.mixers.mamba import Mamba2
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import equal, grouped, unlimited
from core.real.hf.weights import naming

DEFAULTS = {
    "num_heads": 128, "head_dim": 64, "vocab_size": 32768, "state_size": 128, "layer_norm_epsilon": 1e-5, "expand": 2,
    "conv_kernel": 4, "n_groups": 8, "use_bias": False, "use_conv_bias": True, "hidden_act": "silu", "tie_word_embeddings": False,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    unlimited(f)
    f.off("norm_before_gate")
    f.seen.update(("rms_norm", "time_step_rank"))  # there is always a norm; the step size has no bottleneck
    f.choice("hidden_act", {"silu": "silu", "swish": "silu"})
    hidden, norm = f.whole("hidden_size"), Norm("rms", f.number("layer_norm_epsilon", high=1.0))
    heads, width = f.whole("num_heads"), f.whole("head_dim")
    equal("num_heads x head_dim", heads * width, "expand x hidden_size", f.whole("expand") * hidden)
    bias = f.flag("use_bias")
    mixer = Mamba2(
        heads, width, f.whole("state_size"), grouped(f, "n_groups", "num_heads", heads), f.whole("conv_kernel", low=2, high=64),
        f.flag("use_conv_bias"), bias, bias, norm_eps=norm.eps,
    )  # fmt: skip
    layers = (Layer(mixer, None),) * parts.depth(f)
    return ModelSpec("", hidden, parts.vocabulary(f), layers, norm, f.flag("tie_word_embeddings"))


BACKBONE = {
    r"^model\.embed_tokens\.": "backbone.embeddings.", r"^model\.norm\.": "backbone.norm_f.", r"^model\.": "backbone.",
    r"\.input_layernorm\.": ".norm.", r"\.mamba\.": ".mixer.",
}  # fmt: skip


FAMILY = Family(("mamba2",), read, DEFAULTS, naming(BACKBONE))
