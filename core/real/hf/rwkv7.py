"""RWKV-7 (model_type "rwkv7"; "rwkv7_fla"): time mixing, channel mixing, LayerNorms with biases, one of them on the embeddings.

Fields as the flash-linear-attention library writes them; the transformers library has no such class.
"""

from core.errors import SpecError, divides, short
from core.model.blocks import Norm
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import equal, only, word

DEFAULTS = {
    "vocab_size": 32000, "hidden_ratio": 4, "intermediate_size": None, "head_dim": 64, "decay_low_rank_dim": 64,
    "gate_low_rank_dim": 128, "a_low_rank_dim": 64, "v_low_rank_dim": 16, "norm_eps": 1e-5, "tie_word_embeddings": False,
}  # fmt: skip
HOW = "attn_mode fuse_norm fuse_cross_entropy fuse_linear_cross_entropy use_l2warp value_dim".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.seen.update(HOW)
    f.off("attn")
    only(f, norm_first=True, norm_bias=True, hidden_act="sqrelu")
    hidden, depth = f.whole("hidden_size"), parts.depth(f)
    ffn = ChannelMix(inner(f, hidden))
    layers = tuple(Layer(mixer(f, hidden, first=i == 0), ffn) for i in range(depth))
    norm = Norm("layer", f.number("norm_eps", high=1.0))
    return ModelSpec("", hidden, parts.vocabulary(f), layers, norm, f.flag("tie_word_embeddings"), embed_norm=True)


def mixer(f: Fields, hidden: int, first: bool) -> Rwkv7:
    """Time mixing; heads by their number, by their width or by both."""
    width = f.whole(word(f, "head_dim", "head_size"))
    divides(word(f, "head_dim", "head_size"), width, "hidden_size", hidden)
    if f.has("num_heads") or f.has("num_attention_heads"):
        name = word(f, "num_heads", "num_attention_heads")
        equal(f"{name} x head width", f.whole(name) * width, "hidden_size", hidden)
    f.has("num_attention_heads")
    decay, rate, value, gate = (f.whole(f"{part}_low_rank_dim") for part in ("decay", "a", "v", "gate"))
    return Rwkv7(hidden // width, width, decay, rate, value, gate, first)


def inner(f: Fields, hidden: int) -> int:
    """Width of channel mixing: as stated, or a multiple of the model's."""
    stated = f.optional("intermediate_size", high=1 << 24)
    ratio = f.raw("hidden_ratio") if stated is None else None
    f.has("hidden_ratio")
    if stated is None and ratio is None:
        raise SpecError(f"hidden_ratio must be a number where intermediate_size is null, not {short(ratio)}")
    return stated or max(32, int(f.number("hidden_ratio", low=1 / 64, high=1024) * hidden) // 32 * 32)


FAMILY = Family(("rwkv7", "rwkv7_fla"), read, DEFAULTS)
