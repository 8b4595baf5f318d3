"""Hunyuan-Large (model_type "hunyuan"): Hunyuan's attention and experts; in each group of layers all but the first read the keys
and values of that first one.

The transformers library has no such class; missing fields take those of its smaller successor.
"""

from dataclasses import replace

from core.errors import DEEPEST
from core.model.blocks import Full
from core.model.mixers.borrowed import Borrowed
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.hunyuan_v1_moe import FAMILY as V1
from core.real.hf.hunyuan_v1_moe import ffns, settings
from core.real.hf.llama import decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    f.off("moe_layer_num_skipped")
    f.seen.update(("cla_share_factor", "attention_head_dim"))
    share = f.whole("cla_share_factor", high=DEEPEST) if f.flag("use_cla") else 1
    spec = decoder(f, [Full()] * layers, settings(f), ffns=ffns(f, layers))

    def own(i, layer):
        return replace(layer, mixer=Borrowed(layer.mixer, i % share)) if i % share else layer

    return replace(spec, layers=tuple(own(i, layer) for i, layer in enumerate(spec.layers)))


FAMILY = V1.but("hunyuan", read=read, table=None, disk=dict, defaults={"use_cla": False, "cla_share_factor": 2})
