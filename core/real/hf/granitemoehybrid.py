"""Granite 4.0 H (model_type "granitemoehybrid"): nine layers of Mamba-2, then one of attention; experts beside a shared layer, or
that layer alone; Granite's factors on embeddings, scores, residuals and logits."""

import re
from dataclasses import replace
from functools import reduce

from core.model.blocks import Full
from core.model.ffn.moe import MoE
from core.model.mixers.mamba import Mamba2
from core.model.rope import Rope
from core.model.spec import ModelSpec, Scales
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.hybrid import LINEAR, equal, grouped, swap, unlimited
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder, dense
from core.real.hf.parts import FULL
from core.real.hf.weights import Entry, naming, outer

OLD = {"mamba": LINEAR, "attention": FULL, LINEAR: LINEAR, FULL: FULL}  # both generations' words


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    unlimited(f)
    layers = parts.depth(f)
    kinds = [OLD[kind] for kind in parts.kinds(f, layers, [LINEAR] * layers, tuple(OLD), guessed=True)]
    settings = {**biases(f), "scale": f.number("attention_multiplier", high=1e6)}
    ropes = None if turned(f) else [Rope()] * layers
    spec = decoder(f, [Full()] * layers, settings, ropes=ropes, ffns=[ffn(f)] * layers)
    return factors(f, swap(spec, kinds, {LINEAR: mamba(f)}))


def turned(f: Fields) -> bool:
    """Whether there is rope at all; where there is none, its fields are of no use."""
    if f.raw("position_embedding_type") == "rope":
        return True
    f.seen.update(("rope_theta", "rope_scaling", "rope_parameters"))
    if f.config.get("position_embedding_type") is not None:
        f.choice("position_embedding_type", {"rope": "rope", "nope": "nope"})
    return False


def ffn(f: Fields):
    """Experts beside a layer that every token passes; without experts that layer alone."""
    count, shared = f.whole("num_local_experts", low=0), f.whole("shared_intermediate_size", high=1 << 24)
    f.seen.update(("num_experts_per_tok", "intermediate_size"))
    if not count:
        return dense(f, size="shared_intermediate_size")
    picked, hidden = f.whole("num_experts_per_tok", high=count), f.whole("intermediate_size", high=1 << 24)
    return MoE(count, picked, hidden, shared, activation=f.choice("hidden_act", parts.ACTIVATIONS))


def mamba(f: Fields) -> Mamba2:
    """The mixer of most layers."""
    heads, inner = f.whole("mamba_n_heads"), f.whole("mamba_expand") * f.whole("hidden_size")
    width = inner // heads if f.raw("mamba_d_head") == "auto" else f.whole("mamba_d_head")
    equal("mamba_n_heads x mamba_d_head", heads * width, "mamba_expand x hidden_size", inner)
    bias = f.flag("mamba_proj_bias")
    return Mamba2(
        heads, width, f.whole("mamba_d_state"), grouped(f, "mamba_n_groups", "mamba_n_heads", heads),
        f.whole("mamba_d_conv", low=2, high=64), f.flag("mamba_conv_bias"), bias, bias,
        norm_eps=f.number("rms_norm_eps", high=1.0),
    )  # fmt: skip


def factors(f: Fields, spec: ModelSpec) -> ModelSpec:
    """Granite's four factors; that on the scores is in the mixer already."""
    residual = f.number("residual_multiplier", high=1e6)
    layers = tuple(replace(layer, scales=Scales(residual, residual)) for layer in spec.layers)
    logits = 1 / f.number("logits_scaling", low=1e-6, high=1e6)
    return replace(spec, layers=layers, embed_scale=f.number("embedding_multiplier", high=1e6), logit_scale=logits)


EXPERTS = {r"\.mlp\.gate\.": ".block_sparse_moe.router.", r"\.mlp\.experts\.": ".block_sparse_moe.experts."}
SHARED = r"\.mlp\.(shared_experts\.)?"


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """The part that every token passes has gate and up in one matrix, under a name of its own."""
    own = [name for name in names if re.search(SHARED + r"(gate|up|down)_proj\.", name)]
    made = naming(EXPERTS)(spec, [name for name in names if name not in own])
    for name in own:
        theirs = re.sub(SHARED, ".shared_mlp.", outer(name))
        if "gate_proj" in name:
            ffn = spec.layers[int(name.split(".")[1])].ffn
            width = getattr(ffn, "shared", ffn.hidden)
            both = name, name.replace("gate_proj", "up_proj")
            made.append(Entry(theirs.replace("gate_proj", "input_linear"), both, (width, width)))
        elif "down_proj" in name:
            made.append(Entry(theirs.replace("down_proj", "output_linear"), (name,)))
    return made


STORED = {
    ".block_sparse_moe.input_linear.weight": ".block_sparse_moe.experts.gate_up_proj",
    ".block_sparse_moe.output_linear.weight": ".block_sparse_moe.experts.down_proj",
    ".block_sparse_moe.router.layer.weight": ".block_sparse_moe.router.weight",
}


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them."""
    return {reduce(lambda word, rule: word.replace(*rule), STORED.items(), name): tensor for name, tensor in tensors.items()}


FAMILY = LLAMA.but("granitemoehybrid", read=read, table=table, disk=disk, defaults={
    "embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 1.0,
    "num_local_experts": 8, "num_experts_per_tok": 2, "shared_intermediate_size": 1024, "position_embedding_type": None,
    "mamba_n_heads": 128, "mamba_n_groups": 1, "mamba_d_state": 256, "mamba_d_head": "auto", "mamba_d_conv": 4,
    "mamba_expand": 2, "mamba_conv_bias": True, "mamba_proj_bias": False,
})  # fmt: skip
