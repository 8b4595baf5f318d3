"""GLM-5 (model_type "glm_moe_dsa"): DeepSeek-V3.2 with other sizes."""

from core.model.mixers.sparse import Indexed
from core.model.spec import ModelSpec
from core.real.hf import deepseek_v32
from core.real.hf.weights import Deinterleave, as_part, naming


def turned(spec: ModelSpec, name: str) -> tuple:
    """As in V3.2, but that the first numbers of the scorer's queries and of its key are pairs of neighbours too."""
    stem, _, leaf = name.rpartition(".indexer.")
    part = leaf.partition(".")[0]
    if part not in ("wq_b", "wk", "k_norm"):
        return deepseek_v32.turned(spec, name)
    c = as_part(Indexed, spec.layers[int(stem.split(".")[1])].mixer)
    return (Deinterleave(c.rope_dim, c.width if part == "wq_b" else 0, leads=True),)


FAMILY = deepseek_v32.FAMILY.but("glm_moe_dsa", table=naming(ops=turned), unconverted=(), defaults={
    "vocab_size": 154880, "intermediate_size": 12288, "rms_norm_eps": 1e-5, "q_lora_rank": 2048, "qk_nope_head_dim": 192,
    "v_head_dim": 256, "n_group": 1, "topk_group": 1, "index_n_heads": 32,
})  # fmt: skip
