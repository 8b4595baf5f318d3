"""What readers call the fields of a description: in tables of differences, and in sentences that say what is wrong."""

import re

from core.model import registry

WORDS = {
    "heads": "heads", "kv_heads": "KV heads", "k_dim": "width of a key", "v_dim": "width of a value",
    "qk_norm": "norm on queries and keys", "norm_eps": "epsilon of its norms", "qkv_bias": "bias on queries, keys, values",
    "out_bias": "bias on the output", "scale": "factor", "softcap": "soft cap on scores", "gate": "gate on the output",
    "v_scale": "factor on values", "temperature": "temperature by position", "kv_rank": "width of the latent",
    "nope_dim": "width of a key without position", "rope_dim": "width of the rotated key",
    "q_rank": "width of the query's latent", "top_k": "picked", "hidden": "inner width",
    "shared": "inner width of the shared expert", "scores": "affinity",
    "top_groups": "groups that may be picked", "group_best": "best of a group that score it", "normalise": "gates add up to 1",
    "kernel": "taps of its convolution", "state_size": "numbers a channel keeps", "inner": "channels",
    "rank": "width of the step size's bottleneck", "width": "width of a head", "shared_gate": "gate on the shared expert",
    "reuses": "reads an earlier layer's picks", "ago": "layers back to the one it borrows from", "one": "keys are values as well",
    "conv_bias": "bias of its convolution", "proj_bias": "bias of its projections", "in_bias": "bias on the input",
    "norms": "norms on its step size, B and C", "scales": "factors on z, x, B, C and t", "fade": "factor on its slopes",
    "reads": "factors on what the two read", "says": "factors on what the two say", "first": "makes the values others mix in",
    "decay_rank": "width of the decay's bottleneck", "erase_rank": "width of the erasing rate's bottleneck",
    "value_rank": "width of the value mix's bottleneck", "gate_rank": "width of the gate's bottleneck",
    "o_groups": "groups of its output", "o_rank": "width of the output's latent", "overlap": "blocks overlap",
    "ratio": "tokens an entry is made of", "index_heads": "heads of its scorer", "index_width": "width of its scorer's heads",
    "weigh_input": "gate weighs what an expert reads", "expert_bias": "bias of the experts", "router_bias": "bias of the router",
    "gate_scale": "factor on the gate", "gate_cap": "soft cap on its gates", "words": "words in its table",
}  # fmt: skip
PARTS = {kind.prefix: kind.called for kind in registry.PARTS} | {  # what errors write before the dot
    "layer": "a layer", "norm": "the norm", "rope": "rope", "reach": "the window", "recursion": "the recursion",
}  # fmt: skip
WHOLE = {  # where the two together say less than a name of their own
    "moe.top_k": "the experts of a token", "moe.experts": "the number of experts", "moe.groups": "the groups of experts",
    "layer.mixer": "the mixer", "layer.ffn": "the feed-forward part", "rope.dim": "the numbers that rope turns",
    "attention.rope.dim": "the numbers that rope turns", "mla.rope.dim": "the numbers that rope turns",
    "reach.size": "the length of the window", "attention.kv_heads": "KV heads", "attention.heads": "query heads",
}  # fmt: skip
PARTED = re.compile(rf"(?<![\w.'\"/-])({'|'.join(PARTS)})((?:\.[a-z]\w*)+)\b(?![.(])")


def called(field: str) -> str:
    """A field in words."""
    return WORDS.get(field, field.replace("_", " "))


def readable(sentence: str) -> str:
    """A sentence in which fields of a part are called by their words: "mla.heads" -> "heads of latent attention"."""

    def words(found: re.Match) -> str:
        if found[0] in WHOLE:
            return WHOLE[found[0]]
        inner = found[2].strip(".").split(".")
        return " of ".join([called(name) for name in reversed(inner)] + [PARTS[found[1]]])

    return re.sub(r"(?<![.\w])kv_heads\b", called("kv_heads"), PARTED.sub(words, sentence))
