"""MiniMax-Text-01 and M1 (model_types "minimax_text_01", "minimax_m1", "minimax"): seven layers of lightning attention, then one
of softmax attention; the stream itself is normed and scaled; Mixtral's experts. Two words for most of its own fields."""

from dataclasses import replace

from core.errors import SpecError, short
from core.model.blocks import Full
from core.model.mixers.attention import Attention
from core.model.mixers.linear import Lightning
from core.model.spec import Layer, ModelSpec, Scales
from core.real.hf import mixtral, parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields
from core.real.hf.hybrid import KINDS, LINEAR, swap, word
from core.real.hf.llama import decoder
from core.real.hf.minimax_m2 import rotary
from core.real.hf.parts import FULL
from core.real.hf.weights import as_part, naming

DEFAULTS = {
    "vocab_size": 32000, "intermediate_size": 14336, "num_key_value_heads": 8, "head_dim": None, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000000.0, "tie_word_embeddings": False, "num_experts_per_tok": 2,
    "num_local_experts": 8, "block_size": 256, "full_attn_alpha_factor": 1.0, "full_attn_beta_factor": 1.0,
    "linear_attn_alpha_factor": 1.0, "linear_attn_beta_factor": 1.0, "mlp_alpha_factor": 1.0, "mlp_beta_factor": 1.0,
}  # fmt: skip


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    layers = parts.depth(f)
    f.off("shared_intermediate_size", "sliding_window")
    if not f.config.get("shared_intermediate_size"):
        f.has("shared_moe_mode")
    if f.has("postnorm") and f.config["postnorm"] is not True:
        raise SpecError(f"postnorm must be true, not {short(f.config['postnorm'])}")
    if f.has("head_dim"):
        rotary(f)
    kinds = types(f, layers)
    spec = decoder(f, [Full()] * layers, {}, norms="stream", ffns=[mixtral.experts(f)] * layers)
    width = as_part(Attention, spec.layers[0].mixer).k_dim
    block = f.whole("block_size", high=1 << 12)
    spec = swap(spec, kinds, {LINEAR: Lightning(f.whole("num_attention_heads"), width, block)})
    return replace(spec, layers=tuple(map(fading, map(scaled(f), spec.layers, kinds), range(layers), [layers] * layers)))


def fading(layer: Layer, place: int, layers: int) -> Layer:
    """A lightning layer's slopes by its place among all layers: the later, the longer it remembers."""
    if not isinstance(layer.mixer, Lightning):
        return layer
    return replace(layer, mixer=replace(layer.mixer, fade=1 - place / (layers - 1 + 1e-5) + 1e-5))


def types(f: Fields, layers: int) -> list[str]:
    """The kind of each layer, also as 0 and 1; without either, every second one is linear."""
    old = f.items("attn_type_list", layers)
    if old is not None:
        if wrong := [t for t in old if type(t) is not int or t not in (0, 1)]:
            raise SpecError(f"attn_type_list must hold 0 (linear) and 1 (softmax), not {short(wrong[0])}")
        return [(LINEAR, FULL)[t] for t in old]
    return parts.kinds(f, layers, [(FULL, LINEAR)[i % 2] for i in range(layers)], KINDS, guessed=True)


def scaled(f: Fields):
    """Sets the factors of a layer by its kind: alpha on the stream, beta on what a part adds."""

    def factor(part, old, letter):
        return f.number(word(f, f"{part}_{letter}_factor", f"layernorm_{old}_{letter}"), high=1e6)

    names = {FULL: ("full_attn", "full_attention"), LINEAR: ("linear_attn", "linear_attention"), "ffn": ("mlp", "mlp")}
    alpha, beta = ({key: factor(*pair, letter) for key, pair in names.items()} for letter in ("alpha", "beta"))

    def change(layer: Layer, kind: str) -> Layer:
        return replace(layer, scales=Scales(beta[kind], beta["ffn"], alpha[kind], alpha["ffn"]))

    return change


FAMILY = Family(
    ("minimax_m1", "minimax_text_01", "minimax"), read, DEFAULTS, naming(), mixtral.FAMILY.disk,
    ignored=("slope_rate", "query_decay", "key_decay", "diagonal_decay"),  # tables that the config gives
    state_dtype="own",  # the memory is kept in the dtype of the values
)  # fmt: skip
