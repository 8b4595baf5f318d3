"""xLSTM 7B (model_type "xlstm"): mLSTM and a gated feed-forward layer in every block, logits capped softly. Its state is kept in
the dtype of the model."""

from core.errors import DEEPEST, SpecError, divides
from core.model.blocks import Norm
from core.model.ffn.dense import Dense
from core.model.mixers.xlstm import MLstm
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import only
from core.real.hf.weights import naming

DEFAULTS = {
    "vocab_size": 50304, "num_heads": 8, "tie_word_embeddings": False, "norm_eps": 1e-6, "qk_dim_factor": 0.5,
    "v_dim_factor": 1.0, "ffn_proj_factor": 2.667, "ffn_round_up_to_multiple_of": 64, "gate_soft_cap": 15.0,
    "output_logit_soft_cap": 30.0,
}  # fmt: skip

HOW = """chunkwise_kernel sequence_kernel step_kernel mode chunk_size return_last_states autocast_kernel_dtype eps
inference_state_dtype norm_reduction_force_float32 max_inference_chunksize weight_mode embedding_dim num_blocks""".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.seen.update(HOW)  # how it is run; the last two say again what other fields say
    f.off("use_bias")
    only(f, add_out_norm=True)
    hidden = f.whole("hidden_size" if f.has("hidden_size") or not f.has("embedding_dim") else "embedding_dim")
    depth = f.whole("num_hidden_layers" if f.has("num_hidden_layers") or not f.has("num_blocks") else "num_blocks", high=DEEPEST)
    norm = Norm("rms", f.number("norm_eps", high=1.0))
    each = f.whole("ffn_round_up_to_multiple_of")
    inner = int((scaled(f, "ffn_proj_factor", hidden) + each - 1) // each * each)
    layer = Layer(mixer(f, hidden, norm.eps), Dense(inner))
    return ModelSpec(
        "", hidden, parts.vocabulary(f), (layer,) * depth, norm, f.flag("tie_word_embeddings"),
        softcap=f.number("output_logit_soft_cap", high=1e6),
    )  # fmt: skip


def mixer(f: Fields, hidden: int, eps: float) -> MLstm:
    """The mLSTM; its widths are factors of the model's."""
    heads = f.whole("num_heads")
    keys, values = (int(scaled(f, name, hidden)) for name in ("qk_dim_factor", "v_dim_factor"))
    for name, width in (("qk_dim_factor", keys), ("v_dim_factor", values)):
        divides("num_heads", heads, f"{name} x hidden_size", width)
    return MLstm(heads, keys // heads, values // heads, f.number("gate_soft_cap", high=1e6), eps)


def scaled(f: Fields, name: str, hidden: int) -> float:
    """A factor times the model's width."""
    width = f.number(name, high=1024) * hidden
    if width < 1:
        raise SpecError(f"{name} x hidden_size must be at least 1, not {width:g}")
    return width


NAMES = {
    r"^model\.embed_tokens\.": "backbone.embeddings.", r"^model\.norm\.": "backbone.out_norm.",
    r"^model\.layers\.": "backbone.blocks.", r"\.input_layernorm\.": ".norm_mlstm.",
    r"\.post_attention_layernorm\.": ".norm_ffn.", r"\.mlp\.gate_proj\.": ".ffn.proj_up_gate.",
    r"\.mlp\.up_proj\.": ".ffn.proj_up.", r"\.mlp\.down_proj\.": ".ffn.proj_down.",
}  # fmt: skip


FAMILY = Family(("xlstm",), read, DEFAULTS, naming(NAMES), state_dtype="own")
