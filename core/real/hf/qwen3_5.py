"""Qwen3.5 (model_type "qwen3_5"): Qwen3-Next's two mixers with dense feed-forward layers, inside a model that also sees.

Positions of text are alike in the three directions that its rope knows, so that it is rope as usual here.
"""

from core.model.spec import ModelSpec
from core.real.hf.fields import Fields
from core.real.hf.hybrid import only
from core.real.hf.qwen3_next import FAMILY as QWEN3_NEXT
from core.real.hf.qwen3_next import SHARED, shifted, stack
from core.real.hf.weights import naming


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    text(f)
    return stack(f, None)


def text(f: Fields) -> None:
    """What matters for pictures only, and what must be as it is."""
    rope = f.inside("rope_parameters")
    if rope:
        told = {name: value for name, value in rope.items() if name not in ("mrope_section", "mrope_interleaved")}
        f.take("rope_parameters", told)
    f.off("mlp_only_layers")
    only(f, attn_output_gate=True, output_gate_type="swish")


FAMILY = QWEN3_NEXT.but(
    "qwen3_5_text", wrapper="qwen3_5", read=read, table=naming(SHARED, shifted), disk=dict, state_field="mamba_ssm_dtype",
    defaults={"vocab_size": 248320, "intermediate_size": 12288, "num_key_value_heads": 4},
)  # fmt: skip
