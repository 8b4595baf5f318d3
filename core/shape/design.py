"""A design that can be edited: a ModelSpec as JSON and back, brushes that paint its layers, sizes with steps, patterns.

    as_json(spec)                  JSON of a spec: distinct layers once, and the strip that says where each stands
    spec_of(json)                  the spec again; SpecError in one sentence where it is none
    brushes(spec)                  what layers can be painted with, in sizes that fit this design
    paint(spec, first, last, b)    layers first..last (from 0) get the brush's mixer or feed-forward part
    pattern(spec, text)            "LLLLLG" over all layers: capitals are mixers, small letters feed-forward parts
    SIZE_FIELDS                          what a number field changes, in every layer that has it

Nothing is checked twice: every edit makes a new ModelSpec, whose own classes refuse what cannot be.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from types import NoneType
from typing import get_args, get_origin

from core.errors import DEEPEST, SpecError, number, one_of, short, whole
from core.model.blocks import Full, Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.delta import GatedDelta
from core.model.mixers.latent import Latent
from core.model.mixers.mamba import Mamba2
from core.model.mixers.rwkv import Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.part import Kind, Mixer, Part
from core.model.registry import PARTS
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec, expand
from core.shape import ladder

SCALARS = (int, float, bool, str)
LONGEST_LIST = 4096
USUAL_MIXERS, USUAL_FFNS = "GLADMRCN", "den"  # letters of the brushes that every design is offered, in their order
BLANK = "Blank design"
MOST_DISTINCT = 512


# JSON


def as_json(spec: ModelSpec) -> dict:
    """A spec as JSON."""
    kinds = list(dict.fromkeys(spec.layers))
    at = {layer: i for i, layer in enumerate(kinds)}
    runs: list[list[int]] = []
    for layer in spec.layers:
        if runs and runs[-1][1] == at[layer]:
            runs[-1][0] += 1
        else:
            runs.append([1, at[layer]])
    strip = " ".join(f"{kind}" if times == 1 else f"{times}*{kind}" for times, kind in runs)
    rest = {key: value for key, value in value_as_json(spec).items() if key not in ("layers", "is")}
    return {**rest, "kinds": [value_as_json(layer) for layer in kinds], "strip": strip}


def value_as_json(value):
    """One description as JSON: its class under "is", and the fields that do not hold their default."""
    if isinstance(value, tuple):
        return [value_as_json(item) for item in value]
    if not is_dataclass(value):
        return value
    changed = {f.name: item for f in fields(value) if f.name != "layers" and (item := getattr(value, f.name)) != f.default}
    return {"is": type(value).__name__, **{name: value_as_json(item) for name, item in changed.items()}}


def spec_of(text: dict) -> ModelSpec:
    """JSON -> spec."""
    if not isinstance(text, dict) or not isinstance(text.get("kinds"), list) or not isinstance(text.get("strip"), str):
        raise SpecError("a design must be an object with kinds (a list of layers) and strip (where each stands)")
    if not 1 <= len(text["kinds"]) <= MOST_DISTINCT:
        raise SpecError(f"kinds must be a list of 1 to {MOST_DISTINCT} layers, not {len(text['kinds']):,}")
    kinds = [made(kind, Layer, "kinds") for kind in text["kinds"]]
    layers = tuple(kinds[i] for i in strip(text["strip"], len(kinds)))
    rest = {key: value for key, value in text.items() if key not in ("kinds", "strip", "is")}
    if not isinstance(rest.get("name"), str):
        raise SpecError(f"name must be a text, not {short(rest.get('name'))}")
    rest["name"] = "".join(c for c in rest["name"] if c.isprintable())[:80]
    return sound(construct(ModelSpec, {**rest, "layers": layers}, "design"))


def strip(text: str, kinds: int) -> list[int]:
    """ "3*0 1" -> [0, 0, 0, 1], bounded before anything is made."""
    result: list[int] = []
    for word in text.split():
        found = re.fullmatch(r"(?:(\d{1,4})\*)?(\d{1,4})", word)
        if not found or int(found[2]) >= kinds or len(result) + int(found[1] or 1) > DEEPEST:
            raise SpecError(f"strip must say which of {kinds} kinds each of at most {DEEPEST:,} layers is, not {short(word)}")
        result += [int(found[2])] * int(found[1] or 1)
    return result


def accepted(kind: type) -> tuple[type, ...]:
    """The classes that a field of such a type may hold."""
    parts = tuple(part for part in PARTS if issubclass(part, kind))
    narrower: list[type] = kind.__subclasses__()
    return parts or (kind, *(other for each in narrower for other in accepted(each)))


def made(value, kind: type, where: str):
    """One description from JSON, of a class or of one below it."""
    if not isinstance(value, dict):
        raise SpecError(f"{where} must be an object, not {short(value)}")
    classes = {c.__name__: c for c in accepted(kind)}
    name = one_of(f"{where}.is", value.get("is"), list(classes))
    return construct(classes[name], {name: item for name, item in value.items() if name != "is"}, where)


def construct(kind: type, given: dict, where: str):
    """An instance of a description's class from JSON values; its own checks say what is wrong."""
    known = {f.name: f for f in fields(kind)}
    if strange := sorted(set(given) - set(known)):
        raise SpecError(f"{where}: {kind.__name__} has no field {short(strange[0])}")
    if missing := [name for name, f in known.items() if f.default is MISSING and name not in given]:
        raise SpecError(f"{where}: {kind.__name__} must have a field {missing[0]}")
    return kind(**{name: inner(known[name], item, f"{where}.{name}") for name, item in given.items()})


def inner(f: Field, value, where: str):
    """The value of one field: a number or a word, which its class checks; a list of numbers; or a description of its own."""
    if f.name == "layers":  # already made
        return value
    if f.type in SCALARS:
        if isinstance(value, (dict, list)) or value is None or isinstance(value, str) != (f.type is str):
            raise SpecError(f"{where} must be a {'text' if f.type is str else 'number'}, not {short(value)}")
        return value
    if get_origin(f.type) is tuple:
        return numbers(f, value, where)
    kinds = get_args(f.type) or (f.type,)
    return None if value is None and NoneType in kinds else made(value, kinds[0], where)


def numbers(f: Field, value, where: str) -> tuple:
    """A list of numbers, as long as the field's default where it has one."""
    if not isinstance(value, list) or not 1 <= len(value) <= LONGEST_LIST:
        raise SpecError(f"{where} must be a list of 1 to {LONGEST_LIST:,} numbers, not {short(value)}")
    if f.default is not MISSING and len(value) != len(f.default):
        raise SpecError(f"{where} must be a list of {len(f.default)} numbers, not {len(value)}")
    return tuple(number(where, item, low=-1e12) for item in value)


# A blank page, and what must hold between layers


def blank() -> ModelSpec:
    """Where a design from nothing starts: a small dense model with shared keys and values."""
    layer = Layer(Attention(16, 4, 128, 128, Rope(128, 500_000.0)), Dense(5632))
    return ModelSpec(BLANK, 2048, 65_536, (layer,) * 24)


def sound(spec: ModelSpec) -> ModelSpec:
    """The spec with its first RWKV-7 layer as the first, if what layers take from each other is there."""
    layers, given = [], frozenset[str]()
    known: dict[tuple[Layer, Mixer], Layer] = {}
    for i, layer in enumerate(spec.layers):
        if layer.mixer and (placed := layer.mixer.placed(given)) is not layer.mixer:
            layer = known.setdefault((layer, placed), replace(layer, mixer=placed))
        needed, refusal = layer.mixer.takes if layer.mixer else ("", "")
        if needed and needed not in given:
            raise SpecError(f"layer {i + 1} {refusal}")
        given |= {layer.mixer.gives} if layer.mixer else set()
        layers.append(layer)
    return replace(spec, layers=tuple(layers))


# Brushes


@dataclass(frozen=True)
class Brush:
    """What layers can be painted with. `slot` is mixer or ffn; `letter` stands for it in patterns; `live`: has a module."""

    letter: str
    label: str
    slot: str
    part: Part | None
    hue: str
    live: bool
    own: bool = False  # it is in the design already


def brushes(spec: ModelSpec) -> tuple[Brush, ...]:
    """What only this design has, then the usual kinds: as it has them, or in sizes that fit it. Painting moves none of them."""
    found: list[Brush] = []
    for slot, offered in (("mixer", mixers_for(spec)), ("ffn", ffns_for(spec))):
        own = list(dict.fromkeys(anywhere(getattr(layer, slot)) for layer in spec.layers))[:12]
        letters = iter("XYZUVWTPQSEB" if slot == "mixer" else "xyzuvwtpqsab")
        used: set[str] = set()
        for part in own:
            letter = next((c for c, other in offered.items() if is_akin(other, part) and c not in used), "") or next(letters)
            used.add(letter)
            found.append(brush(letter, slot, part, own=True))
        found += [brush(c, slot, part) for c, part in offered.items() if c not in used]
    places = {c: i for i, c in enumerate((*USUAL_MIXERS, *USUAL_FFNS))}
    return tuple(sorted(found, key=lambda b: (b.slot == "ffn", places.get(b.letter, -1))))


def brush(letter: str, slot: str, part: Part | None, own: bool = False) -> Brush:
    """One brush, named as the ladder names it; a window that is only offered by its length."""
    label = ladder.label(part)
    label = label.partition(", ")[2] if letter == "L" and not own else label
    return Brush(letter, label, slot, part, ladder.hue(part) if part else "none", part is None or part.is_runnable, own)


def anywhere(part: Part | None) -> Part | None:
    """A part wherever it stands: a first RWKV-7 layer is painted as any other, and so is lightning attention at any depth."""
    return part and part.anywhere()


def is_akin(a: Part | None, b: Part | None) -> bool:
    """Do two parts go by one letter: the same class, and attention that reaches in the same way?"""
    return a.is_akin(b) if a else b is None


def commonest(spec: ModelSpec, kind: type[Kind], wanted: Callable[[Kind], object] = lambda part: True) -> Kind | None:
    """The part of a class that most layers have; None where none does."""
    found: Counter[Kind] = Counter()
    for layer, times in Counter(spec.layers).items():
        for part in layer.parts(kind):
            if wanted(part):
                found[part] += times
    return found.most_common(1)[0][0] if found else None


def mixers_for(spec: ModelSpec) -> Mapping[str, Part | None]:
    """A mixer of every kind, in sizes that fit the design."""
    d = spec.d_model
    n = max(1, d // 128)
    full = commonest(spec, Attention, lambda a: a.kind == "full") or commonest(spec, Attention)
    full = replace(full, reach=Full()) if full else Attention(n, n // 4 if n % 4 == 0 else n, 128, 128, Rope(128, 500_000.0))
    window = commonest(spec, Attention, lambda a: a.kind == "sliding") or replace(full, reach=Window(1024))
    latent = commonest(spec, Latent) or Latent(n, 512, 128, 64, 128, 1536 if d >= 4096 else 0, Rope(64))
    return {
        "G": full, "L": window, "A": latent,
        "D": commonest(spec, GatedDelta) or GatedDelta(n, 2 * n, 128, 128),
        "M": commonest(spec, Mamba2) or Mamba2(2 * max(1, d // 64), 64, 128),
        "R": anywhere(commonest(spec, Rwkv7)) or Rwkv7(max(1, d // 64), 64, 96, 96, 64, 256),
        "C": commonest(spec, GatedConv) or GatedConv(3),
        "N": None,
    }  # fmt: skip


def ffns_for(spec: ModelSpec) -> Mapping[str, Part | None]:
    """A feed-forward part of every kind, in sizes that fit the design."""
    dense = commonest(spec, Dense) or Dense(max(1, spec.d_model * 8 // 3 // 64 * 64) if spec.d_model >= 64 else spec.d_model)
    expert = max(8, dense.hidden // 8 // 64 * 64)
    return {"d": dense, "e": commonest(spec, MoE) or MoE(64, 8, expert, expert), "n": None}


# Painting


def paint(spec: ModelSpec, first: int, last: int, b: Brush) -> ModelSpec:
    """Layers first..last (from 0, both included) get the brush."""
    depth = len(spec.layers)
    first, last = sorted((whole("layer", first, 0, depth - 1), whole("layer", last, 0, depth - 1)))
    return dip(spec, [b if first <= i <= last else None for i in range(depth)])


def dip(spec: ModelSpec, strokes: Sequence[Brush | None]) -> ModelSpec:
    """Every layer with its brush, or as it was; layers alike stay one object, so that deep designs are quick to compare."""
    known: dict[tuple[Layer, Brush | None], Layer] = {}
    for i, (layer, b) in enumerate(zip(spec.layers, strokes)):
        if (layer, b) not in known:
            known[layer, b] = dipped(layer, b, i) if b else layer
    return sound(replace(spec, layers=tuple(known[pair] for pair in zip(spec.layers, strokes))))


def dipped(layer: Layer, b: Brush, at: int) -> Layer:
    """One layer with the brush's part in its place."""
    if b.part is None and (layer.ffn if b.slot == "mixer" else layer.mixer) is None:
        raise SpecError(f"layer {at + 1} would be empty: a layer has a mixer, a feed-forward part, or both")
    if b.slot == "ffn":
        return replace(layer, ffn=b.part, input_conv=layer.input_conv if layer.mixer else 0)
    return replace(layer, mixer=b.part, input_conv=layer.input_conv if layer.mixer and b.part else 0)


def pattern(spec: ModelSpec, text: str) -> ModelSpec:
    """A pattern of letters over all layers: capitals say mixers, small letters feed-forward parts."""
    slot = "ffn" if isinstance(text, str) and text.strip().islower() else "mixer"
    kinds = {b.letter: b for b in brushes(spec) if b.slot == slot}
    return dip(spec, expand(text.strip(), kinds, len(spec.layers)))


def letters(spec: ModelSpec) -> dict[str, str]:
    """The strip in letters: {"mixer": "LLLLLG...", "ffn": "dddd..."}."""
    by = {(b.slot, b.part): b.letter for b in brushes(spec)}
    mixers = "".join(by.get(("mixer", anywhere(layer.mixer)), "?") for layer in spec.layers)
    return {"mixer": mixers, "ffn": "".join(by.get(("ffn", anywhere(layer.ffn)), "?") for layer in spec.layers)}


# Sizes


def mapped(spec: ModelSpec, kind: type[Kind], change: Callable[[Kind], Kind]) -> ModelSpec:
    """`change` made to every part of a class in every layer, parts within parts first."""

    def one(part):
        made = part and part.remade(one)
        return change(made) if isinstance(made, kind) else made

    known = {layer: replace(layer, mixer=one(layer.mixer), ffn=one(layer.ffn)) for layer in dict.fromkeys(spec.layers)}
    return sound(replace(spec, layers=tuple(known[layer] for layer in spec.layers)))


@dataclass(frozen=True)
class Size:
    """A number of the design. `read(spec)` is 0 where the design has none; `write(spec, n)` -> spec."""

    key: str
    label: str
    read: Callable[[ModelSpec], int]
    write: Callable[[ModelSpec, int], ModelSpec]
    step: int = 1
    high: int = 1 << 20
    hue: str = "ink"


def of(label: str, kind: type[Kind], field: str, step: int, hue: str = "ink", high: int = 1 << 20, key: str = "") -> Size:
    """A field of every part of a class that has it."""

    def read(spec: ModelSpec) -> int:
        part = commonest(spec, kind, lambda p: getattr(p, field))
        return getattr(part, field) if part else 0

    def write(spec: ModelSpec, n: int) -> ModelSpec:
        return mapped(spec, kind, lambda p: replace(p, **{field: n}) if getattr(p, field) else p)

    return Size(key or field, label, read, write, step, high, hue)


def head_width(spec: ModelSpec) -> int:
    """Width of an attention head."""
    part = commonest(spec, Attention)
    return part.k_dim if part else 0


def widen_heads(spec: ModelSpec, n: int) -> ModelSpec:
    """Every attention head `n` wide; values and rotated numbers keep their ratio to it."""

    def one(p):
        v, turned = max(1, p.v_dim * n // p.k_dim), p.rope.dim * n // p.k_dim // 2 * 2
        return replace(p, k_dim=n, v_dim=v, rope=p.rope.resized(turned) if turned else replace(p.rope, dim=0))

    return mapped(spec, Attention, one)


def window(spec: ModelSpec) -> int:
    """Tokens of the window that most layers with one have."""
    part = commonest(spec, Attention, lambda a: a.spans())
    return part.spans()[0] if part else 0


def widen_windows(spec: ModelSpec, n: int) -> ModelSpec:
    """Every window or chunk `n` tokens long."""

    def one(p):
        return replace(p, reach=replace(p.reach, size=n)) if isinstance(p.reach, Window) else p

    return mapped(spec, Attention, one)


def deepen(spec: ModelSpec, n: int) -> ModelSpec:
    """So many layers: cut at the end, or its longest repeated block goes on."""
    whole("layers", n, high=DEEPEST)
    block = max(ladder.folded(spec), key=lambda b: (b.size * b.times, b.start))
    period = block.size if block.times > 1 or len(block.parts) > 1 else 1
    start = block.start if period > 1 else block.start + block.size - 1
    more = tuple(spec.layers[start + (i - start) % period] for i in range(len(spec.layers), n))
    return sound(replace(spec, layers=spec.layers[:n] + more))


SIZE_FIELDS = (
    Size("depth", "Layers", lambda s: len(s.layers), deepen, 1, DEEPEST),
    Size("width", "Width", lambda s: s.d_model, lambda s, n: replace(s, d_model=n), 128),
    Size("vocab", "Vocabulary", lambda s: s.vocab, lambda s, n: replace(s, vocab=n), 1024, 1 << 24),
    of("Query heads", Attention, "heads", 4, "query"),
    of("KV heads", Attention, "kv_heads", 1, "kv", key="kv"),
    Size("head", "Head width", head_width, widen_heads, 16, hue="kv"),
    Size("window", "Window", window, widen_windows, 128, 1 << 30, hue="window"),
    of("MLA heads", Latent, "heads", 8, "latent", key="mla_heads"),
    of("Latent rank", Latent, "kv_rank", 64, "latent", key="rank"),
    of("Dense hidden", Dense, "hidden", 256, high=1 << 24),
    of("Experts", MoE, "experts", 8, "routed"),
    of("Top-k", MoE, "top_k", 1, "routed"),
    of("Expert hidden", MoE, "hidden", 64, "routed", 1 << 24, key="expert"),
    of("Shared hidden", MoE, "shared", 64, "shared", 1 << 24),
)


def sizes(spec: ModelSpec) -> dict[str, int]:
    """The sizes that this design has, by key."""
    return {size.key: n for size in SIZE_FIELDS if (n := size.read(spec))}


def resize(spec: ModelSpec, key: str, n: int) -> ModelSpec:
    """One size changed. SpecError where the number cannot be."""
    size = next(size for size in SIZE_FIELDS if size.key == key)
    whole(size.label.lower(), n, high=size.high)
    if n == size.read(spec):
        return spec
    return size.write(spec, int(n))
