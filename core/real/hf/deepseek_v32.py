"""DeepSeek-V3.2 (model_type "deepseek_v32"): V3 in which a cheap scorer picks the tokens that latent attention reads.

Its maker's code (github.com/deepseek-ai/DeepSeek-V3.2-Exp, inference/model.py) says of its fp8 files what its config does not:
what weighs the scorer's heads is not converted. transformers leaves out the same module.
"""

from dataclasses import replace

from core.errors import DEEPEST, LONGEST, SpecError, one_of, short
from core.model.mixers.latent import Latent
from core.model.mixers.sparse import Indexed
from core.model.spec import ModelSpec
from core.real.hf import deepseek_v3, parts
from core.real.hf.fields import Fields
from core.real.hf.hybrid import mixed
from core.real.hf.llama import dense
from core.real.hf.weights import Deinterleave, as_part, naming


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.whole("q_lora_rank")  # the scorer reads the compressed queries
    spec = deepseek_v3.read(f)
    count = len(spec.layers)
    parts.kinds(f, count, [], ("indexed_attention", "deepseek_sparse_attention"))
    ffns = mixed(f, [layer.ffn for layer in spec.layers], dense(f), deepseek_v3.experts(f))
    made = zip(spec.layers, ffns, reuses(f, count), strict=True)
    return replace(
        spec,
        layers=tuple(replace(layer, mixer=indexed(f, as_part(Latent, layer.mixer), old), ffn=ffn) for layer, ffn, old in made),
    )


def reuses(f: Fields, layers: int) -> list[bool]:
    """Which layers take the picks of an earlier one: a list says so, a pattern of F and S, or a rule (GLM-5's later versions)."""
    stated = f.items("indexer_types", layers)
    f.seen.update(("index_topk_freq", "index_skip_topk_offset"))  # a list of layers goes first
    if stated is not None:
        return [one_of("indexer_types", kind, ("full", "shared")) == "shared" for kind in stated]
    if f.has("index_topk_pattern"):
        value = f.config["index_topk_pattern"]
        if not isinstance(value, str) or len(value) != layers or set(value) - set("FS"):
            raise SpecError(f"index_topk_pattern must be a letter F or S for each of {layers:,} layers, not {short(value)}")
        return [letter == "S" for letter in value]
    every = f.whole("index_topk_freq", high=DEEPEST) if f.has("index_topk_freq") else 1
    offset = f.whole("index_skip_topk_offset", low=0, high=DEEPEST) if f.has("index_skip_topk_offset") else 2
    return [max(i - offset + 1, 0) % every != 0 for i in range(layers)]


def indexed(f: Fields, latent: Latent, old: bool) -> Indexed:
    """The scorer in front of a layer's attention; as much of its heads is turned as of the latent's."""
    f.has("indexer_rope_interleave")  # the order of the pairs: it changes no count
    width = f.whole("index_head_dim", low=latent.rope_dim)
    return Indexed(latent, f.whole("index_n_heads"), width, latent.rope_dim, f.whole("index_topk", high=LONGEST), old)


def turned(spec: ModelSpec, name: str) -> tuple:
    """The latent's pairs are put apart as in V3; the scorer's already stand half a width apart."""
    stem, _, leaf = name.rpartition(".self_attn.")
    part = leaf.partition(".")[0]
    if part not in ("q_b_proj", "kv_a_proj_with_mqa"):
        return ()
    c = as_part(Indexed, spec.layers[int(stem.split(".")[1])].mixer).latent
    return (Deinterleave(c.rope_dim, 0 if part == "kv_a_proj_with_mqa" else c.k_dim),)


FAMILY = deepseek_v3.FAMILY.but(
    "deepseek_v32", read=read, table=naming(ops=turned), unconverted=("indexer.weights_proj",),
    defaults={"index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048},
)  # fmt: skip
