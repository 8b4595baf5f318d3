"""Mistral 7B and its successors (model_type "mistral"): Llama with a sliding window on every layer, unless it is null."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, parts.windows(f), {})


FAMILY = LLAMA.but(
    "mistral", read=read, defaults={"intermediate_size": 14336, "num_key_value_heads": 8, "sliding_window": 4096}
)  # fmt: skip
