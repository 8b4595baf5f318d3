"""OLMo 3 (model_type "olmo3"): OLMo 2 with a window on three layers of four; context extension on full layers alone."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import biases, decoder
from core.real.hf.olmo2 import FAMILY as OLMO2


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    reaches = parts.reaches(f, lambda i: (i + 1) % 4 != 0)
    ropes = parts.ropes(f, parts.heads(f)[2], reaches)
    return decoder(f, reaches, {"qk_norm": "full", **biases(f)}, norms="post", ropes=ropes)


FAMILY = OLMO2.but("olmo3", read=read, defaults={"rope_theta": 500000.0, "sliding_window": 4096})
