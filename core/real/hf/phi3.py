"""Phi-3 and Phi-4 (model_type "phi3"): Llama with q, k, v fused into one matrix, gate and up into another, and a window
where `sliding_window` is set. Rope may turn only a part of each head (Phi-4-mini)."""

from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.spec import ModelSpec
from core.real.hf import parts
from core.real.hf.fields import Fields
from core.real.hf.llama import FAMILY as LLAMA
from core.real.hf.llama import decoder
from core.real.hf.weights import Entry, as_part, outer


def read(f: Fields) -> ModelSpec:
    """config -> spec."""
    f.has("original_max_position_embeddings")  # matters to longrope alone
    return decoder(f, parts.windows(f), {})


def table(spec: ModelSpec, names: list[str]) -> list[Entry]:
    """Fused matrices are split; everything else is ours behind `model.`."""
    entries = []
    for name in names:
        stem, _, leaf = name.rpartition(".self_attn.")
        mlp, _, part = name.rpartition(".mlp.")
        if leaf == "q_proj.weight":
            c = as_part(Attention, spec.layers[int(stem.split(".")[1])].mixer)
            ours = tuple(f"{stem}.self_attn.{p}_proj.weight" for p in "qkv")
            sizes = (c.heads * c.k_dim, c.kv_heads * c.k_dim, c.kv_heads * c.v_dim)
            entries.append(Entry(f"model.{stem}.self_attn.qkv_proj.weight", ours, sizes))
        elif part == "gate_proj.weight":
            hidden = as_part(Dense, spec.layers[int(mlp.split(".")[1])].ffn).hidden
            ours = (f"{mlp}.mlp.gate_proj.weight", f"{mlp}.mlp.up_proj.weight")
            entries.append(Entry(f"model.{mlp}.mlp.gate_up_proj.weight", ours, (hidden, hidden)))
        elif leaf not in ("k_proj.weight", "v_proj.weight") and part != "up_proj.weight":
            entries.append(Entry(outer(name), (name,)))
    return entries


FAMILY = LLAMA.but("phi3", read=read, table=table, defaults={
    "vocab_size": 32064, "intermediate_size": 8192, "rms_norm_eps": 1e-5, "original_max_position_embeddings": 4096,
    "sliding_window": None,
})  # fmt: skip
