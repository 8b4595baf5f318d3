"""Pieces that the configs of recurrent and hybrid models share."""

import math
from dataclasses import replace

from core.errors import SpecError, divides, one_of
from core.model.spec import ModelSpec
from core.real.hf.fields import Fields
from core.real.hf.parts import FULL

LINEAR = "linear_attention"
KINDS = (FULL, LINEAR)


def every(f: Fields, layers: int, usual: int = 4) -> list[str]:
    """One full layer after so many linear ones, as `full_attention_interval` says."""
    count = f.whole("full_attention_interval") if f.has("full_attention_interval") else usual
    return [LINEAR if (i + 1) % count else FULL for i in range(layers)]


def swap(spec: ModelSpec, kinds: list[str], mixers: dict) -> ModelSpec:
    """The same stack with other mixers in the layers whose kind `mixers` names."""
    layers = zip(spec.layers, kinds, strict=True)
    return replace(spec, layers=tuple(replace(layer, mixer=mixers.get(kind, layer.mixer)) for layer, kind in layers))


def mixed(f: Fields, usual: list, dense, moe) -> list:
    """The layers' feed-forward parts: by `mlp_layer_types` where stated, else as the family has them."""
    stated = f.items("mlp_layer_types", len(usual))
    if stated is None:
        return usual
    made = {"dense": dense, "sparse": moe}
    return [made[one_of("mlp_layer_types", kind, made)] for kind in stated]


def only(f: Fields, **values) -> None:
    """Fields of which one value is built here: understood where they hold it, unknown where they hold another."""
    f.seen.update(name for name, value in values.items() if f.config.get(name, value) in (value, None))


def word(f: Fields, *names: str) -> str:
    """Which of several words for one thing the config uses; the first where it uses none. The others count as read."""
    stated = [name for name in names if f.has(name)]
    return stated[0] if stated else names[0]


def unlimited(f: Fields) -> None:
    """Step sizes that are cut are not built here: the usual limits, from nothing to anything, cut none."""
    limits = f.config.get("time_step_limit")
    if limits is None or (isinstance(limits, list) and len(limits) == 2 and limits[0] == 0 and unending(limits[1])):
        f.seen.add("time_step_limit")


def unending(value: object) -> bool:
    """Infinity, in the words of either generation of files, or the largest number that one has in its place."""
    return value == {"__float__": "Infinity"} or (isinstance(value, float) and value >= 1e300)


def rank(f: Fields, name: str) -> int:
    """Width of the bottleneck of the step size; "auto" is a sixteenth of the model's width."""
    if f.raw(name) == "auto":
        return math.ceil(f.whole("hidden_size") / 16)
    return f.whole(name)


def grouped(f: Fields, name: str, heads_name: str, heads: int) -> int:
    """Groups of Mamba-2's heads."""
    groups = f.whole(name)
    divides(name, groups, heads_name, heads)
    return groups


def equal(first: str, a: int, second: str, b: int) -> None:
    """SpecError where two ways to say one width disagree."""
    if a != b:
        raise SpecError(f"{first} ({a:,}) must equal {second} ({b:,})")
