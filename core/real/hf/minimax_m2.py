"""MiniMax-M2 (model_type "minimax_m2"): RMSNorm over all query and key heads at once, part of each head turned (`rotary_dim`),
Mixtral's experts under a sigmoid router whose picks are pushed by a bias."""

from core.model.spec import ModelSpec
from core.real.hf import mixtral, parts
from core.real.hf.fields import Fields
from core.real.hf.llama import decoder
from core.real.hf.weights import Entry, outer

DEFAULTS = {
    "vocab_size": 200064, "intermediate_size": 1536, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
    "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "tie_word_embeddings": False, "num_experts_per_tok": 8,
    "num_local_experts": 256, "use_qk_norm": True, "qk_norm_type": "per_layer", "use_routing_bias": True,
    "scoring_func": "sigmoid",
}  # fmt: skip

BIAS = "e_score_correction_bias"


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    f.off("shared_intermediate_size", "sliding_window")
    f.choice("qk_norm_type", {"per_layer": "full"})
    rotary(f)
    moe = mixtral.experts(f, scores=f.choice("scoring_func", {"sigmoid": "sigmoid"}), bias=f.flag("use_routing_bias"))
    settings = {"qk_norm": "full" if f.flag("use_qk_norm") else "none"}
    return decoder(f, parts.reaches(f, layers, [False] * layers), settings, ffns=[moe] * layers)


def rotary(f: Fields) -> None:
    """`rotary_dim`, the older word for how much of each head is turned, becomes the newer one unless that is stated."""
    if f.has("rotary_dim") and "partial_rotary_factor" not in f.config:
        width = f.whole("head_dim")
        f.take("partial_rotary_factor", f.whole("rotary_dim", low=2, high=width) / width)


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Their names are ours behind `model.`; the router's bias stands beside the router, not in it."""
    return [Entry(outer(name.replace(f".gate.{BIAS}", f".{BIAS}")), (name,)) for name in names]


disk = mixtral.disk
