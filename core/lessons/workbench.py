"""What would my design cost? A design on its base, as one state that a link can carry; its twin on the reader's prompt.

A design starts from a base: a model of the catalogue, a config that the reader handed in, or nothing. `payload` is what differs
from the base: the reader's config, and the painted spec where it is no longer what the config says.

The twin has random weights. It shows the structure: who can read whom, where tokens are sent, what is kept; not what a model has
learned. Words of any text become tokens by a hash, so that equal words are equal tokens.
"""

import json
import re
import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.errors import SpecError
from core.lessons import card
from core.lessons.common import model_names
from core.model.blocks import Full
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.model import build
from core.model.spec import ModelSpec, brief
from core.model.trace import Trace
from core.real import catalogue, intake, oracles
from core.real.hf import reader
from core.real.hf.reader import Reading
from core.real.hf.source import parse
from core.real.intake import Taken
from core.shape import design, ladder, twin
from core.shape.shrink import shrink
from core.units import binary, count, decimal

BLANK = "blank"
PAINTED = "painted"
MOST_WORDS, CHARACTERS = 48, 400
EXAMPLES = {
    "Story": "the cat sat on the mat and the dog sat on the log while the cat watched the dog and the dog watched the cat",
    "Names": "ann met bo in paris and bo met cy in rome so ann never met cy but bo met ann again in paris",
    "Code": "def add ( a , b ) : return a + b print ( add ( a , b ) )",
}


# A design


@dataclass(frozen=True)
class Design:
    """What is being edited. `taken` is the reader's own config, None for a base of the catalogue or a blank page."""

    base: str
    spec: ModelSpec
    taken: Taken | None = field(default=None, compare=False)

    @property
    def released(self) -> Reading:
        """What the base says, before any painting."""
        return self.taken.reading if self.taken else released(self.base)

    @property
    def painted(self) -> bool:
        """Is it another model than its base?"""
        return self.spec != self.released.spec

    @property
    def reading(self) -> Reading:
        """The design as if a config had said it. What a release says about its files holds for no other model."""
        if not self.painted:
            return self.released
        return replace(self.released, spec=self.spec, quantisation=None)

    @property
    def config(self) -> dict | None:
        """The config that it started from; None for a blank page."""
        if self.taken:
            return {field: value for field, value in self.taken.config.items() if field != intake.ANSWERS}
        return None if self.base == BLANK else catalogue.entries()[self.base].config


@lru_cache(maxsize=256)
def released(base: str) -> Reading:
    """What a base says: the catalogue's reading, or that of a blank page."""
    if base == BLANK:
        return Reading(design.blank(), PAINTED, 32_768, "bfloat16", "bfloat16", "float32", (), ())
    return catalogue.entries()[base].reading


def base_names() -> dict[str, str]:
    """Key and name of every base."""
    return {BLANK: design.BLANK, **model_names()}


def start(base: str, taken: Taken | None = None) -> Design:
    """A base as it is."""
    return Design(base, (taken.reading if taken else released(base)).spec, taken)


def next_design(
    held: Design | None, base: str, handed: Taken | ModelSpec | None, is_new: bool, link: Design | None, is_cleared: bool
) -> Design:
    """The design that a session shows next; `held` is the one that it shows now. `link` is the design of a link that was just
    opened; `handed` is the reader's own, `is_new` where it is another one than before or was just taken away; `is_cleared` where
    the address holds no design and this session never wrote one there."""
    if link is not None:
        return link
    if is_new and handed is not None:
        return start(base, handed) if isinstance(handed, Taken) else Design(base, handed)
    if held is None or held.base != base or is_new or is_cleared:
        return start(base)
    return held


def example(base: str) -> dict:
    """What a payload is a difference from."""
    config = {} if base == BLANK else catalogue.entries()[base].config
    return {"config": config, "spec": design.as_json(released(base).spec)}


def payload(d: Design) -> dict:
    """The state of a design as JSON, near to its example."""
    result = example(d.base)
    if d.taken:
        result["config"] = d.taken.config
        result["name"] = d.taken.name
        del result["spec"]
    if d.painted:
        result["spec"] = design.as_json(d.spec)
    return result


def restored(base: str, given) -> Design:
    """A payload -> the design. SpecError where it is none."""
    if not isinstance(given, dict) or not isinstance(given.get("config"), dict):
        raise SpecError("this link holds no design: it must come from Copy link")
    name, taken = given.get("name"), None
    if isinstance(name, str):
        taken = intake.understood(given["config"], name)
    d = start(base, taken)
    return replace(d, spec=design.spec_of(given["spec"])) if "spec" in given else d


# Painting and sizes


def cells(spec: ModelSpec) -> tuple[tuple[design.Brush, ...], list[int], list[int]]:
    """Brushes, and the number of the brush of every layer's mixer and feed-forward part."""
    found = design.brushes(spec)
    at = {(b.slot, b.part): i for i, b in enumerate(found)}
    other = {slot: next(i for i, b in enumerate(found) if b.slot == slot) for slot in ("mixer", "ffn")}
    mixers, ffns = (
        [at.get((slot, design.anywhere(getattr(layer, slot))), other[slot]) for layer in spec.layers] for slot in ("mixer", "ffn")
    )
    return found, mixers, ffns


def stroke(spec: ModelSpec, painted: tuple[int, int, str, str]) -> ModelSpec:
    """What the strip says was painted, done."""
    first, last, slot, letter = painted
    chosen = next((b for b in design.brushes(spec) if (b.slot, b.letter) == (slot, letter)), None)
    if chosen is None:
        raise SpecError(f"there is no brush {letter} now")
    return design.paint(spec, first, last, chosen)


def strip_text(spec: ModelSpec) -> str:
    """The strip in words."""
    return f"{len(spec.layers)} layers: {ladder.blocks_text(ladder.folded(spec))}"


def divisors(n: int) -> list[int]:
    """Numbers that divide n: KV heads that query heads can share."""
    return [k for k in range(1, n + 1) if n % k == 0]


# The twin on a prompt


def words(text: str) -> list[str]:
    """A text as words and signs, at most MOST_WORDS of them."""
    return re.findall(r"\w+|[^\w\s]", text[:CHARACTERS])[:MOST_WORDS]


def tokens(found: list[str], vocab: int) -> list[int]:
    """Each word's place in the twin's vocabulary, by a hash of its letters."""
    return [zlib.crc32(word.lower().encode()) % vocab for word in found]


@dataclass(frozen=True, eq=False)
class Picture:
    """What one layer of the twin did. Each is None where the layer has nothing of the kind.

    attention (H, T, T) weights; visible (T, T) bool; groups (H,) the KV head of each query head; effective (H, T, T) how much of
    each token's value is in each output; gates (T, E) the share of each expert; state (H, d, v) the memory after the last token.
    """

    label: str
    hue: str
    attention: np.ndarray | None
    visible: np.ndarray | None
    groups: tuple[int, ...]
    effective: np.ndarray | None
    gates: np.ndarray | None
    state: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Scene:
    """The twin after the prompt."""

    words: tuple[str, ...]
    spec: ModelSpec
    shrunk: tuple[dict, ...]
    live: twin.Live
    pictures: tuple[Picture, ...]


def alive(spec: ModelSpec) -> str:
    """Why it cannot run here; "" where it can."""
    return card.alive(spec)


@lru_cache(maxsize=24)
def scene(spec: ModelSpec, text: str) -> Scene:
    """Shrink, run on the text, measure. SpecError where there is too little text or no module."""
    small, changed = shrink(spec)
    small = small if small.decoding == "recursion" else small.causal()
    found = words(text)
    if len(found) < 2:
        raise SpecError("a prompt must have at least two words")
    found = found[: small.learned_positions or MOST_WORDS]
    ids = torch.tensor([tokens(found, small.vocab)])
    live = twin.run_twin(spec, text=ids)
    trace = Trace("attention", "effective", "routing", "gates", "picked")
    with torch.no_grad():
        _, state = twin.draw(build(small, 0), 0)(ids, (), trace)
    pictures = tuple(picture(small, trace, state, i, len(found)) for i in range(len(small.layers)))
    return Scene(tuple(found), small, tuple(changed), live, pictures)


def picture(spec: ModelSpec, trace: Trace, state: tuple, i: int, n: int) -> Picture:
    """One layer's records as arrays."""
    layer = spec.layers[i]
    mixed, _, fed = ladder.labels(spec)[i]
    label = " · ".join(part for part in (mixed, fed) if part != ladder.NONE)
    attending = next((p for p in layer.parts() if hasattr(p, "reach")), None)
    heads, share = record(trace, i, "attention"), tuple[int, ...]()
    visible = None
    if heads is not None:
        at = torch.arange(n)
        picked = record(trace, i, "picked")
        visible = picked if picked is not None else getattr(attending, "reach", Full()).visible(at[:, None], at[None]).numpy()
        if isinstance(attending, Attention):
            share = tuple(h * attending.kv_heads // len(heads) for h in range(len(heads)))
    hue = ladder.HUES.get(layer.kind, "kv")
    kept = state[i].get("mixer", {}).get("memory")
    memory = kept[0].numpy() if kept is not None and kept.dim() == 4 else None
    return Picture(label, hue, heads, visible, share, record(trace, i, "effective"), routed(trace, i, layer), memory)


def record(trace: Trace, i: int, name: str) -> np.ndarray | None:
    """One record of the first sequence."""
    return trace[i, name][0].numpy() if (i, name) in trace.records else None


def routed(trace: Trace, i: int, layer) -> np.ndarray | None:
    """(T, E): the share that each picked expert has in a token's output of the routed experts."""
    routing, gates = record(trace, i, "routing"), record(trace, i, "gates")
    if routing is None or gates is None:
        return None
    experts = next(part.experts for part in layer.parts(MoE))
    result = np.zeros((len(routing), experts))
    np.put_along_axis(result, routing, gates / np.maximum(gates.sum(-1, keepdims=True), 1e-20), axis=-1)
    return result


# Files


def call(spec: ModelSpec) -> str:
    """The spec as the shortest call that makes it: distinct layers once, by name, then the strip."""
    kinds = list(dict.fromkeys(spec.layers))
    lines = [f"layer_{i} = {brief(kind)}" for i, kind in enumerate(kinds)]
    runs, last = [], None
    for layer in spec.layers:
        if layer == last:
            runs[-1][0] += 1
        else:
            runs.append([1, kinds.index(layer)])
        last = layer
    strip = " + ".join(f"(layer_{kind},) * {times}" if times > 1 else f"(layer_{kind},)" for times, kind in runs)
    rest = brief(replace(spec, layers=spec.layers[:1])).replace(f"layers=({brief(spec.layers[0])},)", "layers=layers", 1)
    return "\n".join([*lines, f"layers = {strip}", f"spec = {rest}", ""])


def config(d: Design) -> tuple[dict | None, str]:
    """A Hugging Face config that reads back as exactly this design, and what it is; None where no family can say it."""
    if not d.painted:
        return (d.config, "as it was read") if d.config else fresh(d.spec)
    base = rewritten(d.spec, d.config) if d.config else None
    return (base, "the base's config with the painted sizes") if base else fresh(d.spec)


def rewritten(spec: ModelSpec, base: dict) -> dict | None:
    """The base's config with every field that it already has set to the design's; None where that does not read back."""
    nested = isinstance(base.get("text_config"), dict)
    own = base["text_config"] if nested else base
    said = {key: value for key, value in hf_fields(spec).items() if key in own or key == "head_dim"}
    candidates = ({**own, **said}, {key: value for key, value in {**own, **said}.items() if key != "head_dim" or key in own})
    for candidate in candidates:
        whole = {**base, "text_config": candidate} if nested else candidate
        if reads_as(whole, spec):
            return whole
    return None


def fresh(spec: ModelSpec) -> tuple[dict | None, str]:
    """A config from nothing, in the first family whose reader gives the design back."""
    fields = hf_fields(spec)
    for family in ("llama", "qwen3", "mistral", "qwen2", "gemma2", "mixtral", "qwen3_moe"):
        candidate = {"model_type": family, **fields}
        if reads_as(candidate, spec):
            return candidate, f"a {family} config that reads back as this design"
    return None, "no family of Hugging Face configs that is known here can say this design: the Cutaway file can"


def reads_as(candidate: dict, spec: ModelSpec) -> bool:
    """Does a config read back as the design, with nothing left over?"""
    try:
        found = reader.read(candidate, spec.name)
    except SpecError:
        return False
    return found.spec == spec and not found.unknown_fields


def hf_fields(spec: ModelSpec) -> dict:
    """What the usual names of Hugging Face configs would say of a design."""
    a, made = design.commonest(spec, Attention), design.sizes(spec)
    result = {
        "vocab_size": spec.vocab, "hidden_size": spec.d_model, "num_hidden_layers": len(spec.layers),
        "tie_word_embeddings": spec.tied, "rms_norm_eps": spec.norm.eps, "hidden_act": "silu",
    }  # fmt: skip
    if a:
        result |= {
            "num_attention_heads": a.heads, "num_key_value_heads": a.kv_heads, "head_dim": a.k_dim, "rope_theta": a.rope.base,
            "attention_bias": a.qkv_bias,
        }  # fmt: skip
        kinds = {"sliding": "sliding_attention", "full": "full_attention", "state": "linear_attention"}
        types = [kinds.get(layer.kind, layer.kind) for layer in spec.layers]
        result["layer_types"] = types
        result["sliding_window"] = made.get("window")
    keys = {
        "hidden": ("intermediate_size",), "experts": ("num_experts", "num_local_experts", "n_routed_experts"),
        "top_k": ("num_experts_per_tok", "experts_per_token"), "expert": ("moe_intermediate_size",), "rank": ("kv_lora_rank",),
        "mla_heads": ("num_attention_heads",),
    }  # fmt: skip
    for size, fields in keys.items():
        if size in made:
            result |= dict.fromkeys(fields, made[size])
    return {key: value for key, value in result.items() if value is not None}


def cutaway_file(d: Design) -> str:
    """The design in this program's own format."""
    return json.dumps({"cutaway": intake.version(), **design.as_json(d.spec)}, indent=1)


def slug(name: str) -> str:
    """A name for files."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower()[:60] or "design"


def cutaway(data: str | bytes) -> ModelSpec | None:
    """A design in this program's own format; None where the text is something else. SpecError where it is one gone wrong."""
    head = data[:400].decode("utf-8", "replace") if isinstance(data, bytes) else data[:400]
    if '"cutaway"' not in head:
        return None
    found = parse(data)
    return design.spec_of({key: value for key, value in found.items() if key != "cutaway"})


# What the page says


BOUND = 1e-4  # that prefill and steps may differ from one full pass


def counted(d: Design, context: int, batch: int) -> cost.Cost:
    """The design at a context, in its own dtypes."""
    r = d.reading
    return cost.count(r.spec, context, batch, r.weight_dtype, r.cache_dtype, r.state_dtype)


def repainted(d: Design, spec: ModelSpec) -> Design:
    """The design after an edit; its name says that it is no longer its base."""
    own = d.released.spec
    same = replace(spec, name=own.name) == own
    return replace(d, spec=replace(spec, name=own.name if same else f"{own.name}, painted"))


def letters_text(spec: ModelSpec, most: int = 24) -> str:
    """The mixers in letters, cut."""
    text = design.letters(spec)["mixer"]
    return text if len(text) <= most else text[:most] + "…"


def limit(values: np.ndarray) -> float:
    """The largest value, as the end of a signed scale."""
    return float(np.abs(values).max()) or 1.0


def below(values: np.ndarray) -> np.ndarray:
    """(T, T): what a token may take from, itself and what came before."""
    return np.tri(values.shape[-1], dtype=bool)


def still(p: Picture) -> bool:
    """Does a layer show nothing: no mixer, and a dense feed-forward part?"""
    return all(values is None for values in (p.attention, p.effective, p.gates, p.state))


def checks(ran: twin.Live) -> list[tuple[str, int, int]]:
    """(what, counted, measured) of the twin's run."""
    names = {"parameters": "params", "cache, numbers": "cache_elements", "state, numbers": "state_elements"}
    rows = [(said, getattr(ran, f"{name}_counted"), getattr(ran, f"{name}_measured")) for said, name in names.items()]
    return [row for row in rows if row[1] or row[2]]


def distinct(readings: list[Reading]) -> list[Reading]:
    """The same model once, in order."""
    return list(dict.fromkeys(readings))


BESIDE = {
    "name": "model", "params_total": "parameters", "params_active": "active", "weight_bytes": "weights", "cache_bytes": "cache",
    "state_bytes": "state", "flops_per_token": "FLOPs a token",
}  # fmt: skip


def beside(rows: list[dict]) -> tuple[list[str], list[list]]:
    """Columns and cells of a table of models; bytes in both units."""
    columns: list[str] = []
    cells: list[list] = [[] for _ in rows]
    for key, name in BESIDE.items():
        in_bytes = key.endswith("_bytes")
        columns += [f"{name}, GB", f"{name}, GiB"] if in_bytes else [name]
        for row, line in zip(rows, cells):
            value = row.get(f"{key}_as_released") or row[key]
            line += [f"{value / 10**9:,.3f}", f"{value / 2**30:,.3f}"] if in_bytes else [units(value)]
    return columns, cells


def units(value) -> str:
    """A count with three digits; words as they are."""
    return count(value) if isinstance(value, int) else str(value)


WORDS = {"bytes": binary, "GB": decimal, "parameters": count}


def reasons(found) -> tuple[list[str], list[list]]:
    """Columns and cells of what other calculators would say."""
    columns = ["", "what they do", "of", "they say", "here", "times ours"]
    return columns, [
        [
            f"{reason.name} (a convention)" if reason.convention else reason.name, reason.what, reason.subject,
            *compared_text(reason.theirs, reason.ours, WORDS[reason.unit]),
            f"{reason.ratio:,.3g}" if reason.ours else "—",
        ]
        for reason in found
    ]  # fmt: skip


def published() -> tuple[tuple[str, ...], list[tuple], int]:
    """Columns and rows of figures that others printed, those first that differ; and how many differ."""
    found = sorted(oracles.rows(), key=lambda o: o.agrees)
    columns = ("figure", "published", "here", "published but differs, because", "source")
    rows = [
        (
            f"{o.name}: {o.what}",
            *(f"{digits(n)} {o.unit}" for n in (o.published, o.ours)),
            "" if o.agrees else o.because,
            o.source,
        )
        for o in found
    ]
    return columns, rows, sum(not o.agrees for o in found)


def digits(printed: str) -> str:
    """A whole number with its thousands apart; any other as it was printed."""
    return f"{int(printed):,}" if printed.isdigit() else printed


def compared_text(theirs: int, ours: int, words) -> tuple[str, str]:
    """Two numbers in units, or in full where units would make them look the same."""
    short = words(theirs), words(ours)
    return short if short[0] != short[1] else (f"{theirs:,}", f"{ours:,}")
