"""DeepSeek-V4 (model_type "deepseek_v4"): a window beside compressed entries, of which every second layer's are picked by a
scorer; experts everywhere, in the first layers by a table of words; several residual streams.

What its several ropes and the limit inside its experts do changes no count and is not described here.

Its files (huggingface.co/deepseek-ai/DeepSeek-V4-Flash, 46 of safetensors) say more than its config, in the dtype of each tensor:
fp8 matrices, experts in fp4, both with a scale of one byte; what makes compressed entries and weighs the scorer's heads in
bfloat16; sinks, places within a block and all that joins the streams in float32. transformers knows them by the same lists.
"""

from dataclasses import replace

from core.errors import DEEPEST, LONGEST, SpecError, divides, one_of, short
from core.model.blocks import Norm
from core.model.ffn.hashed import Hashed
from core.model.ffn.moe import MoE
from core.model.mixers.compressed import Compressed
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.deepseek_v2 import routed
from core.real.hf.family import Family
from core.real.hf.fields import Fields

DEFAULTS = {
    "vocab_size": 129280, "moe_intermediate_size": 2048, "num_key_value_heads": 1, "head_dim": 512, "q_lora_rank": 1024,
    "num_experts_per_tok": 6, "n_routed_experts": 256, "n_shared_experts": 1, "scoring_func": "sqrtsoftplus",
    "norm_topk_prob": True, "routed_scaling_factor": 1.5, "hc_mult": 4, "sliding_window": 128, "o_groups": 8, "o_lora_rank": 1024,
    "index_n_heads": 64, "index_head_dim": 128, "index_topk": 512, "hidden_act": "silu", "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False, "num_hash_layers": 3,
}  # fmt: skip

WINDOW, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"
RATES = {SPARSE: 4, HEAVY: 128}
UNUSED = """rope_theta rope_scaling rope_parameters compress_rope_theta qk_rope_head_dim partial_rotary_factor hc_eps
hc_sinkhorn_iters swiglu_limit topk_method""".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.seen.update(UNUSED)
    f.off("attention_bias", "mlp_bias")
    if f.whole("num_key_value_heads") != 1:
        raise SpecError(f"num_key_value_heads must be 1, not {short(f.config['num_key_value_heads'])}")
    norm, layers, words = Norm("rms", f.number("rms_norm_eps", high=1.0)), parts.depth(f), parts.vocabulary(f)
    stated = rates(f)
    made = {kind: mixer(f, kind, stated, norm.eps) for kind in (WINDOW, SPARSE, HEAVY)}
    stack = tuple(Layer(made[kind], ffn) for kind, ffn in zip(types(f, layers), ffns(f, layers, words), strict=True))
    tied, streams = f.flag("tie_word_embeddings"), f.whole("hc_mult", high=64)
    return ModelSpec("", f.whole("hidden_size"), words, stack, norm, tied, streams=streams)


def types(f: Fields, layers: int) -> list[str]:
    """The kind of each layer: as stated, or by the tokens that make an entry, or two heavy ones and then by turns."""
    ratios = f.items("compress_ratios", layers)
    usual = [SPARSE if i >= 2 and i % 2 else HEAVY for i in range(layers)]
    if ratios is not None:
        known = {0: WINDOW, **{rate: kind for kind, rate in RATES.items()}}
        if wrong := [x for x in ratios if type(x) is not int or x not in known]:
            raise SpecError(f"compress_ratios must hold {', '.join(map(str, known))}, not {short(wrong[0])}")
        usual = [known[x] for x in ratios]
    return parts.kinds(f, layers, usual, (WINDOW, SPARSE, HEAVY))


def rates(f: Fields) -> dict[str, int]:
    """Tokens that make an entry, by kind of layer; stated layer by layer, they are the usual ones."""
    if f.has("compress_ratios") and not f.has("compress_rates"):
        return RATES
    inner = Fields(f.inside("compress_rates"), RATES, "compress_rates.")
    found = {kind: inner.whole(kind, high=LONGEST) for kind in RATES}
    f.adopt(inner)
    return found


def mixer(f: Fields, kind: str, rate: dict[str, int], eps: float) -> Compressed:
    """A kind of layer's attention."""
    heads, groups = f.whole("num_attention_heads"), f.whole("o_groups")
    divides("o_groups", groups, "num_attention_heads", heads)
    sizes = f.whole("head_dim"), f.whole("q_lora_rank"), groups, f.whole("o_lora_rank"), f.whole("sliding_window", high=LONGEST)
    scorer = f.whole("index_n_heads"), f.whole("index_head_dim"), f.whole("index_topk", high=LONGEST)
    own = (rate[SPARSE], True, *scorer) if kind == SPARSE else (rate.get(kind, 0),)
    return replace(Compressed(heads, *sizes, *own), norm_eps=eps)


def ffns(f: Fields, layers: int, words: int) -> list:
    """Experts by a table in the first layers, by a router with a bias in the others."""
    scores = f.choice("scoring_func", {name: name for name in ("sqrtsoftplus", "sigmoid", "softmax")})
    moe: MoE = routed(f, scores=scores, bias=True, normalise=f.flag("norm_topk_prob"))
    made = {"hash_moe": Hashed(replace(moe, bias=False), words), "moe": moe}
    stated = f.items("mlp_layer_types", layers)
    first = f.whole("num_hash_layers", low=0, high=DEEPEST)
    kinds = ["hash_moe" if i < first else "moe" for i in range(layers)] if stated is None else stated
    return [made[one_of("mlp_layer_types", kind, made)] for kind in kinds]


MAKERS = ("compressor.kv_proj", "compressor.gate_proj", "indexer.kv_proj", "indexer.gate_proj", "indexer.scorer.weights_proj")
FAMILY = Family(
    ("deepseek_v4",), read, DEFAULTS, unconverted=MAKERS, single=("sinks", "position_bias", "attn_hc", "ffn_hc", "hc_head")
)  # fmt: skip
