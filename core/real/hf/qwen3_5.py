"""Qwen3.5 (model_type "qwen3_5"): Qwen3-Next's two mixers with dense feed-forward layers, inside a model that also sees.

Positions of text are alike in the three directions that its rope knows, so that it is rope as usual here.
"""

from core.model.spec import ModelSpec
from core.real.hf import qwen3_next
from core.real.hf.fields import Fields
from core.real.hf.hybrid import only
from core.real.hf.qwen3_next import shifted, stack
from core.real.hf.weights import Entry, renamed

DEFAULTS = {**qwen3_next.DEFAULTS, "vocab_size": 248320, "intermediate_size": 12288, "num_key_value_heads": 4}
STATE_DTYPE = "mamba_ssm_dtype"


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
    only(f, attn_output_gate=True)


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Their names are ours behind `model.`, but for the shared expert; norms are 1 + w but for that on the memory."""
    return renamed(names, {r"\.mlp\.shared_experts\.": ".mlp.shared_expert."}, shifted)
