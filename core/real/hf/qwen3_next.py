"""Qwen3-Next (model_type "qwen3_next"): three layers of Gated DeltaNet, then one of attention with a gate on its output, a norm
on each head and a quarter of each head turned; experts beside a shared one with a gate of its own."""

from dataclasses import replace

from core.errors import divides
from core.model.blocks import Full
from core.model.ffn.moe import MoE
from core.model.mixers.delta import GatedDelta
from core.model.spec import ModelSpec
from core.real.hf import parts, qwen3_moe
from core.real.hf.fields import Fields
from core.real.hf.hybrid import KINDS, LINEAR, every, swap
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import biases, decoder
from core.real.hf.weights import AddOne, Entry, Regroup, as_part, outer, renamed, stacked


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    return stack(f, [shared(f, ffn) for ffn in qwen3_moe.ffns(f, parts.depth(f))])


def stack(f: Fields, ffns: list | None) -> ModelSpec:
    """The layers, with these feed-forward parts."""
    layers = parts.depth(f)
    kinds = parts.kinds(f, layers, every(f, layers), KINDS)
    settings = {"qk_norm": "head", "gate": True, **biases(f)}
    spec = decoder(f, [Full()] * layers, settings, ffns=ffns)
    return swap(spec, kinds, {LINEAR: delta(f)})


def delta(f: Fields) -> GatedDelta:
    """The mixer of the other layers."""
    key_heads, value_heads = f.whole("linear_num_key_heads"), f.whole("linear_num_value_heads")
    divides("linear_num_key_heads", key_heads, "linear_num_value_heads", value_heads)
    return GatedDelta(
        key_heads,
        value_heads,
        f.whole("linear_key_head_dim"),
        f.whole("linear_value_head_dim"),
        f.whole("linear_conv_kernel_dim", low=2, high=64),
        f.number("rms_norm_eps", high=1.0),
    )


def shared(f: Fields, ffn) -> MoE:
    """Experts with a shared one beside them; a dense layer as it is."""
    if not isinstance(ffn, MoE):
        return ffn
    width = f.whole("shared_expert_intermediate_size", low=0, high=1 << 24)
    return replace(ffn, shared=width, shared_gate=width > 0)


SHARED = {r"\.mlp\.shared_experts\.": ".mlp.shared_expert."}


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Norms are 1 + w but for that on the memory; what a key head makes stands together."""
    made = []
    for name in names:
        if ".linear_attn.in_proj_" not in name:
            made.append(Entry(renamed(name, SHARED), (name,), ops=shifted(spec, name)))
        elif name.endswith(("_qkv.weight", "_b.weight")):
            made.append(together(spec, name))
    return made


def shifted(spec: ModelSpec, name: str) -> tuple:
    """Norms that multiply by 1 + w: all but that on the memory."""
    return (AddOne(),) if name.endswith("norm.weight") and ".linear_attn." not in name else ()


def together(spec: ModelSpec, name: str) -> Entry:
    """Queries, keys, values and gates in one matrix; write strength and decay in another."""
    stem = name.rpartition("_")[0]
    c = as_part(GatedDelta, spec.layers[int(name.split(".")[1])].mixer)
    each = c.value_heads // c.key_heads
    rows: tuple[int, ...]
    if name.endswith("_qkv.weight"):
        rows, ours = (c.k_dim, c.k_dim, each * c.v_dim, each * c.v_dim), ("qkv", "z")
        sizes = (c.channels, c.value_heads * c.v_dim)
    else:
        rows, ours, sizes = (each, each), ("b", "a"), (c.value_heads, c.value_heads)
    theirs = outer(f"{stem}_{''.join(ours)}.weight")
    return Entry(theirs, tuple(f"{stem}_{part}.weight" for part in ours), sizes, (Regroup(c.key_heads, rows),))


def disk(tensors: dict) -> dict:
    """Tensors as files on the hub have them -> as the loaded model has them; multi-token predictors are left out."""
    return stacked({name: tensor for name, tensor in tensors.items() if not name.startswith("mtp.")})


FAMILY = LLAMA.but("qwen3_next", read=read, table=table, disk=disk, defaults={
    "vocab_size": 151936, "intermediate_size": 5632, "num_key_value_heads": 2, "head_dim": 256, "partial_rotary_factor": 0.25,
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16,
    "linear_num_value_heads": 32, "decoder_sparse_step": 1, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "num_experts_per_tok": 10, "num_experts": 512, "norm_topk_prob": True,
    "mlp_only_layers": [],
})  # fmt: skip
