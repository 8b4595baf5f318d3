"""GPT-2 (model_type "gpt2"): MHA without rope, learned positions, LayerNorm, plain GELU, biases everywhere.

Its matrices are stored transposed, q, k and v in one. On disk the names come without the `transformer.` prefix, and with
mask buffers that are not weights.
"""

import re

from core.errors import DEEPEST, LONGEST, divides
from core.model.blocks import Norm
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.spec import Layer, ModelSpec
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.weights import Entry, Transpose, outer

DEFAULTS = {
    "vocab_size": 50257, "n_positions": 1024, "n_inner": None, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
}  # fmt: skip

NAMES = {
    "embed_tokens": "wte", "embed_positions": "wpe", "layers": "h", "norm": "ln_f", "input_layernorm": "ln_1",
    "post_attention_layernorm": "ln_2", "self_attn.o_proj": "attn.c_proj", "mlp.up_proj": "mlp.c_fc",
    "mlp.down_proj": "mlp.c_proj",
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    hidden, heads, depth = f.whole("n_embd"), f.whole("n_head"), f.whole("n_layer", high=DEEPEST)
    divides("n_head", heads, "n_embd", hidden)
    f.has("n_ctx")  # the old name of n_positions
    f.off("add_cross_attention")
    width = hidden // heads
    scale = 0.0 if f.flag("scale_attn_weights") else 1.0  # 0: the usual one
    by_layer = f.flag("scale_attn_by_inverse_layer_idx")
    inner = f.optional("n_inner", high=1 << 24) or 4 * hidden
    ffn = Dense(inner, f.choice("activation_function", parts.ACTIVATIONS), gated=False, bias=True)
    norm = Norm("layer", f.number("layer_norm_epsilon", high=1.0))

    def layer(i):
        own = (scale or width**-0.5) / (i + 1) if by_layer else scale
        return Layer(Attention(heads, heads, width, width, qkv_bias=True, out_bias=True, scale=own), ffn)

    layers, tied, positions = tuple(map(layer, range(depth))), f.flag("tie_word_embeddings"), f.whole("n_positions", high=LONGEST)
    return ModelSpec("", hidden, parts.vocabulary(f), layers, norm, tied, positions)


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Renamed, transposed, and q, k, v taken apart."""
    entries, thirds = [], (spec.d_model,) * 3
    for name in names:
        stem, _, leaf = name.rpartition(".self_attn.")
        part, _, kind = leaf.partition(".")
        if part == "q_proj":
            ours = tuple(f"{stem}.self_attn.{p}_proj.{kind}" for p in "qkv")
            entries.append(Entry(f"transformer.{renamed(stem)}.attn.c_attn.{kind}", ours, thirds, turned(kind == "weight")))
        elif part not in ("k_proj", "v_proj"):
            entries.append(Entry(outer(renamed(name), "transformer."), (name,), ops=turned(name.endswith("_proj.weight"))))
    return entries


def turned(matrix: bool) -> tuple:
    """What is done to a matrix; nothing to a vector or a table."""
    return (Transpose(),) if matrix else ()


def renamed(name: str) -> str:
    """layers.0.mlp.up_proj.weight -> h.0.mlp.c_fc.weight."""
    for ours, theirs in NAMES.items():
        name = re.sub(rf"(^|\.){re.escape(ours)}(\.|$)", rf"\g<1>{theirs}\g<2>", name)
    return name


def disk(tensors: dict) -> dict:
    """Names as files on the hub have them -> names as the loaded model has them."""
    return {name if name.startswith("transformer.") else outer(name, "transformer."): t for name, t in tensors.items()}


FAMILY = Family(
    ("gpt2",), read, DEFAULTS, table, disk, context="n_positions",
    ignored=(".attn.bias", ".attn.masked_bias"),  # causal masks, stored in old checkpoints
)  # fmt: skip
