"""One door for every config.json: an object in, a spec with what was assumed and what was not understood out."""

from dataclasses import dataclass, replace
from types import ModuleType

from torch import nn

from core.errors import one_of
from core.hf import gpt2, llama, mistral, olmo2, parts, phi3, qwen2, qwen3, smollm3
from core.hf.fields import ABSENT, Fields
from core.hf.weights import Entry, numbers
from core.spec import ModelSpec

FAMILIES: dict[str, ModuleType] = {
    "gpt2": gpt2,
    "llama": llama,
    "mistral": mistral,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "phi3": phi3,
    "smollm3": smollm3,
    "olmo2": olmo2,
}

DEFAULT_CONTEXT = 4096
PLAIN_DTYPES = {"float32": "float32", "float": "float32", "bfloat16": "bfloat16", "float16": "float16", "half": "float16"}
METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4"}  # quant_method where it alone says the dtype


@dataclass(frozen=True)
class Reading:
    """What a config says. `assumed` and `unknown_fields` are field names; dtypes are the config's own."""

    spec: ModelSpec
    model_type: str
    context: int
    weight_dtype: str
    cache_dtype: str
    assumed: tuple[str, ...]
    unknown_fields: tuple[str, ...]


def read(config: dict, name: str = "") -> Reading:
    """config -> Reading. SpecError names the field and what is accepted."""
    kind = one_of("model_type", config.get("model_type", ABSENT), FAMILIES)
    family = FAMILIES[kind]
    f = Fields(config, family.DEFAULTS)
    spec = replace(family.read(f), name=name or kind)
    context = parts.context(f, getattr(family, "CONTEXT", "max_position_embeddings")) or spec.learned_positions
    if not context:
        f.assumed.append("context")
        context = DEFAULT_CONTEXT
    own = dtype(f)
    return Reading(spec, kind, context, quantised(f) or own, own, tuple(dict.fromkeys(f.assumed)), tuple(f.unknown))


def table(kind: str, model: nn.Module) -> list[Entry]:
    """How the released tensors of a family map onto a model of ours."""
    return FAMILIES[kind].table(model.spec, list(numbers(model)))


def dtype(f: Fields) -> str:
    """`dtype`, once `torch_dtype`; bfloat16 where neither says."""
    for field in ("dtype", "torch_dtype"):
        if f.has(field) and f.config[field] != "auto":
            return f.choice(field, PLAIN_DTYPES)
    f.assumed.append("dtype")
    return "bfloat16"


def quantised(f: Fields) -> str:
    """The dtype of the weights that `quantization_config` names, or "" where there is none that is understood."""
    inner = f.inside("quantization_config")
    method = inner.get("quant_method")
    if method == "compressed-tensors":
        found = compressed(inner)
    elif method == "bitsandbytes":
        found = "int4" if inner.get("load_in_4bit") else "int8" if inner.get("load_in_8bit") else ""
    elif method in ("gptq", "awq"):
        found = {4: "int4", 8: "int8"}.get(hashable(inner.get("bits")), "")
    else:
        found = METHODS.get(hashable(method), "")
    if inner and not found:
        f.strange.append("quantization_config")
    return found


def compressed(inner: dict) -> str:
    """The dtype of a compressed-tensors checkpoint, where all its groups agree on one that is known."""
    groups = inner.get("config_groups")
    weights = [group.get("weights") for group in groups.values() if isinstance(group, dict)] if isinstance(groups, dict) else []
    kinds = {(hashable(w.get("type")), hashable(w.get("num_bits"))) for w in weights if isinstance(w, dict)}
    return {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "int4"}.get(kinds.pop(), "") if len(kinds) == 1 else ""


def hashable(value):
    """A value that can be looked up: text and numbers as they are, anything else as None."""
    return value if isinstance(value, (str, int)) else None
