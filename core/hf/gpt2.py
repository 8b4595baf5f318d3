"""GPT-2 (model_type "gpt2"): MHA without rope, learned positions, LayerNorm, plain GELU, biases everywhere.

Its matrices are stored transposed, q, k and v in one. On disk the names come without the `transformer.` prefix, and with
mask buffers that are not weights.
"""

from core.blocks import Full, Norm
from core.errors import DEEPEST, divides
from core.ffn.dense import Dense
from core.hf import parts
from core.hf.fields import Fields
from core.hf.weights import Entry
from core.mixers.attention import Attention
from core.spec import Layer, ModelSpec

DEFAULTS = {
    "vocab_size": 50257, "n_positions": 1024, "n_inner": None, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}  # fmt: skip

CONTEXT = "n_positions"
IGNORE = (".attn.bias", ".attn.masked_bias")  # causal masks, stored in old checkpoints
NAMES = {
    "embed_tokens": "wte", "embed_positions": "wpe", "norm": "ln_f", "input_layernorm": "ln_1", "post_attention_layernorm": "ln_2",
    "self_attn.o_proj": "attn.c_proj", "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj", "layers": "h",
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    hidden, heads, layers = f.whole("n_embd"), f.whole("n_head"), f.whole("n_layer", high=DEEPEST)
    divides("n_head", heads, "n_embd", hidden)
    f.has("n_ctx")  # the old name of n_positions
    for name, usual in (("scale_attn_weights", True), ("scale_attn_by_inverse_layer_idx", False), ("add_cross_attention", False)):
        if f.flag(name) != usual:
            f.seen.discard(name)  # a variant that we do not build: said so, as an unknown field
    attention = Attention(heads, heads, hidden // heads, hidden // heads, reach=Full(), qkv_bias=True, out_bias=True)
    inner = f.optional("n_inner", high=1 << 24) or 4 * hidden
    ffn = Dense(inner, f.choice("activation_function", parts.ACTIVATIONS), gated=False, bias=True)
    norm = Norm("layer", f.number("layer_norm_epsilon", high=1.0))
    positions = f.whole("n_positions", high=1 << 30)
    tied = f.flag("tie_word_embeddings")
    return ModelSpec("", hidden, parts.vocabulary(f), (Layer(attention, ffn),) * layers, norm, tied, positions)


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Renamed, transposed, and q, k, v taken apart."""
    entries, width = [], spec.d_model
    for name in names:
        stem, _, leaf = name.rpartition(".self_attn.")
        if leaf in ("q_proj.weight", "q_proj.bias"):
            kind = leaf.split(".")[1]
            ours = tuple(f"{stem}.self_attn.{p}_proj.{kind}" for p in "qkv")
            theirs = f"transformer.{renamed(stem)}.attn.c_attn.{kind}"
            entries.append(Entry(theirs, ours, (width,) * 3, transpose=kind == "weight"))
        elif not leaf.startswith(("k_proj", "v_proj")):
            matrix = name.endswith("_proj.weight")
            entries.append(Entry(name if name.startswith("lm_head.") else f"transformer.{renamed(name)}", (name,), transpose=matrix))
    return entries


def renamed(name: str) -> str:
    """Our name in GPT-2's words."""
    for ours, theirs in NAMES.items():
        parts_ = name.split(".")
        wanted = ours.split(".")
        for i in range(len(parts_) - len(wanted) + 1):
            if parts_[i : i + len(wanted)] == wanted:
                parts_[i : i + len(wanted)] = theirs.split(".")
                name = ".".join(parts_)
                break
    return name


def disk(tensors: dict) -> dict:
    """Names as files on the hub have them -> names as the loaded model has them."""
    return {name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": t for name, t in tensors.items()}
