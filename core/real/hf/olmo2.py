"""OLMo 2 (model_type "olmo2"): norms after each part instead of before, RMSNorm over all query and key heads at once."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder
from core.real.hf.weights import naming

NORMS = {r"\.mixer_out_norm\.": ".post_attention_layernorm.", r"\.ffn_out_norm\.": ".post_feedforward_layernorm."}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return decoder(f, parts.reaches(f), {"qk_norm": "full", **biases(f)}, norms="post")


FAMILY = LLAMA.but("olmo2", read=read, table=naming(NORMS), defaults={"vocab_size": 50304, "rms_norm_eps": 1e-5})
