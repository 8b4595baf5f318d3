"""Qwen2 and Qwen2.5 (model_type "qwen2"): Llama with biases on q, k and v; windows on the upper layers where switched on."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, windows(f), {"qkv_bias": True})


def windows(f: Fields) -> list:
    """The layers from `max_window_layers` on are sliding where `use_sliding_window` says so."""
    f.seen.update(("max_window_layers", "sliding_window"))  # stated by most, used by few
    if not f.flag("use_sliding_window"):
        return parts.reaches(f)
    lowest, on = f.whole("max_window_layers", low=0), parts.window(f) is not None
    return parts.reaches(f, lambda i: on and i >= lowest)


FAMILY = LLAMA.but("qwen2", read=read, defaults={
    "vocab_size": 151936, "intermediate_size": 22016, "num_key_value_heads": 32, "use_sliding_window": False,
    "sliding_window": 4096, "max_window_layers": 28,
})  # fmt: skip
