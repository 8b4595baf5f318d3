"""One door for every config.json: an object in, a spec with what was assumed and what was not understood out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import nn

from core.errors import NotRead, SpecError, one_of
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.families import FAMILIES
from core.real.hf.family import Family
from core.real.hf.fields import ABSENT, INSIDE, Fields
from core.real.hf.weights import Entry, WeightError, as_part, numbers
from core.real.quantisation.scheme import Quantisation
from core.real.quantisation.stated import PLACES, cache_in_words, hinted, quantised

if TYPE_CHECKING:
    from core.real.beside import Index

SIGHT = "vision visual image video audio speech media mm_ multimodal projector placeholder _token_id _token_index".split()
BESIDE = """vision_config boi_token_index eoi_token_index image_token_index boi_token_id eoi_token_id image_token_id
mm_tokens_per_image video_token_id vision_start_token_id vision_end_token_id
audio_config audio_token_id boa_token_id eoa_token_id eoa_token_index vision_soft_tokens_per_image ignore_index
language_model_only""".split()
SAID_OUTSIDE = ("dtype", "torch_dtype", "tie_word_embeddings", *PLACES)
DEFAULT_CONTEXT = 4096
PLAIN_DTYPES = {"float32": "float32", "float": "float32", "bfloat16": "bfloat16", "float16": "float16", "half": "float16"}
PLAIN_DTYPES |= {f"torch.{name}": dtype for name, dtype in PLAIN_DTYPES.items()}


@dataclass(frozen=True)
class Reading:
    """What a config says. `assumed` and `unknown_fields` are field names; dtypes are the config's own, that of recurrent state is
    the family's. `quantisation` says which weights are in `weight_dtype` and which are not; None where all are alike. `unclear`
    is a sentence where the config, or the model's name, says that weights are stored in fewer bits and not how: `weight_dtype`
    is then "". `notes` are further sentences that a reader should know. `inside` is the field that holds the language model where
    what holds it is a model of an unknown family. `index` is what the index of its files states, where that was handed in."""

    spec: ModelSpec
    model_type: str
    context: int
    weight_dtype: str
    cache_dtype: str
    state_dtype: str
    assumed: tuple[str, ...]
    unknown_fields: tuple[str, ...]
    quantisation: Quantisation | None = None
    unclear: str = ""
    notes: tuple[str, ...] = ()
    inside: str = ""
    index: Index | None = None


def read(config: dict, name: str = "") -> Reading:
    """config -> Reading. SpecError names the field and what is accepted."""
    kind, path = located(config)
    family = FAMILIES[kind]
    levels = [Fields(config, family.defaults)]
    if not path:
        levels[0].seen.update(BESIDE if kind == family.wrapper else ())
    for field in path:
        levels.append(inside(levels[-1], field))
    outer, f = levels[0], levels[-1]
    spec = replace(family.read(f), name=name or kind)
    context = parts.context(f, family.context) or spec.learned_positions
    if not context:
        f.assumed.append("context")
        context = DEFAULT_CONTEXT
    own = dtype(f)
    stored, unclear = quantised(f, any(hasattr(layer.ffn, "top_k") for layer in spec.layers))
    unclear = unclear or ("" if stored else hinted(name))
    weight = stored.dtype if stored else "" if unclear else own
    ties = ties_text(outer.config, outer.inside(path[0])) if path else ""
    notes = tuple(filter(None, (ties, cache_in_words(f))))
    state = state_dtype(f, family, own)
    for nested in levels[1:]:
        outer.adopt(nested)
    known = not path or str(config.get("model_type")) in FAMILIES
    assumed = dict.fromkeys(outer.assumed + ["model_type"] * (not known))  # the family is that of the language model inside
    where = "" if known else ".".join(path)
    return Reading(
        spec, kind, context, weight, own, state, tuple(assumed), tuple(outer.unknown), stored, unclear, notes, where
    )  # fmt: skip


def located(config: dict, where: str = "") -> tuple[str, tuple[str, ...]]:
    """The family that a config is read as, and the fields that lead to the language model where it stands inside a larger one.
    A larger model may be of a family that is not known; NotRead where the language model is."""
    told = config.get("model_type", solver(config))
    if isinstance(told, str) and told in FAMILIES:
        wraps = told == FAMILIES[told].wrapper and "text_config" in config  # older files have its fields beside the others
        return told, ("text_config",) * wraps
    held = next((field for field in INSIDE if isinstance(config.get(field), dict)), "")
    if not held:
        try:
            one_of(where + "model_type", told, FAMILIES)
        except SpecError as error:
            raise NotRead(str(error)) from None
    kind, path = located(config[held], f"{where}{held}.")
    return kind, (held, *path)


def solver(config: dict):
    """The family of a recursive solver, whose configs name none: with layers of its own for the answer (HRM) or not (TRM)."""
    if not {"L_cycles", "H_cycles", "L_layers"} <= set(config):
        return ABSENT
    return "hrm" if config.get("H_layers") else "trm"


def state_dtype(f: Fields, family: Family, own: str) -> str:
    """The dtype of recurrent state: the family's, or the model's `own`, unless a field says which."""
    if family.state_field and f.has(family.state_field):
        return f.choice(family.state_field, PLAIN_DTYPES)
    return own if family.state_dtype == "own" else family.state_dtype


def inside(outer: Fields, field: str) -> Fields:
    """The fields of the language model inside a larger one; what is said about both at once is said outside."""
    outer.seen.update((*BESIDE, *SAID_OUTSIDE, *(name for name in outer.config if any(word in name for word in SIGHT))))
    text = outer.inside(field)
    said = {name: outer.config[name] for name in SAID_OUTSIDE if outer.config.get(name) is not None and text.get(name) is None}
    if conflicting(outer.config, text) and newer(outer.config):
        said["tie_word_embeddings"] = outer.config["tie_word_embeddings"]
    return Fields({**text, **said}, outer.defaults, f"{outer.where}{field}.")


def conflicting(outside: dict, text: dict) -> bool:
    """Do a model and the language model inside it disagree on whether the tables are tied?"""
    both = outside.get("tie_word_embeddings"), text.get("tie_word_embeddings")
    return None not in both and both[0] != both[1]


def newer(outside: dict) -> bool:
    """Was the file written by transformers 5 or later, which obeys what stands outside?"""
    major = str(outside.get("transformers_version", "")).partition(".")[0]
    return major.isdigit() and int(major) >= 5


def ties_text(outside: dict, text: dict) -> str:
    """A sentence where both disagree on tied tables; "" elsewhere."""
    if not conflicting(outside, text):
        return ""
    first, second = ("outside", "5 or later") if newer(outside) else ("inside", "4, or none that it names")
    said = "tie_word_embeddings stands outside and inside and differs"
    return f"{said}: the one {first} holds, as the file was written by transformers {second}"


def table(kind: str, model: nn.Module) -> list[Entry]:
    """How the released tensors of a family map onto a model of ours. WeightError where that is not written down."""
    made = FAMILIES[kind].table
    if made is None:
        raise WeightError(f"{kind}: released weights are not loaded yet")
    return made(as_part(ModelSpec, model.spec), list(numbers(model)))


def dtype(f: Fields) -> str:
    """`dtype`, once `torch_dtype`; bfloat16 where neither says."""
    for field in ("dtype", "torch_dtype"):
        if f.has(field) and f.config[field] != "auto":
            return f.choice(field, PLAIN_DTYPES)
    f.assumed.append("dtype")
    return "bfloat16"
