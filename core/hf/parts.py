"""Pieces that several families' configs share: sizes, rope in both generations of configs, layer types, activations."""

import math

from core.blocks import Full, Window
from core.errors import DEEPEST, LARGEST_VOCABULARY, SpecError, divides, number, one_of, short, whole
from core.hf.fields import Fields
from core.rope import Linear, Llama3, LongRope, NoScaling, Rope, Yarn

ACTIVATIONS = {
    "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "relu": "relu", "relu2": "relu2",
}  # fmt: skip


def depth(f: Fields) -> int:
    """Number of layers."""
    return f.whole("num_hidden_layers", high=DEEPEST)


def vocabulary(f: Fields) -> int:
    """Rows of the embedding table."""
    return f.whole("vocab_size", high=LARGEST_VOCABULARY)


def heads(f: Fields) -> tuple[int, int, int]:
    """Query heads, KV heads, head width; the width is hidden / heads only where the config does not state it."""
    hidden, count = f.whole("hidden_size"), f.whole("num_attention_heads")
    kv = f.or_else("num_key_value_heads", f.defaults.get("num_key_value_heads") or count) if not null(f, "num_key_value_heads") else count
    divides("num_key_value_heads", kv, "num_attention_heads", count)
    if f.has("head_dim"):
        return count, kv, f.whole("head_dim")
    if f.defaults.get("head_dim"):
        return count, kv, f.or_else("head_dim", f.defaults["head_dim"])
    divides("num_attention_heads", count, "hidden_size", hidden)
    return count, kv, f.or_else("head_dim", hidden // count)


def null(f: Fields, name: str) -> bool:
    """Whether the config says null, which is not the same as saying nothing."""
    return name in f.config and f.config[name] is None


def rope(f: Fields, head_dim: int) -> Rope:
    """From `rope_parameters` (transformers 5), or `rope_theta` with `rope_scaling` (before)."""
    inner = {**f.inside("rope_scaling"), **f.inside("rope_parameters")}
    base = inner.pop("rope_theta", None)
    base = f.number("rope_theta", low=1.0) if base is None or f.has("rope_theta") else number("rope_theta", base, low=1.0, high=1e15)
    partial = inner.pop("partial_rotary_factor", None)
    if partial is None:
        partial = f.config.get("partial_rotary_factor", 1.0) if f.has("partial_rotary_factor") else 1.0
    width = int(head_dim * number("partial_rotary_factor", partial, high=1.0))
    if width % 2:
        raise SpecError(f"partial_rotary_factor must give an even number of head_dim ({head_dim}) to rotate, not {width}")
    return Rope(width, base, scaling(f, inner, width))


def scaling(f: Fields, inner: dict, width: int) -> NoScaling:
    """Context extension: what `rope_type` (once `type`) names."""
    kind = inner.get("rope_type", inner.get("type", "default"))
    kinds = ("default", "linear", "dynamic", "llama3", "yarn", "longrope", "su")
    kind = one_of("rope_scaling.rope_type", kind, kinds)
    r = Fields(inner, {}, "rope_scaling.")
    if kind == "linear":
        return Linear(r.number("factor", low=1e-3))
    if kind == "llama3":
        return Llama3(r.number("factor", 1e-3), r.number("low_freq_factor"), r.number("high_freq_factor"), original(f, r))
    if kind == "yarn":
        return yarn(f, r)
    if kind in ("longrope", "su"):
        return longrope(f, r, width)
    return NoScaling()  # dynamic changes nothing within the original context


def original(f: Fields, r: Fields) -> int:
    """The context that the model was first trained for."""
    source = r if r.has("original_max_position_embeddings") else f
    return source.or_else("original_max_position_embeddings", context(f) or 4096, high=1 << 30)


def yarn(f: Fields, r: Fields) -> Yarn:
    """YaRN, with the factor on cos and sin that its mscale fields give."""
    first = original(f, r)
    factor = r.number("factor", 1e-3) if r.has("factor") else (context(f) or first) / first
    if r.has("attention_factor"):
        magnitude = r.number("attention_factor", high=100)
    elif r.config.get("mscale") and r.config.get("mscale_all_dim"):
        magnitude = mscale(factor, r.number("mscale", high=100)) / mscale(factor, r.number("mscale_all_dim", high=100))
    else:
        magnitude = mscale(factor, 1.0)
    fast = r.number("beta_fast", low=1e-3) if r.has("beta_fast") else 32.0
    slow = r.number("beta_slow", low=1e-3) if r.has("beta_slow") else 1.0
    return Yarn(factor, first, fast, slow, magnitude, r.flag("truncate") if r.has("truncate") else True)


def mscale(factor: float, weight: float) -> float:
    """YaRN's attention temperature (arXiv 2309.00071, section 3.4)."""
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


def longrope(f: Fields, r: Fields, width: int) -> LongRope:
    """LongRoPE's short factors, one a pair, and its magnitude."""
    factors = r.items("short_factor", width // 2)
    if factors is None or len(r.config["short_factor"]) != width // 2:
        raise SpecError(f"rope_scaling.short_factor must be a list of {width // 2} numbers, one a pair of rotated dimensions")
    first = original(f, r)
    factor = r.number("factor", 1e-3) if r.has("factor") else (context(f) or first) / first
    magnitude = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(max(first, 2)))
    if r.has("attention_factor"):
        magnitude = r.number("attention_factor", high=100)
    return LongRope(tuple(number("rope_scaling.short_factor", x, low=1e-6, high=1e9) for x in factors), magnitude)


def context(f: Fields, name: str = "max_position_embeddings") -> int | None:
    """The longest context that the config states, or None."""
    return whole(name, f.config[name], high=1 << 30) if f.has(name) else None


def reaches(f: Fields, layers: int, sliding: list[bool]) -> list[Full]:
    """How far each layer reads: `layer_types` where stated, else the family's rule (`sliding`), with `sliding_window`."""
    types = f.items("layer_types", layers)
    if types is not None:
        sliding = [one_of("layer_types", t, ("full_attention", "sliding_attention")) == "sliding_attention" for t in types]
    if not any(sliding):
        f.has("sliding_window")
        return [Full()] * layers
    window = f.optional("sliding_window")
    if window is None:
        raise SpecError(f"sliding_window must be a whole number where layers are sliding, not {short(window)}")
    return [Window(window) if local else Full() for local in sliding]
