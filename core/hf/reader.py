"""One door for every config.json: text or object in, a spec with what was assumed and what was not understood out."""

import json
from dataclasses import dataclass, replace
from types import ModuleType

from torch import nn

from core.errors import SpecError, short
from core.hf import gpt2, llama, mistral, olmo2, parts, phi3, qwen2, qwen3, smollm3
from core.hf.fields import Fields
from core.hf.weights import Entry
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

MAX_BYTES = 1 << 20
DEFAULT_CONTEXT = 4096
PLAIN_DTYPES = {"float32": "float32", "float": "float32", "bfloat16": "bfloat16", "float16": "float16", "half": "float16"}


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


def parse(text: str | bytes) -> dict:
    """JSON text -> object. SpecError where it is too long, not JSON, not an object, or holds Infinity or NaN."""
    if len(text) > MAX_BYTES:
        raise SpecError(f"a config must be at most 1 MiB, not {len(text):,} bytes")
    try:
        config = json.loads(text, parse_constant=_not_finite)
    except SpecError:
        raise
    except (ValueError, RecursionError):
        raise SpecError("a config must be JSON: this text is not") from None
    if not isinstance(config, dict):
        raise SpecError(f"a config must be a JSON object, not {short(config)}")
    return config


def _not_finite(word: str):
    raise SpecError(f"a config holds finite numbers only, not {word}")


def read(config: dict, name: str = "") -> Reading:
    """config -> Reading. SpecError names the field and what is accepted."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise SpecError(f"model_type must be one of {', '.join(FAMILIES)}, not {short(kind)}")
    family = FAMILIES[kind]
    f = Fields(config, family.DEFAULTS)
    spec = replace(family.read(f), name=name or kind)
    context = parts.context(f, getattr(family, "CONTEXT", "max_position_embeddings")) or spec.learned_positions
    if not context:
        f.assumed.append("context")
        context = DEFAULT_CONTEXT
    plain = dtype(f)
    return Reading(spec, kind, context, quantised(f) or plain, plain, tuple(dict.fromkeys(f.assumed)), tuple(f.unknown))


def table(kind: str, model: nn.Module) -> list[Entry]:
    """How the released tensors of a family map onto a model of ours."""
    return FAMILIES[kind].table(model.spec, [name for name, _ in model.named_parameters(remove_duplicate=False)])


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
    method, bits = inner.get("quant_method"), inner.get("bits")
    if not inner:
        return ""
    if method in ("fp8", "fbgemm_fp8", "mxfp4"):
        return "mxfp4" if method == "mxfp4" else "fp8"
    if method in ("gptq", "awq") and bits in (4, 8):
        return f"int{bits}"
    if method == "bitsandbytes" and (inner.get("load_in_4bit") or inner.get("load_in_8bit")):
        return "int4" if inner.get("load_in_4bit") else "int8"
    f.seen.discard("quantization_config")
    f.config = {**f.config, "quantization_config.quant_method": short(method)}
    return ""
