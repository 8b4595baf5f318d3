"""Hunyuan-Large (model_type "hunyuan"): Hunyuan's attention and experts; in each group of layers all but the first read the keys
and values of that first one.

The transformers library has no such class; missing fields take those of its smaller successor.
"""

from dataclasses import replace

from core.errors import DEEPEST
from core.model.blocks import Full
from core.model.mixers.borrowed import Borrowed
from core.model.spec import ModelSpec
from core.real.hf import hunyuan_v1_moe, parts
from core.real.hf.fields import Fields
from core.real.hf.hunyuan_v1_moe import ffns
from core.real.hf.llama import decoder

DEFAULTS = {**hunyuan_v1_moe.DEFAULTS, "use_cla": False, "cla_share_factor": 2}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers, bias = parts.depth(f), f.flag("attention_bias")
    f.off("moe_layer_num_skipped")
    f.seen.update(("cla_share_factor", "attention_head_dim"))
    share = f.whole("cla_share_factor", high=DEEPEST) if f.flag("use_cla") else 1
    settings = {"qk_norm": "turned" if f.flag("use_qk_norm") else "none", "qkv_bias": bias, "out_bias": bias}
    spec = decoder(f, [Full()] * layers, settings, ffns=ffns(f, layers))

    def own(i, layer):
        return replace(layer, mixer=Borrowed(layer.mixer, i % share)) if i % share else layer

    return replace(spec, layers=tuple(own(i, layer) for i, layer in enumerate(spec.layers)))
