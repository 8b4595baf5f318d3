"""DeepSeek-V3, R1, Kimi K2 (model_types "deepseek_v3", "kimi_k2"): V2's latent attention; a sigmoid router whose picks, not its
weights, are pushed by a bias that no gradient reaches."""

from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf.deepseek_v2 import FAMILY as V2
from core.real.hf.deepseek_v2 import groups, routed, stack
from core.real.hf.fields import Fields


def read(f: Fields) -> ModelSpec:
    """config -> spec. Weights whose rope pairs do not stand side by side (rope_interleave false) are not known here."""
    if f.config.get("rope_interleave") is True:
        f.has("rope_interleave")
    return stack(f, experts(f))


def experts(f: Fields) -> MoE:
    """The sigmoid router with its bias; a group is as good as its best two experts together."""
    for name, value in (("topk_method", "noaux_tc"), ("scoring_func", "sigmoid")):
        if name in f.defaults or f.has(name):
            f.choice(name, {value: value})
    return routed(f, scores="sigmoid", bias=True, normalise=f.flag("norm_topk_prob"), **groups(f, best=2))


FAMILY = V2.but("deepseek_v3", "kimi_k2", read=read, defaults={
    "vocab_size": 129280, "intermediate_size": 18432, "first_k_dense_replace": 3, "n_group": 8, "topk_group": 4,
    "n_routed_experts": 256, "n_shared_experts": 1, "moe_intermediate_size": 2048, "routed_scaling_factor": 2.5,
    "num_experts_per_tok": 8, "norm_topk_prob": True, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
})  # fmt: skip
