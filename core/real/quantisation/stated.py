"""Where a config states how its weights are stored, and what is said where that is not understood."""

from dataclasses import replace

from core.errors import short
from core.real.hf.fields import Fields
from core.real.hf.source import as_object
from core.real.quantisation.methods import read, word
from core.real.quantisation.names import Unread
from core.real.quantisation.scheme import MXFP4, Quantisation

PLACES = ("quantization_config", "quantization", "compression_config")  # transformers and most; MLX; before compressed-tensors
HINTS = """nvfp4 mxfp4 fp8 fp4 int4 int8 gptq awq 4bit 8bit 6bit 3bit w4a16 w8a8 bnb exl2 exl3 hqq quark autoround
auto-round""".split()  # in the name of a model whose weights take fewer bits
ASK = "give bits a weight, or a dtype"


def quantised(f: Fields, has_experts: bool) -> tuple[Quantisation | None, str]:
    """How weights are stored, None where they are in the model's own dtype; and a sentence where what is stated is not
    understood, "" elsewhere."""
    f.seen.update((*PLACES, "expert_dtype"))
    place = next((place for place in PLACES if f.config.get(place)), "")
    if not place:
        return None, ""
    stated = f.inside(place)
    try:
        found = read(stated)
        if found.method == "bitsandbytes" and has_experts:
            raise Unread("experts in bitsandbytes, which some versions convert and some do not")
    except Unread as error:
        what = f": {short(str(error))[1:-1]}" if str(error) else ": a list of modules"
        return None, f"{f.where}{place} says how the weights are stored, in a way that is not understood{what}"
    own = f.config.get("expert_dtype", stated.get("expert_dtype"))  # DeepSeek-V4, and its next version
    if own in ("fp4", "fp8"):
        found = replace(found, experts=found.experts or MXFP4) if own == "fp4" else found
    return (found, "") if found.dtype else (None, "")


def cache_in_words(f: Fields) -> str:
    """A sentence where the config asks for a cache in fewer bits than it is counted in; "" elsewhere."""
    for place in PLACES:
        stated = as_object(f.config.get(place))
        stated = as_object(stated.get("quantization")) or stated
        kind = stated.get("kv_cache_scheme") or stated.get("kv_cache_quant_algo")
        if kind:
            bits = as_object(kind).get("num_bits")
            said = f"{bits} bits" if type(bits) is int else word(kind)[:20] or "fewer bits"
            return f"{f.where}{place} asks for a cache in {said}; it is counted in the model's own dtype"
    return ""


def hinted(name: str) -> str:
    """A sentence where a model's name speaks of fewer bits and its config does not; "" elsewhere."""
    low = name.lower()
    found = next((hint for hint in HINTS if hint in low), "")
    beside = "such files often say how in hf_quant_config.json, which may be read beside config.json"
    return found and f"the name says {found}, and nothing in the config says how the weights are stored: {beside}"
