"""DeepSeek-V2 and V2-Lite (model_type "deepseek_v2"): multi-head latent attention; after the first layers, experts with a softmax
router that picks from the best groups, beside experts that every token passes.

Rope's pairs are neighbours in the released weights; here they stand half a width apart.
"""

from core.errors import DEEPEST, divides
from core.model.blocks import Norm
from core.model.ffn.moe import MoE
from core.model.mixers.latent import Latent
from core.model.rope import Rope, Yarn
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.llama import dense
from core.real.hf.weights import Deinterleave, as_part, naming, stacked, without_predictors

DEFAULTS = {
    "vocab_size": 102400, "intermediate_size": 11008, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    "tie_word_embeddings": False, "attention_bias": False, "first_k_dense_replace": 0, "moe_layer_freq": 1, "kv_lora_rank": 512,
    "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_group": None, "topk_group": None,
    "n_routed_experts": 64, "n_shared_experts": 2, "moe_intermediate_size": 1407, "routed_scaling_factor": 1.0,
    "topk_method": "greedy", "scoring_func": "softmax",
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return stack(f, experts(f))


def stack(f: Fields, moe: MoE) -> ModelSpec:
    """Latent attention in every layer; the first have a dense feed-forward part, the others `moe`."""
    mixer, norm = latent(f), Norm("rms", f.number("rms_norm_eps", high=1.0))
    layers = tuple(Layer(mixer, ffn) for ffn in after_dense(f, moe))
    tied = f.flag("tie_word_embeddings")
    return ModelSpec("", f.whole("hidden_size"), parts.vocabulary(f), layers, norm, tied)


def after_dense(f: Fields, moe: MoE) -> list:
    """The layers' feed-forward parts: `moe` from layer `first_k_dense_replace` on, at every `moe_layer_freq`-th one."""
    first = f.whole("first_k_dense_replace", low=0, high=DEEPEST)
    every = f.whole("moe_layer_freq", high=DEEPEST) if "moe_layer_freq" in f.defaults else 1
    own = dense(f)
    return [moe if i >= first and i % every == 0 else own for i in range(parts.depth(f))]


def latent(f: Fields) -> Latent:
    """The mixer. Norms inside it have an epsilon of their own, which no config states."""
    f.off("mlp_bias")
    f.seen.update(("num_key_value_heads", "head_dim", "qk_head_dim"))  # every head has keys of its own; widths are stated below
    nope, turned = f.whole("qk_nope_head_dim"), f.whole("qk_rope_head_dim", low=2)
    rope = parts.rope(f, turned)
    return Latent(
        heads=f.whole("num_attention_heads"),
        kv_rank=f.whole("kv_lora_rank"),
        nope_dim=nope,
        rope_dim=turned,
        v_dim=f.whole("v_head_dim"),
        q_rank=f.optional("q_lora_rank") or 0,
        rope=rope,
        bias=f.flag("attention_bias"),
        scale=temperature(f, rope, nope + turned),
    )


def temperature(f: Fields, rope: Rope, width: int) -> float:
    """The factor on the scores where YaRN's mscale_all_dim changes it, by a square; else 0, the usual one."""
    weight = parts.rope_fields(f).number_or("mscale_all_dim", 0.0, high=100)
    if not weight or not isinstance(rope.scaling, Yarn):
        return 0.0
    return width**-0.5 * parts.mscale(rope.scaling.factor, weight) ** 2


def experts(f: Fields) -> MoE:
    """The softmax router; "greedy" picks among all experts, "group_limited_greedy" from the groups with the best expert."""
    f.off("norm_topk_prob")  # the picked affinities are weights as they are
    scores = f.choice("scoring_func", {"softmax": "softmax"})
    limited = f.choice("topk_method", {"greedy": "", "group_limited_greedy": "groups"})
    f.seen.update(("n_group", "topk_group"))
    return routed(f, scores=scores, normalise=False, **(groups(f) if limited else {}))


def groups(f: Fields, best: int = 1) -> dict:
    """Groups of experts, and how many of them a token may pick from; a group is as good as its best so many."""
    count = f.optional("n_group", high=f.whole("n_routed_experts")) or 1
    divides("n_group", count, "n_routed_experts", f.whole("n_routed_experts"))
    top = f.whole("topk_group", high=count) if count > 1 else 1
    f.has("topk_group")
    return {"groups": count, "top_groups": top, "group_best": best if count > 1 else 1}


def routed(f: Fields, **settings) -> MoE:
    """Experts in DeepSeek's words; `settings` are the router's."""
    count = f.whole("n_routed_experts", low=2)
    if f.config.get("num_experts") == count:  # the same once more, as transformers 5 writes it
        f.has("num_experts")
    hidden = f.whole("moe_intermediate_size", high=1 << 24)
    return MoE(
        count,
        f.whole("num_experts_per_tok", high=count),
        hidden,
        shared=hidden * (f.optional("n_shared_experts", low=0, high=1 << 10) or 0),
        scale=f.number("routed_scaling_factor", high=1e6),
        activation=f.choice("hidden_act", parts.ACTIVATIONS),
        **settings,
    )


def turned(spec: ModelSpec, name: str) -> tuple:
    """Rows that rope turns are put apart: in each head's query, and in the one key, the last numbers are pairs of neighbours."""
    stem, _, leaf = name.rpartition(".self_attn.")
    part = leaf.partition(".")[0]
    if part not in ("q_proj", "q_b_proj", "kv_a_proj_with_mqa"):
        return ()
    c = as_part(Latent, spec.layers[int(stem.split(".")[1])].mixer)
    return (Deinterleave(c.rope_dim, 0 if part == "kv_a_proj_with_mqa" else c.k_dim),)


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return stacked(without_predictors(tensors))


FAMILY = Family(("deepseek_v2",), read, DEFAULTS, naming(ops=turned), disk)
