"""One door for every config.json: an object in, a spec with what was assumed and what was not understood out."""

from dataclasses import dataclass, replace
from types import ModuleType

from torch import nn

from core.errors import one_of
from core.hf import (
    cwm,
    deepseek_v2,
    deepseek_v3,
    deepseek_v4,
    deepseek_v32,
    dream,
    falcon_h1,
    falcon_mamba,
    gemma2,
    gemma3,
    gemma4,
    glm4_moe,
    glm_moe_dsa,
    gpt2,
    gpt_oss,
    granitemoehybrid,
    hunyuan,
    hunyuan_v1_moe,
    jamba,
    kimi_linear,
    lfm2,
    lfm2_moe,
    llada,
    llama,
    llama4,
    mamba2,
    mimo_v2_flash,
    minimax,
    minimax_m2,
    mistral,
    mixtral,
    nemotron_h,
    olmo2,
    olmo3,
    parts,
    phi3,
    qwen2,
    qwen3,
    qwen3_5,
    qwen3_5_moe,
    qwen3_moe,
    qwen3_next,
    rwkv7,
    smollm3,
    trm,
    xlstm,
)
from core.hf.fields import ABSENT, Fields
from core.hf.weights import Entry, WeightError, numbers
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
    "mixtral": mixtral,
    "qwen3_moe": qwen3_moe,
    "glm4_moe": glm4_moe,
    "minimax_m2": minimax_m2,
    "hunyuan_v1_moe": hunyuan_v1_moe,
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "kimi_k2": deepseek_v3,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "gemma3_text": gemma3,
    "olmo3": olmo3,
    "cwm": cwm,
    "gpt_oss": gpt_oss,
    "llama4": llama4,
    "llama4_text": llama4,
    "mimo_v2_flash": mimo_v2_flash,
    "gemma4": gemma4,
    "gemma4_text": gemma4,
    "qwen3_next": qwen3_next,
    "qwen3_5": qwen3_5,
    "qwen3_5_text": qwen3_5,
    "qwen3_5_moe": qwen3_5_moe,
    "qwen3_5_moe_text": qwen3_5_moe,
    "kimi_linear": kimi_linear,
    "deepseek_v32": deepseek_v32,
    "deepseek_v4": deepseek_v4,
    "glm_moe_dsa": glm_moe_dsa,
    "minimax_m1": minimax,
    "minimax_text_01": minimax,
    "minimax": minimax,
    "mamba2": mamba2,
    "falcon_mamba": falcon_mamba,
    "jamba": jamba,
    "falcon_h1": falcon_h1,
    "granitemoehybrid": granitemoehybrid,
    "nemotron_h": nemotron_h,
    "lfm2": lfm2,
    "lfm2_moe": lfm2_moe,
    "xlstm": xlstm,
    "rwkv7": rwkv7,
    "rwkv7_fla": rwkv7,
    "hunyuan": hunyuan,
    "llada": llada,
    "Dream": dream,
    "trm": trm,
    "hrm": trm,
}

# the language model is described in `text_config`, beside one that sees
WRAPPERS = ("gemma3", "gemma4", "llama4", "qwen3_5", "qwen3_5_moe")
BESIDE = """vision_config boi_token_index eoi_token_index image_token_index boi_token_id eoi_token_id image_token_id
mm_tokens_per_image video_token_id vision_start_token_id vision_end_token_id
audio_config audio_token_id boa_token_id eoa_token_id eoa_token_index vision_soft_tokens_per_image""".split()
SAID_OUTSIDE = ("dtype", "torch_dtype", "tie_word_embeddings", "quantization_config")
DEFAULT_CONTEXT = 4096
PLAIN_DTYPES = {"float32": "float32", "float": "float32", "bfloat16": "bfloat16", "float16": "float16", "half": "float16"}
METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4"}  # quant_method where it alone says the dtype


@dataclass(frozen=True)
class Reading:
    """What a config says. `assumed` and `unknown_fields` are field names; dtypes are the config's own, that of recurrent state is
    the family's."""

    spec: ModelSpec
    model_type: str
    context: int
    weight_dtype: str
    cache_dtype: str
    state_dtype: str
    assumed: tuple[str, ...]
    unknown_fields: tuple[str, ...]


def read(config: dict, name: str = "") -> Reading:
    """config -> Reading. SpecError names the field and what is accepted."""
    kind = one_of("model_type", config.get("model_type", solver(config)), FAMILIES)
    family = FAMILIES[kind]
    outer = f = Fields(config, family.DEFAULTS)
    if kind in WRAPPERS:
        f = inside(outer)
    spec = replace(family.read(f), name=name or kind)
    context = parts.context(f, getattr(family, "CONTEXT", "max_position_embeddings")) or spec.learned_positions
    if not context:
        f.assumed.append("context")
        context = DEFAULT_CONTEXT
    own = dtype(f)
    weight = quantised(f) or own
    state = state_dtype(f, getattr(family, "STATE_DTYPE", ""), own)
    if f is not outer:
        outer.adopt(f)
    return Reading(spec, kind, context, weight, own, state, tuple(dict.fromkeys(outer.assumed)), tuple(outer.unknown))


def solver(config: dict):
    """The family of a recursive solver, whose configs name none: with layers of its own for the answer (HRM) or not (TRM)."""
    if not {"L_cycles", "H_cycles", "L_layers"} <= set(config):
        return ABSENT
    return "hrm" if config.get("H_layers") else "trm"


def state_dtype(f: Fields, named: str, own: str) -> str:
    """The dtype of recurrent state: float32, unless the family keeps the model's `own` or a field says which."""
    if named == "own":
        return own
    return f.choice(named, PLAIN_DTYPES) if named and f.has(named) else "float32"


def inside(outer: Fields) -> Fields:
    """The fields of the language model inside a larger one; what is said about both at once is said outside."""
    outer.seen.update((*BESIDE, *SAID_OUTSIDE))
    text = outer.inside("text_config")
    said = {name: outer.config[name] for name in SAID_OUTSIDE if outer.config.get(name) is not None and text.get(name) is None}
    return Fields({**text, **said}, outer.defaults, "text_config.")


def table(kind: str, model: nn.Module) -> list[Entry]:
    """How the released tensors of a family map onto a model of ours. WeightError where that is not written down."""
    if not hasattr(FAMILIES[kind], "table"):
        raise WeightError(f"{kind}: released weights are not loaded yet")
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
