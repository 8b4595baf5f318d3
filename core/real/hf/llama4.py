"""Llama 4 (model_type "llama4_text", or "llama4": the same inside a model that also sees): three layers that read their own chunk
and turn queries and keys, then one that reads everything and turns nothing, its queries growing with position; experts in every
layer or every other, one a token beside a shared one, weighed by a sigmoid on what it reads.

Rope's pairs are neighbours in the released weights; experts are stored turned, (E, D, 2F) and (E, F, D).
"""

from core.errors import LONGEST, SpecError, short
from core.model.blocks import Chunk, Full
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention, Temperature
from core.model.rope import Rope
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder, dense
from core.real.hf.smollm3 import rotated
from core.real.hf.weights import Deinterleave, Transpose, as_part, naming

CHUNKED = "chunked_attention"
NAMES = {r"\.mlp\.": ".feed_forward.", r"\.gate\.": ".router.", r"\.shared_experts\.": ".shared_expert."}


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.off("for_llm_compressor")
    layers, turned = parts.depth(f), rotated(f, parts.depth(f))
    rope = parts.rope(f, parts.heads(f)[2])
    normed, heat = "bare" if f.flag("use_qk_norm") else "none", temperature(f)
    own = [{"qk_norm": normed} if t else {"temperature": heat} for t in turned]
    ropes = [rope if t else Rope() for t in turned]
    return decoder(f, reaches(f, turned), biases(f), ropes=ropes, ffns=ffns(f, layers), own=own)


def reaches(f: Fields, turned: list[bool]) -> list[Full]:
    """How far each layer reads: by `layer_types`, else layers that turn read their chunk and the others everything."""
    kinds = parts.kinds(f, len(turned), [CHUNKED if t else parts.FULL for t in turned], (CHUNKED, parts.FULL))
    f.has("attention_chunk_size")
    chunk = Chunk(f.whole("attention_chunk_size", high=LONGEST)) if CHUNKED in kinds else Full()
    return [chunk if kind == CHUNKED else Full() for kind in kinds]


def temperature(f: Fields) -> Temperature:
    """How queries grow with position on layers that do not turn. The first files say 4 for true."""
    every, growth = f.whole("floor_scale", high=LONGEST), f.number("attn_scale")
    on = f.raw("attn_temperature_tuning")
    return Temperature(every, growth) if on == 4 or f.flag("attn_temperature_tuning") else Temperature()


def ffns(f: Fields, layers: int) -> list:
    """The layers' feed-forward parts: experts in those that `moe_layers` names, else in every so many-th."""
    every = f.whole("interleave_moe_layer_step")
    named = f.raw("moe_layers") if f.has("moe_layers") else range(every - 1, layers, every)
    if not isinstance(named, (list, range)) or not all(type(i) is int for i in named):
        raise SpecError(f"{f.where}moe_layers must be a list of layer numbers, not {short(named)}")
    own, moe, named = dense(f, size="intermediate_size_mlp"), experts(f), set(named)
    return [moe if i in named else own for i in range(layers)]


def experts(f: Fields) -> MoE:
    """Routed experts and one that every token passes, all of one width."""
    count, hidden = f.whole("num_local_experts", low=2), f.whole("intermediate_size", high=1 << 24)
    picked, activation = f.whole("num_experts_per_tok", high=count), f.choice("hidden_act", parts.ACTIVATIONS)
    return MoE(count, picked, hidden, hidden, "sigmoid", normalise=False, activation=activation, weigh_input=True)


def changed(spec: ModelSpec, name: str) -> tuple:
    """Experts are turned; rows of queries and keys that rope turns are put apart."""
    words = name.split(".")
    if "experts" in words:
        return (Transpose(),)
    if "q_proj" in words or "k_proj" in words:
        c = as_part(Attention, spec.layers[int(words[1])].mixer)
        return (Deinterleave(block=c.k_dim),) if c.rope.dim else ()
    return ()


FAMILY = LLAMA.but("llama4_text", wrapper="llama4", read=read, table=naming(NAMES, changed), defaults={
    "vocab_size": 202048, "intermediate_size": 8192, "intermediate_size_mlp": 16384, "num_key_value_heads": 8, "head_dim": 128,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "num_experts_per_tok": 1, "num_local_experts": 16,
    "interleave_moe_layer_step": 1, "use_qk_norm": True, "no_rope_layer_interval": 4, "attention_chunk_size": 8192,
    "attn_temperature_tuning": True, "floor_scale": 8192, "attn_scale": 0.1, "max_position_embeddings": 131072,
})  # fmt: skip
