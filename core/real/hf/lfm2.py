"""LFM2 (model_type "lfm2"): gated short convolutions, with attention in a few layers. `block_ff_dim` is not the width that is
built: two thirds of it, rounded up, unless `block_auto_adjust_ff_dim` is off."""

from core.errors import SpecError, short
from core.model.blocks import Full
from core.model.ffn.dense import Dense
from core.model.mixers.shortconv import GatedConv
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import swap
from core.real.hf.llama import decoder
from core.real.hf.parts import FULL
from core.real.hf.weights import naming

CONV = "conv"
DEFAULTS = {
    "vocab_size": 65536, "intermediate_size": 12288, "num_key_value_heads": 8, "norm_eps": 1e-5, "rope_theta": 1000000.0,
    "tie_word_embeddings": True, "conv_bias": False, "conv_L_cache": 3, "block_multiple_of": 256, "block_ffn_dim_multiplier": 1.0,
    "block_auto_adjust_ff_dim": True,
}  # fmt: skip
ALSO = """block_dim block_mlp_init_scale block_norm_eps block_out_init_scale block_use_swiglu block_use_xavier_init conv_dim
conv_dim_out conv_use_xavier_init num_heads theta use_pos_enc""".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return stack(f, [Dense(adjusted(f))] * parts.depth(f))


def stack(f: Fields, ffns: list) -> ModelSpec:
    """The layers, with these feed-forward parts."""
    layers = len(ffns)
    f.seen.update(ALSO)  # said again by other fields, or of no use to the reference
    f.take("rms_norm_eps", f.number("norm_eps", high=1.0))
    f.take("tie_word_embeddings", f.flag(tied(f)))
    kinds = parts.kinds(f, layers, numbered(f, layers), (FULL, CONV), not f.has("full_attn_idxs"))
    spec = decoder(f, [Full()] * layers, {"qk_norm": "head"}, ffns=ffns)
    return swap(spec, kinds, {CONV: GatedConv(f.whole("conv_L_cache", low=2, high=64), f.flag("conv_bias"))})


def tied(f: Fields) -> str:
    """The word for tied tables that goes before the other."""
    f.has("tie_word_embeddings")
    return "tie_embedding" if f.has("tie_embedding") else "tie_word_embeddings"


def numbered(f: Fields, layers: int) -> list[str]:
    """Kinds from the numbers of the layers with attention, which are all where none are given."""
    if not f.has("full_attn_idxs"):
        return [FULL] * layers
    value = f.config["full_attn_idxs"]
    if not isinstance(value, list) or not all(type(i) is int and 0 <= i < layers for i in value):
        raise SpecError(f"full_attn_idxs must be a list of layer numbers from 0 to {layers - 1:,}, not {short(value)}")
    return [FULL if i in set(value) else CONV for i in range(layers)]


def adjusted(f: Fields) -> int:
    """The inner width that is built."""
    width = f.whole("block_ff_dim" if f.has("block_ff_dim") else "intermediate_size", high=1 << 24)
    f.has("intermediate_size")
    each, factor = f.whole("block_multiple_of"), f.raw("block_ffn_dim_multiplier")
    if not f.flag("block_auto_adjust_ff_dim"):
        return width
    width = max(1, int(2 * width / 3))
    if factor is None:
        return width
    return -(-max(1, int(f.number("block_ffn_dim_multiplier", high=64) * width)) // each) * each


NAMES = {
    r"^model\.norm\.": "model.embedding_norm.", r"\.input_layernorm\.": ".operator_norm.",
    r"\.post_attention_layernorm\.": ".ffn_norm.", r"\.self_attn\.o_proj\.": ".self_attn.out_proj.",
    r"\.([qk])_norm\.": r".\1_layernorm.", r"\.mlp\.gate\.e_score_correction_bias": ".feed_forward.expert_bias",
    r"\.mlp\.gate_proj\.": ".feed_forward.w1.", r"\.mlp\.up_proj\.": ".feed_forward.w3.",
    r"\.mlp\.down_proj\.": ".feed_forward.w2.", r"\.mlp\.": ".feed_forward.",
}  # fmt: skip


FAMILY = Family(("lfm2",), read, DEFAULTS, naming(NAMES))
