"""Falcon-Mamba (model_type "falcon_mamba"): layers that are a Mamba mixer and nothing else, with norms without weights inside."""

from core.model.blocks import Norm
from core.model.mixers.mamba import Mamba1
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import rank
from core.real.hf.mamba2 import BACKBONE
from core.real.hf.weights import naming

DEFAULTS = {
    "vocab_size": 50280, "state_size": 16, "layer_norm_epsilon": 1e-5, "expand": 2, "conv_kernel": 4, "use_bias": False,
    "use_conv_bias": True, "hidden_act": "silu", "time_step_rank": "auto", "tie_word_embeddings": True, "mixer_rms_eps": 1e-6,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec. A stated `intermediate_size` goes before what `expand` would give."""
    hidden, norm = f.whole("hidden_size"), Norm("rms", f.number("layer_norm_epsilon", high=1.0))
    f.choice("hidden_act", {"silu": "silu", "swish": "silu"})
    f.seen.update(("time_step_scale", "expand"))
    inner = f.or_else("intermediate_size", f.whole("expand") * hidden)
    mixer = Mamba1(
        inner, f.whole("state_size"), rank(f, "time_step_rank"), f.whole("conv_kernel", low=2, high=64), f.flag("use_conv_bias"),
        f.flag("use_bias"), "bare", f.number("mixer_rms_eps", high=1.0),
    )  # fmt: skip
    layers = (Layer(mixer, None),) * parts.depth(f)
    return ModelSpec("", hidden, parts.vocabulary(f), layers, norm, f.flag("tie_word_embeddings"))


FAMILY = Family(("falcon_mamba",), read, DEFAULTS, naming(BACKBONE))
