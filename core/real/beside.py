"""Files that stand beside a config.json: how the weights are stored, and what the files of weights take together.

    gathered(given)        files as they were handed in -> configs, each with what stood beside it written into it
    index_text(reading)    the size that the index of files states beside ours, the difference explained or named

hf_quant_config.json (ModelOpt), quantize_config.json (GPTQ) and quant_config.json (AWQ) say how weights are stored where
config.json does not; model.safetensors.index.json says what they take.
"""

import json
import re
from dataclasses import dataclass

from core.errors import SpecError, short
from core.real.hf.source import as_object, parse
from core.real.quantisation.stated import PLACES

MAX_BYTES = 32 << 20  # of an index of files
ANSWERS = "_counted_with"  # in a config: what its reader answered, and what stood beside it; travels with it in a link
# Words in the names of tensors that are no part of the language model
ELSEWHERE = re.compile(r"(^|.*\.)(\w*(visual|vision|audio|mm_projector|multi_modal|projector|patch_merge|talker|mtp)\w*)\.")
LAYER = re.compile(r"(?:^|\.)layers\.(\d{1,4})\.")


@dataclass(frozen=True)
class Index:
    """What an index of files states: bytes of all tensors, the modules beside the language model, layers."""

    total: int
    others: tuple[str, ...] = ()
    layers: int = 0


def kind_of(found: dict) -> str:
    """Which file beside a config this is; "" for a config and anything else."""
    if "weight_map" in found:
        return "index"
    if "model_type" in found:
        return ""
    inner = as_object(found.get("quantization"))
    if "quant_algo" in inner or "kv_cache_quant_algo" in inner:
        return "modelopt"
    if "w_bit" in found or ("bits" in found and ("group_size" in found or "q_group_size" in found)):
        return "grouped"
    return ""


def gathered(given: list[tuple[str, str | bytes]]) -> list[tuple[str, str | bytes]]:
    """Files as they were handed in -> the configs among them, each with what stands beside it: files go with the config before
    them, or with the first. What cannot be read stays as it is, to be refused where configs are."""
    configs: list[tuple[str, str | bytes]] = []
    beside: list[tuple[int, str, dict]] = []
    for name, data in given:
        found = tried(data)
        if found is None or not kind_of(found):
            configs.append((name, data))
        else:
            beside.append((max(len(configs) - 1, 0), name, found))
    if not configs:
        return given
    for at, name, found in beside:
        own = tried(configs[at][1])
        if own is not None:
            configs[at] = (configs[at][0], json.dumps(joined(own, found, name)))
    return configs


def tried(data: str | bytes) -> dict | None:
    """An object, or None where it is none."""
    try:
        return parse(data, MAX_BYTES)
    except SpecError:
        return None


def joined(config: dict, found: dict, name: str) -> dict:
    """A config with what stands in a file beside it. What config.json itself says of its weights goes first."""
    kind = kind_of(found)
    if kind == "index":
        return config | {ANSWERS: as_object(config.get(ANSWERS)) | {"index": index_summary(found)}}
    if not kind:
        raise SpecError(f"{short(name)[1:-1]} says nothing of weights: it must be an index of files or say how they are stored")
    inner = as_object(config.get("text_config"))
    if any(config.get(place) or inner.get(place) for place in PLACES):
        return config
    method = "modelopt" if kind == "modelopt" else "awq" if "w_bit" in found or found.get("version") else "gptq"
    stated = found["quantization"] if kind == "modelopt" else found
    return config | {"quantization_config": {"quant_method": method, **stated}}


def index_summary(found: dict) -> dict:
    """What of an index is kept."""
    total = as_object(found.get("metadata")).get("total_size")
    names = [name for name in as_object(found.get("weight_map")) if isinstance(name, str)]
    others = {match[2] for name in names if (match := ELSEWHERE.match(name[:300]))}
    layers = [int(match[1]) for name in names if not ELSEWHERE.match(name[:300]) and (match := LAYER.search(name[:300]))]
    return {"total_size": total, "others": sorted(others)[:6], "layers": max(layers, default=-1) + 1}


def index_of(config: dict) -> Index | None:
    """What an index beside a config stated, out of the config; None where there was none, or none that makes sense."""
    found = as_object(as_object(config.get(ANSWERS)).get("index"))
    total, layers, others = (found.get(field) for field in ("total_size", "layers", "others"))
    if type(total) is not int or not 0 < total < 1 << 60 or type(layers) is not int or not isinstance(others, list):
        return None
    return Index(total, tuple(word[:40] for word in others if isinstance(word, str)), layers)


def index_text(reading, own: int | None) -> str:
    """What the index states beside our count; "" where there is no index."""
    index = reading.index
    if index is None:
        return ""
    lead = f"the index of its files states {index.total:,} bytes"
    if own is None:
        return lead
    difference = index.total - own
    if not difference:
        return f"{lead}, the same"
    return f"{lead}, {abs(difference):,} {'more' if difference > 0 else 'fewer'}: {reasons(reading, own, difference)}"


def reasons(reading, own: int, difference: int) -> str:
    """Why an index states another size than ours, as far as that is known."""
    index, spec = reading.index, reading.spec
    found = []
    if difference > 0 and index.layers > len(spec.layers):
        found.append(f"{index.layers - len(spec.layers)} further layers, which predict further tokens, are not counted here")
    if difference > 0 and index.others:
        found.append(f"{', '.join(index.others)} stand beside the language model")
    if spec.tied and difference in (spec.vocab * spec.d_model * size for size in (1, 2, 4)):
        found.append("the tied table stands in the files twice")
    if not reading.quantisation and index.total == 2 * own:
        found.append("the files hold twice as many bytes a number as the config's dtype")
    if not found and abs(difference) < own // 1000:
        found.append("less than a thousandth, as of routers' biases and tables")
    return "; ".join(found) or "not explained"
