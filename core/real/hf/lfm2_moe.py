"""LFM2's mixtures of experts (model_type "lfm2_moe"): LFM2's layers; after the first ones, experts with a sigmoid router and a
bias that only picks. Widths are what they say."""

from core.errors import DEEPEST
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.lfm2 import FAMILY as LFM2
from core.real.hf.lfm2 import stack
from core.real.hf.weights import stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    first, layers = f.whole("num_dense_layers", low=0, high=DEEPEST), parts.depth(f)
    dense, moe = Dense(f.whole("intermediate_size", high=1 << 24)), experts(f)
    return stack(f, [dense if i < first else moe for i in range(layers)])


def experts(f: Fields) -> MoE:
    """The later layers' feed-forward part."""
    count = f.whole("num_experts", low=2)
    return MoE(
        count,
        f.whole("num_experts_per_tok", high=count),
        f.whole("moe_intermediate_size", high=1 << 24),
        scores="sigmoid",
        normalise=f.flag("norm_topk_prob"),
        scale=f.number("routed_scaling_factor", high=1e6),
        bias=f.flag("use_expert_bias"),
    )


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return stacked(tensors, "w1", "w3", "w2")


FAMILY = LFM2.but("lfm2_moe", read=read, disk=disk, defaults={
    "intermediate_size": 7168, "moe_intermediate_size": 1792, "num_dense_layers": 2, "num_experts_per_tok": 4,
    "num_experts": 32, "use_expert_bias": True, "routed_scaling_factor": 1.0, "norm_topk_prob": True,
})  # fmt: skip
