"""One door for every config.json: an object in, a spec with what was assumed and what was not understood out."""

from contextlib import suppress
from dataclasses import dataclass, replace
from types import ModuleType

from torch import nn

from core.errors import SpecError, one_of, short
from core.model.spec import ModelSpec
from core.real.hf import (
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
from core.real.hf.fields import ABSENT, Fields
from core.real.hf.quantisation import Quantisation, hashable, quantised
from core.real.hf.weights import Entry, WeightError, numbers

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
WIDTHS = ("hidden_size", "n_embd", "d_model")
DEFAULT_CONTEXT = 4096
PLAIN_DTYPES = {"float32": "float32", "float": "float32", "bfloat16": "bfloat16", "float16": "float16", "half": "float16"}


@dataclass(frozen=True)
class Reading:
    """What a config says. `assumed` and `unknown_fields` are field names; dtypes are the config's own, that of recurrent state is
    the family's. `quantisation` says which weights are in `weight_dtype` and which are not; None where all are alike."""

    spec: ModelSpec
    model_type: str
    context: int
    weight_dtype: str
    cache_dtype: str
    state_dtype: str
    assumed: tuple[str, ...]
    unknown_fields: tuple[str, ...]
    quantisation: Quantisation | None = None


def read(config: dict, name: str = "") -> Reading:
    """config -> Reading. SpecError names the field and what is accepted."""
    kind, wrapped = family_of(config)
    family = FAMILIES[kind]
    outer = f = Fields(config, family.DEFAULTS)
    if wrapped:
        f = inside(outer)
    spec = replace(family.read(f), name=name or kind)
    context = parts.context(f, getattr(family, "CONTEXT", "max_position_embeddings")) or spec.learned_positions
    if not context:
        f.assumed.append("context")
        context = DEFAULT_CONTEXT
    own = dtype(f)
    stored = quantised(f)
    weight = stored.dtype if stored else own
    state = state_dtype(f, getattr(family, "STATE_DTYPE", ""), own)
    if f is not outer:
        outer.adopt(f)
        if hashable(config.get("model_type")) not in FAMILIES:  # the family is that of the language model inside
            outer.assumed.append("model_type")
    return Reading(spec, kind, context, weight, own, state, tuple(dict.fromkeys(outer.assumed)), tuple(outer.unknown), stored)


def family_of(config: dict) -> tuple[str, bool]:
    """A config's family, and whether it is that of the language model inside a larger one. SpecError where it is not known: then
    it says which known family the fields read like."""
    told = config.get("model_type", solver(config))
    if isinstance(told, str) and told in FAMILIES:
        return told, told in WRAPPERS
    text = config.get("text_config")
    inner = text.get("model_type") if isinstance(text, dict) else None
    if isinstance(inner, str) and inner in FAMILIES and not (inner in WRAPPERS and "text_config" in text):
        return inner, True
    with suppress(SpecError):
        return one_of("model_type", told, FAMILIES), False
    like = alike(text if isinstance(text, dict) else config)
    if not like:
        one_of("model_type", told, FAMILIES)
    raise SpecError(
        f"model_type must be a known family, not {short(told)}; its fields read like those of {like}: "
        f"written as model_type, that would be counted, and may not be what this model is"
    )


def alike(config: dict) -> str:
    """The known families (at most three) that read most fields of a config and find nothing unknown; "" where none does. Depth is
    cut, which changes no field."""
    deep = config.get("num_hidden_layers")
    config = {**config, "num_hidden_layers": min(deep, 64)} if type(deep) is int else config
    found = []
    for kind, family in FAMILIES.items():
        f = Fields(config, family.DEFAULTS)
        with suppress(SpecError, RecursionError):
            if family.read(f).decoding != "autoregressive":
                continue
            parts.context(f, getattr(family, "CONTEXT", "max_position_embeddings"))
            if not f.unknown and any(map(f.has, WIDTHS)):
                found.append((len(f.seen & set(config)), kind))
    most = max(found, default=(0, ""))[0]
    return " or ".join([kind for n, kind in found if n == most][:3])


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
