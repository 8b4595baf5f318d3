"""MiniMax-M2 (model_type "minimax_m2"): RMSNorm over all query and key heads at once, part of each head turned (`rotary_dim`),
Mixtral's experts under a sigmoid router whose picks are pushed by a bias."""

from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder
from core.real.hf.mixtral import FAMILY as MIXTRAL
from core.real.hf.mixtral import experts
from core.real.hf.weights import naming


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("shared_intermediate_size", "sliding_window")
    f.choice("qk_norm_type", {"per_layer": "full"})
    rotary(f)
    if f.config.get("attn_type_list") == [1] * parts.depth(f):  # MiniMax-M1's word for a layer of full attention
        f.has("attn_type_list")
    moe = experts(f, scores=f.choice("scoring_func", {"sigmoid": "sigmoid"}), bias=f.flag("use_routing_bias"))
    settings = {"qk_norm": "full" if f.flag("use_qk_norm") else "none"}
    return decoder(f, parts.reaches(f), settings, ffns=[moe] * parts.depth(f))


def rotary(f: Fields) -> None:
    """`rotary_dim`, the older word for how much of each head is turned, becomes the newer one unless that is stated."""
    if f.has("rotary_dim") and "partial_rotary_factor" not in f.config:
        width = f.whole("head_dim")
        f.take("partial_rotary_factor", f.whole("rotary_dim", low=2, high=width) / width)


BESIDE = {r"\.gate\.e_score": ".e_score"}  # the router's bias stands beside the router, not in it

FAMILY = MIXTRAL.but("minimax_m2", read=read, table=naming(BESIDE), defaults={
    "vocab_size": 200064, "intermediate_size": 1536, "head_dim": 128, "rms_norm_eps": 1e-6, "rope_theta": 5000000.0,
    "num_experts_per_tok": 8, "num_local_experts": 256, "use_qk_norm": True, "qk_norm_type": "per_layer",
    "use_routing_bias": True, "scoring_func": "sigmoid",
})  # fmt: skip
