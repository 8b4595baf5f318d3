"""Every field of the models compared in words: what a config says of the model and of each of its parts, side by side."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from core.lessons.compare.lesson import NOTHING, Side
from core.model.blocks import Chunk, Everything, Reach, Window
from core.model.part import inside
from core.model.rope import NoScaling, Rope
from core.model.spec import ModelSpec, brief
from core.shape import ladder
from core.shape.wording import called

HIDDEN = ("form", "cut")  # how we run it, not what it is
NORMED = {
    "none": "no",
    "head": "each head",
    "full": "all heads at once",
    "turned": "each head, once rotated",
    "bare": "each head, without weights",
}
STANDS = {
    "pre": "before a part", "post": "after a part", "sandwich": "before and after", "outer": "on the sum",
    "stream": "on the stream itself",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field of every side, in words."""

    group: str
    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Do the sides differ in it?"""
        return len(set(self.values)) > 1

    @property
    def shown(self) -> tuple[str, ...]:
        """The same, of many values over the layers the first two and the last."""
        return tuple(map(shortened, self.values))


def shortened(text: str, most: int = 6) -> str:
    """Many values of `each_of`: how many, and which stand at the ends."""
    found = re.findall(r"(.+? in \d+)(?:, |$)", text)
    return f"{len(found)} values: {found[0]}, {found[1]}, … {found[-1]}" if len(found) > most else text


def table(sides: tuple[Side, ...]) -> tuple[Field, ...]:
    """Every field that one of the sides has, in the order of the model and then of its parts."""
    described = [described_side(s) for s in sides]
    order = dict.fromkeys(key for d in described for key in d)
    groups = list(dict.fromkeys(group for group, _ in order))
    keys = sorted(order, key=lambda key: groups.index(key[0]))
    return tuple(Field(*key, tuple(d.get(key, NOTHING) for d in described)) for key in keys)


def described_side(s: Side) -> dict[tuple[str, str], str]:
    """(group, field) -> its value in words, for one model."""
    spec, each = s.spec, s.spec.layers
    factors = each_of(brief(layer.scales).removeprefix("Scales") for layer in each)
    model = {
        "layers": value(s.depth), "in blocks": ladder.blocks_text(ladder.folded(spec)), "width": value(spec.d_model),
        "vocabulary": value(spec.vocab), "embeddings": "tied to the output" if spec.tied else "apart from the output",
        "learned positions": value(spec.learned_positions or False),
        "norm": "RMSNorm" if spec.norm.kind == "rms" else "LayerNorm",
        "epsilon of its norms": value(spec.norm.eps), "norms stand": each_of(STANDS[layer.norms] for layer in each),
        "convolution before the mixer": each_of(value(layer.input_conv or False) for layer in each),
        "factors on the residual stream": "no" if factors == "()" else factors, "factor on embeddings": value(spec.embed_scale),
        "factor on logits": value(spec.logit_scale), "soft cap on logits": value(spec.softcap or False),
        "norm on embeddings": value(spec.embed_norm), "streams": value(spec.streams), "answers": spec.decoding,
        "longest context": value(s.context), "weights in": s.weight_dtype, "cache in": s.cache_dtype,
    }  # fmt: skip
    return {("model", name): text for name, text in model.items()} | described_parts(spec)


def described_parts(spec: ModelSpec) -> dict[tuple[str, str], str]:
    """The same for its mixers and feed-forward parts, those inside others included."""
    found: dict[tuple[str, str], list[str]] = {}
    for layer in spec.layers:
        for part in (*inside(layer.mixer), *inside(layer.ffn)):
            for name, text in flat(part):
                found.setdefault((part.family, name), []).append(text)
            found.setdefault((part.family, "layers"), []).append("")
    depth = len(spec.layers)
    words = {key: f"{len(texts)} of {depth}" if key[1] == "layers" else each_of(texts) for key, texts in found.items()}
    return dict(
        sorted(words.items(), key=lambda item: item[0][1] != "layers")
    )  # how many layers stands first; the sort is stable


# A value in words


def flat(part) -> Iterator[tuple[str, str]]:
    """The fields of one part in words; rope gives three, parts inside it none."""
    for f in fields(part):
        v, name = getattr(part, f.name), called(f.name)
        if isinstance(v, Rope):
            scaling = "none" if type(v.scaling) is NoScaling else brief(v.scaling)
            yield from (
                ("numbers that rope turns", value(v.dim or False)),
                ("base of rope", value(v.base)),
                ("scaling of rope", scaling),
            )
        elif isinstance(v, Reach):
            yield "reaches", reach(v)
        elif f.name not in HIDDEN and not hasattr(v, "params"):
            yield name, spoken(part, f.name, v)


def spoken(part, field: str, v) -> str:
    """A value of a part; a factor on scores that is the usual one says so, however it is written."""
    if field == "scale" and hasattr(part, "k_dim") and (not v or abs(v * part.k_dim**0.5 - 1) < 1e-6):
        return "1 / √ width of a key"
    if field == "softcap" and not v:
        return "no"
    return NORMED.get(v, value(v)) if field == "qk_norm" else value(v)


def reach(r: Reach) -> str:
    """How far back attention looks."""
    if isinstance(r, Chunk):
        return f"its chunk of {r.size:,}"
    return f"{r.size:,} tokens" if isinstance(r, Window) else "both ways" if isinstance(r, Everything) else "everything before"


def value(v) -> str:
    """A value as it stands in the table."""
    if isinstance(v, bool):
        return "yes" if v else "no"
    if isinstance(v, int):
        return f"{v:,}"
    if isinstance(v, float):
        return f"{v:,.0f}" if v.is_integer() else f"{v:,.6g}"
    if is_dataclass(v):
        return "no" if brief(v).endswith("()") else brief(v)
    return ", ".join(map(value, v)) if isinstance(v, tuple) else str(v)


def each_of(texts) -> str:
    """One text where all layers say the same, else every one with its number of layers."""
    numbers = Counter(texts)
    if len(numbers) == 1:
        return next(iter(numbers))
    return ", ".join(f"{text} in {n}" for text, n in numbers.items())
