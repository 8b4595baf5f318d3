"""Pieces that several families' configs share: sizes, rope in both generations of configs, layer types, activations."""

import math
from collections.abc import Callable

from core.errors import DEEPEST, LARGEST_VOCABULARY, LONGEST, SpecError, divides, number, one_of, short
from core.model.blocks import Full, Window
from core.model.rope import Linear, Llama3, LongRope, NoScaling, Ntk, Rope, Yarn
from core.real.hf.fields import Fields

FULL, SLIDING = LAYER_TYPES = ("full_attention", "sliding_attention")

KINDS_OF_SCALING = ("default", "linear", "dynamic", "llama3", "yarn", "longrope", "su", "mrope")
ACTIVATIONS = {
    "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "gelu_accurate": "gelu_tanh", "gelu_python": "gelu", "relu": "relu", "relu2": "relu2",
}  # fmt: skip


def depth(f: Fields) -> int:
    """Number of layers."""
    return f.whole("num_hidden_layers", high=DEEPEST)


def vocabulary(f: Fields) -> int:
    """Rows of the embedding table."""
    return f.whole("vocab_size", high=LARGEST_VOCABULARY)


def heads(f: Fields) -> tuple[int, int, int]:
    """Query heads, KV heads, head width. KV heads that are null are as many as query heads; a width that neither the
    config nor the class states is hidden / heads."""
    hidden, count = f.whole("hidden_size"), f.whole("num_attention_heads")
    kv = f.optional("num_key_value_heads") or count
    divides("num_key_value_heads", kv, "num_attention_heads", count)
    usual = f.defaults.get("head_dim")
    if not usual and not f.has("head_dim"):
        divides("num_attention_heads", count, "hidden_size", hidden)
    return count, kv, f.or_else("head_dim", usual or hidden // count)


def rope(f: Fields, head_dim: int, r: Fields | None = None, base: str = "rope_theta") -> Rope:
    """From `rope_parameters` (transformers 5), or `rope_theta` with `rope_scaling` (before). `r` is the object to read where it
    is another one, `base` the field outside it that holds the base."""
    r = r or rope_fields(f)
    f.seen.update((base, "partial_rotary_factor"))  # what stands within goes first
    theta = r.number("rope_theta", low=2) if r.has("rope_theta") else f.number(base, low=2)
    partial = r if r.has("partial_rotary_factor") else f
    usual = "partial_rotary_factor" in f.defaults or partial.has("partial_rotary_factor")
    width = int(head_dim * (partial.number("partial_rotary_factor", high=1.0) if usual else 1.0))
    if width % 2:
        raise SpecError(f"head_dim ({head_dim}) x partial_rotary_factor must be even, not {width}")
    scaled = Rope(width, theta, scaling(f, r, width))
    f.adopt(r)
    return scaled


def rope_fields(f: Fields) -> Fields:
    """The object that describes rope, by the name of its generation; where neither is stated the family's own, if it has one."""
    stated = {name: f.inside(name) for name in ("rope_scaling", "rope_parameters")}
    name = "rope_scaling" if stated["rope_scaling"] else "rope_parameters"
    usual = f.defaults.get("rope_parameters")
    if usual and not stated[name]:
        f.assumed.append(name)
    return Fields(stated[name] or usual or {}, {}, f"{name}.")


def ropes(f: Fields, head_dim: int, reaches: list[Full], local: str = "rope_theta") -> list[Rope]:
    """Each layer's rope by how far it reads. `rope_parameters` may hold one object a kind (transformers 5); before, scaling was
    for full layers alone, and sliding ones took their base from the field `local`."""
    kinds = [SLIDING if reach.kind == "sliding" else FULL for reach in reaches]
    keyed = Fields(f.inside("rope_parameters"), {}, "rope_parameters.")
    own = [kind for kind in LAYER_TYPES if keyed.has(kind)]
    f.seen.add(local)

    def made(kind):
        base = local if kind == SLIDING else "rope_theta"
        if own:
            return rope(f, head_dim, Fields(keyed.inside(kind), {}, f"rope_parameters.{kind}."), base)
        if kind == FULL:
            return rope(f, head_dim)
        stated = rope_fields(f)  # of which a local layer has no more than the base, if it has none of its own
        return rope(f, head_dim, stated.only("rope_theta" if local == "rope_theta" else ""), base)

    found = {kind: made(kind) for kind in dict.fromkeys(kinds)}
    if own:
        f.adopt(keyed)
    else:
        f.inside("rope_scaling")  # of no use where no layer is full
    return [found[kind] for kind in kinds]


def scaling(f: Fields, r: Fields, width: int) -> NoScaling:
    """Context extension: what `rope_type` (once `type`) names."""
    kind = "default"
    for field in ("type", "rope_type"):
        if r.has(field):
            kind = one_of(r.where + field, r.config[field], KINDS_OF_SCALING)
    if kind == "mrope":  # three directions for pictures; positions of text are alike in all of them
        r.seen.update(("mrope_section", "mrope_interleaved"))
    if kind == "linear":
        return Linear(r.number("factor", low=1e-3))
    if kind == "llama3":
        return llama3(f, r)
    if kind in ("longrope", "su") or (kind == "yarn" and r.has("short_factor")):  # Phi-3's first configs said yarn
        return longrope(f, r, width)
    if kind == "yarn":
        return yarn(f, r)
    if kind == "dynamic":
        r.number("factor", low=1e-3)  # changes nothing within the original context
        return Ntk(r.number("alpha", low=1)) if r.has("alpha") else NoScaling()  # HunYuan's goes by the same name
    return NoScaling()


def original(f: Fields, r: Fields) -> int:
    """The context that the model was first trained for; stated beside the rope parameters it goes before one within."""
    name = "original_max_position_embeddings"
    r.has(name)
    if f.has(name) or name in f.defaults:
        return f.whole(name, high=LONGEST)
    return r.or_else(name, context(f) or 4096, high=LONGEST)


def extension(f: Fields, r: Fields) -> tuple[int, float]:
    """The original context, and how many times longer the extended one is."""
    first = original(f, r)
    return first, r.number_or("factor", (context(f) or first) / first, low=1e-3)


def llama3(f: Fields, r: Fields) -> Llama3:
    """Llama 3.1's ramp between two frequencies."""
    low, high = r.number("low_freq_factor"), r.number("high_freq_factor")
    if high < low:
        raise SpecError(f"{r.where}high_freq_factor must be at least low_freq_factor ({low:g}), not {high:g}")
    return Llama3(r.number("factor", low=1e-3), low, high, original(f, r))


def yarn(f: Fields, r: Fields) -> Yarn:
    """YaRN, with the factor on cos and sin that its mscale fields give."""
    first, factor = extension(f, r)
    over, under = r.number_or("mscale", 0.0, high=100), r.number_or("mscale_all_dim", 0.0, high=100)
    usual = mscale(factor, over) / mscale(factor, under) if over and under else mscale(factor, 1.0)
    magnitude = r.number_or("attention_factor", usual, high=100)
    fast, slow = r.number_or("beta_fast", 32.0, low=1e-3), r.number_or("beta_slow", 1.0, low=1e-3)
    return Yarn(factor, first, fast, slow, magnitude, not r.has("truncate") or r.flag("truncate"))


def mscale(factor: float, weight: float) -> float:
    """YaRN's attention temperature (arXiv 2309.00071, section 3.4)."""
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


def longrope(f: Fields, r: Fields, width: int) -> LongRope:
    """LongRoPE's short factors, one a pair, and its magnitude."""
    factors = r.raw("short_factor")
    r.has("long_factor")  # beyond the original context; not used here, as core/model/rope.py says
    if not isinstance(factors, list) or len(factors) != width // 2:
        wanted = f"a list of {width // 2} numbers, one a pair of rotated dimensions"
        raise SpecError(f"{r.where}short_factor must be {wanted}, not {short(factors)}")
    first, factor = extension(f, r)
    usual = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(max(first, 2)))
    magnitude = r.number_or("attention_factor", usual, high=100)
    return LongRope(tuple(number(f"{r.where}short_factor", x, low=1e-6, high=1e9) for x in factors), magnitude)


def context(f: Fields, name: str = "max_position_embeddings") -> int | None:
    """The longest context that the config states, else the family's own, or None."""
    usual = name in f.defaults and name not in f.config
    return f.whole(name, high=LONGEST) if f.has(name) or usual else None


def window(f: Fields) -> int | None:
    """The sliding window, or None where it is switched off."""
    return f.optional("sliding_window", high=LONGEST)


def bits(f: Fields, name: str, layers: int) -> list[bool] | None:
    """A list with 0 or 1 for each layer, or None where it is absent or null."""
    stated = f.items(name, layers)
    if stated is not None and any(x not in (0, 1) for x in stated):
        raise SpecError(f"{f.where}{name} must hold 0 or 1 for each layer, not {short(stated)}")
    return stated and [bool(x) for x in stated]


def kinds(f: Fields, layers: int, usual: list[str], accepted: tuple[str, ...] = LAYER_TYPES, guessed: bool = False) -> list[str]:
    """The kind of each layer: `layer_types` where stated, else the family's rule (`usual`), which is assumed where nothing else
    in the config says it (`guessed`)."""
    types = f.items("layer_types", layers)
    if types is None and guessed:
        f.assumed.append(f.where + "layer_types")
    return usual if types is None else [one_of(f.where + "layer_types", t, accepted) for t in types]


def reaches(f: Fields, local: Callable[[int], bool] = lambda i: False) -> list[Full]:
    """How far each layer reads: by `layer_types`, else the i-th is `local(i)` or not, with `sliding_window`."""
    layers = depth(f)
    sliding = [kind == SLIDING for kind in kinds(f, layers, [SLIDING if local(i) else FULL for i in range(layers)])]
    if not any(sliding):
        return [Full()] * layers
    size = window(f)
    if size is None:
        raise SpecError("sliding_window must be a whole number where layer_types holds sliding_attention, not null")
    return [Window(size) if near else Full() for near in sliding]


def windows(f: Fields) -> list[Full]:
    """How far each layer reads where a window that is not null is on every one."""
    on = window(f) is not None
    return reaches(f, lambda i: on)
