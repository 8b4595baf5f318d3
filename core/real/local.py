"""Models of the reader's own: checkpoints in a folder of this machine, loaded into our modules and run on a prompt.

The folder is named by the environment variable CUTAWAY_MODELS. Each model is a sub-folder with config.json, tokenizer.json and
safetensors, as save_pretrained writes it; nothing is uploaded, downloaded, unpickled or executed. Names and shapes of all
tensors are compared with what the config asks for, and sizes with the limits below, before a single weight is allocated.

Letters: T tokens, H query heads, L layers.
"""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from core.count import cost
from core.errors import SpecError, one_of, short, whole
from core.model.blocks import Full
from core.model.decoding.autoregressive import pick
from core.model.model import Model, elements
from core.model.part import inside
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.real.hf import reader, weights
from core.real.hf.families import FAMILIES

VARIABLE = "CUTAWAY_MODELS"
COMMAND = f"{VARIABLE}=/path/to/models python -m streamlit run app/main.py"

PARAMETERS = 1_300_000_000  # learned numbers of all models held at once; each takes four bytes in memory
BYTES = 6 << 30  # of one model's safetensors together
LARGEST = {"config.json": 8 << 20, "tokenizer.json": 64 << 20, "model.safetensors.index.json": 16 << 20}  # bytes
MODELS = 200  # sub-folders that are looked at
CHARACTERS, TOKENS, NEW = 1000, 128, 32  # of a prompt; read of it; written after it
LIKELIEST = 5

INDEX, DTYPES = "model.safetensors.index.json", {"F32", "F16", "BF16"}
GIVEN = ("rotary_emb.inv_freq",)  # tables that the config gives, stored by old versions
PICKLED = (".bin", ".pt", ".pth", ".ckpt")


# The folder


@dataclass(frozen=True)
class Files:
    """What one model is read from; `stamp` changes when a file does."""

    name: str
    config: Path
    tokenizer: Path
    weights: tuple[Path, ...]
    stamp: tuple


def folder() -> Path | None:
    """The folder that was named at the start, or None. SpecError where it is none."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        raise SpecError(f"{VARIABLE} must name a folder, not {short(named)}")
    return path.resolve()


def models() -> dict[str, str]:
    """Every sub-folder with a config.json: {name: "", or the sentence that says why its files cannot be used}."""
    found = {}
    for name in names():
        try:
            files(name)
            found[name] = ""
        except SpecError as error:
            found[name] = str(error)
    return found


def names() -> list[str]:
    """The sub-folders with a config.json, by name."""
    root = folder()
    if root is None:
        return []
    places = [place for place in listed(root) if readable(place.name) and os.path.lexists(place / "config.json")]
    return [place.name for place in places][:MODELS]


def files(name: str) -> Files:
    """The files of a model, their sizes checked. SpecError says in one sentence what is not there or not accepted."""
    place = (folder() or Path()) / one_of("model", name, names())
    shards = weight_files(place)
    config, tokenizer = plain(place, "config.json"), plain(place, "tokenizer.json")
    total = sum(path.stat().st_size for path in shards)
    if total > BYTES:
        raise SpecError(f"{name}: its safetensors hold {total:,} bytes, at most {BYTES:,} are loaded")
    stamp = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in (config, tokenizer, *shards))
    return Files(name, config, tokenizer, shards, stamp)


def listed(place: Path) -> list[Path]:
    """What a folder holds, by name."""
    try:
        return sorted(place.iterdir())
    except OSError as error:
        raise SpecError(f"the folder {short(place.name)} cannot be read: {error.strerror}") from None


def plain(place: Path, name: str) -> Path:
    """A plain file of a model's folder that does not lead out of the folder of models."""
    path = place / name
    if not readable(name) or not os.path.lexists(path):
        raise SpecError(f"{place.name} has no {name if readable(name) else short(name)}")
    if not Path(os.path.realpath(path)).is_relative_to(place.parent):
        raise SpecError(f"{place.name}/{name} leads out of the folder of models: only plain files inside it are read")
    if not path.is_file():
        raise SpecError(f"{place.name}/{name} is not a plain file")
    if (size := path.stat().st_size) > LARGEST.get(name, BYTES):
        raise SpecError(f"{place.name}/{name} has {size:,} bytes, at most {LARGEST.get(name, BYTES):,} are read")
    return path


def readable(name: str) -> bool:
    """A file name that can stand in a sentence."""
    return name.isprintable() and len(name) <= 100


def weight_files(place: Path) -> tuple[Path, ...]:
    """The safetensors of a model: those that its index names, or the only one."""
    stored = [path.name for path in listed(place)]
    if INDEX in stored:
        given = parsed(place, INDEX).get("weight_map")
        if not isinstance(given, dict) or not given or not all(isinstance(n, str) for n in given.values()):
            raise SpecError(f"{place.name}/{INDEX} must name a file for every tensor in weight_map")
        shards = sorted(set(given.values()))
        if strange := [n for n in shards if Path(n).name != n or not n.endswith(".safetensors")]:
            raise SpecError(f"{place.name}/{INDEX} names {short(strange[0])}: only safetensors beside it are read")
    else:
        shards = [n for n in stored if n.endswith(".safetensors")]
    if not shards and any(n.endswith(PICKLED) for n in stored):
        raise SpecError(f"{place.name} has pickled weights alone, which are never opened: save it as safetensors")
    if not shards:
        raise SpecError(f"{place.name} has no safetensors")
    if INDEX not in stored and len(shards) > 1:
        raise SpecError(f"{place.name} has {len(shards)} safetensors and no {INDEX} that says which belong together")
    return tuple(plain(place, n) for n in shards)


def parsed(place: Path, name: str) -> dict:
    """A JSON object of a model's folder."""
    try:
        found = json.loads(plain(place, name).read_bytes())
    except OSError as error:
        raise SpecError(f"{place.name}/{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise SpecError(f"{place.name}/{name} is not JSON{where}") from None
    if not isinstance(found, dict):
        raise SpecError(f"{place.name}/{name} must be a JSON object, not {short(found)}")
    return found


# Loading


@dataclass(frozen=True)
class Opened:
    """A model that is ready to run. `unknown` are fields of its config that nobody understood, `ends` the tokens that stop it."""

    spec: ModelSpec
    model: Model
    tokenizer: Tokenizer
    reading: reader.Reading
    ends: frozenset[int]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Fields that may change its arithmetic and are not known here."""
        return self.reading.unknown_fields


_HELD: dict[Files, Opened] = {}
_LOCK = threading.Lock()


def opened(name: str) -> Opened:
    """A model by its folder's name, shared by everybody; the oldest ones make room. SpecError in one sentence."""
    own = files(name)
    with _LOCK:
        if own not in _HELD:
            config = parsed(own.config.parent, "config.json")
            reading, size = described(own, config)
            while _HELD and size + sum(cost.count(o.spec, 1).params_total for o in _HELD.values()) > PARAMETERS:
                del _HELD[next(iter(_HELD))]
            _HELD[own] = loaded(own, config, reading)
        return _HELD[own]


def described(own: Files, config: dict) -> tuple[reader.Reading, int]:
    """What the config says and how many numbers that makes, where it is a model that can be loaded."""
    try:
        reading = reader.read(config, own.name)
    except SpecError as error:
        raise SpecError(f"{own.name}: {error}") from None
    size = cost.count(reading.spec, 1).params_total
    if size > PARAMETERS:
        raise SpecError(f"{own.name} has {size:,} parameters, at most {PARAMETERS:,} are loaded")
    if reading.spec.decoding != "autoregressive":
        raise SpecError(f"{own.name} answers by {reading.spec.decoding}: models that write from left to right are run")
    return reading, size


def loaded(own: Files, config: dict, reading: reader.Reading) -> Opened:
    """The model with its weights, in float32, and its tokenizer."""
    tokenizer = tokenizer_of(own)
    try:
        model = room(checked(own, reading))
        weights.load(model, reader.table(reading.model_type, model), stored(own, reading.model_type, tensors))
    except (weights.WeightError, SpecError) as error:
        raise SpecError(f"{own.name}: {error}") from None
    said = config.get("eos_token_id")
    ends = said if isinstance(said, list) else [said]
    return Opened(reading.spec, model, tokenizer, reading, frozenset(e for e in ends if type(e) is int))


def tokenizer_of(own: Files) -> Tokenizer:
    """The tokenizer, which neither cuts nor pads."""
    try:
        made = Tokenizer.from_file(str(own.tokenizer))
    except Exception as error:  # the library raises nothing narrower
        raise SpecError(f"{own.name}/tokenizer.json cannot be read: {short(str(error))}") from None
    made.no_truncation()
    made.no_padding()
    return made


def room(model: Model) -> Model:
    """Memory for a model that has none; what is drawn at random elsewhere stays undrawn, because loading fills all of it."""
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    if model.spec.tied:
        model.lm_head.weight = model.embed_tokens.weight
    return model


def checked(own: Files, reading: reader.Reading) -> Model:
    """The model without memory, after all names, shapes and dtypes that the files state were found to be what the config asks
    for."""
    with torch.device("meta"):
        model = Model(reading.spec)
    table = reader.table(reading.model_type, model)
    wanted = {name: tuple(tensor.shape) for name, tensor in weights.export(model, table).items()}
    try:
        given = {name: tuple(tensor.shape) for name, tensor in stored(own, reading.model_type, headers).items()}
    except RuntimeError:
        raise SpecError("its experts have tensors of different shapes, or not all of them") from None
    accepted = {entry.theirs for entry in table}
    tied = reading.spec.tied and "lm_head.weight" in given  # the shared table may come under its other name
    missing = [n for n in wanted if n not in given and not (tied and n.endswith(("embed_tokens.weight", "wte.weight")))]
    shapes = [f"{n} is {given[n]} instead of {wanted[n]}" for n in wanted if n in given and given[n] != wanted[n]]
    faults = {"missing": missing, "left over": sorted(set(given) - accepted), "of another shape": shapes}
    if any(faults.values()):
        said = "; ".join(f"{what}: {some(found)}" for what, found in faults.items() if found)
        raise SpecError(f"its files do not hold what its config asks for ({said})")
    return model


def some(found: list[str], most: int = 5) -> str:
    """The first few, and how many more."""
    return ", ".join(found[:most]) + (f" and {len(found) - most:,} more" if len(found) > most else "")


def stored(own: Files, kind: str, read) -> dict[str, Tensor]:
    """All tensors of the files under the names that the loaded model has them by; `read` gives those of one file."""
    family = FAMILIES[kind]
    found: dict[str, Tensor] = {}
    for path in own.weights:
        try:
            part = dict(read(path))
        except (SafetensorError, OSError) as error:
            raise SpecError(f"{path.name} is not a whole safetensors file: {short(str(error))}") from None
        if twice := sorted(found.keys() & part.keys()):
            raise SpecError(f"{short(twice[0])} is stored twice")
        found |= part
    if kind == family.wrapper:
        found = language(found)
    ignored = GIVEN + family.ignored
    found = {name: tensor for name, tensor in found.items() if not name.endswith(ignored)}
    return family.disk(found)


def language(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a model that also sees, the tensors of the language model by the names that it has alone."""
    inner = re.compile(r"^(?:model\.)?language_model\.(?:model\.)?")
    if not any(inner.match(name) for name in found):
        return dict(found)
    renamed = {"model." + inner.sub("", name): tensor for name, tensor in found.items() if inner.match(name)}
    renamed |= {name: tensor for name, tensor in found.items() if name.startswith("lm_head.")}
    return {name.replace("model.lm_head.", "lm_head."): tensor for name, tensor in renamed.items()}


def headers(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Names and shapes of one file, without its numbers."""
    with safe_open(path, framework="pt") as file:
        for name in file.keys():
            part = file.get_slice(name)
            if part.get_dtype() not in DTYPES and not name.endswith((".attn.bias", ".attn.masked_bias", *GIVEN)):
                raise SpecError(f"{name} is stored as {part.get_dtype()}: {', '.join(sorted(DTYPES))} are read")
            yield name, torch.empty(part.get_shape(), device="meta")


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one file: vectors as float32, because one is added to some; matrices as they are, mapped from the disk."""
    with safe_open(path, framework="pt") as file:
        for name in file.keys():
            tensor = file.get_tensor(name)
            yield name, tensor.float() if tensor.dim() < 2 else tensor


# A prompt


@dataclass(frozen=True)
class Memory:
    """Bytes kept of one sequence of `tokens`, in float32 as it runs: counted, and measured in the live tensors. `released` is
    the count in the dtypes that the config names."""

    tokens: int
    cache_counted: int
    cache_measured: int
    state_counted: int
    state_measured: int
    released: int

    @property
    def measured(self) -> int:
        """Cache and state together."""
        return self.cache_measured + self.state_measured


@dataclass(frozen=True)
class Picture:
    """Attention of one layer: weights (H, T, T) float16, row = the token that asks; visible (T, T) bool; `groups` (H,) is the
    KV head that each query head reads, () where there are none."""

    weights: np.ndarray
    visible: np.ndarray
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Look:
    """A model on a prompt. `total` counts the tokens of all of it, of which the first are read; layers that do not attend have
    no picture; `likeliest` is what is expected next, best first."""

    tokens: tuple[str, ...]
    total: int
    pictures: tuple[Picture | None, ...]
    memory: Memory
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Written:
    """What a model writes after a prompt, always the likeliest token. `memory` has what is kept after the prompt and after each
    new token."""

    text: str
    tokens: tuple[str, ...]
    probability: tuple[float, ...]
    memory: tuple[Memory, ...]
    ended: bool

    @property
    def lengths(self) -> np.ndarray:
        """Tokens read: the prompt's, then one more after each new one."""
        return np.array([m.tokens for m in self.memory])

    @property
    def cache(self) -> np.ndarray:
        """Bytes of the cache, measured, after each of `lengths`."""
        return np.array([m.cache_measured for m in self.memory])


def bounded(prompt: str) -> str:
    """A prompt that is not too long."""
    if not isinstance(prompt, str) or len(prompt) > CHARACTERS:
        raise SpecError(f"a prompt is a text of at most {CHARACTERS:,} characters")
    return prompt


def encoded(own: Opened, prompt: str) -> tuple[list[int], list[str], int]:
    """The tokens that are read, as numbers and as texts, and how many there are in all."""
    try:
        found = own.tokenizer.encode(prompt)
        ids = found.ids
    except Exception as error:  # the library raises nothing narrower
        raise SpecError(f"the tokenizer of {own.spec.name} cannot read this prompt: {short(str(error))}") from None
    if not ids:
        raise SpecError("the prompt has no token: write a word")
    if max(ids) >= own.spec.vocab:
        raise SpecError(f"the tokenizer of {own.spec.name} gives token {max(ids):,}, the model knows {own.spec.vocab:,}")
    read = min(TOKENS, len(ids), own.spec.learned_positions or TOKENS)
    texts = [piece(own.tokenizer, token, prompt[a:b]) for token, (a, b) in zip(ids[:read], found.offsets)]
    return ids[:read], texts, len(ids)


def piece(tokenizer: Tokenizer, token: int, source: str = "") -> str:
    """One token as text; a part of a letter as the letter in its `source`, what is no text by itself as the tokenizer writes it,
    and spaces as signs."""
    text = tokenizer.decode([token], skip_special_tokens=False)
    if not text or "\ufffd" in text:
        text = source or tokenizer.id_to_token(token) or f"#{token}"
    if text.isspace():
        return text.replace("\n", "⏎").replace(" ", "␣").replace("\t", "⇥")
    return text.strip()


@dataclass(frozen=True)
class Read:
    """A prompt that a model has read: `logits` (V,) after its last token, the state, and the records of all layers."""

    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    total: int
    logits: Tensor
    state: tuple
    trace: Trace


@lru_cache(maxsize=2)
@torch.no_grad()
def _read(own: Files, prompt: str) -> Read:
    m, trace = opened(own.name), Trace("attention", "picked")
    ids, tokens, total = encoded(m, prompt)
    logits, state = m.model(torch.tensor([ids]), (), trace)
    return Read(tuple(ids), tuple(tokens), total, finite(m, logits[0, -1]), state, trace)


def look(name: str, prompt: str) -> Look:
    """A model on a prompt: tokens, attention maps, what is kept, what it expects next."""
    return _look(files(name), bounded(prompt))


@lru_cache(maxsize=4)
def _look(own: Files, prompt: str) -> Look:
    m, r = opened(own.name), _read(own, prompt)
    pictures = tuple(picture(m.spec, r.trace, i, len(r.ids)) for i in range(len(m.spec.layers)))
    p, order = r.logits.softmax(-1).sort(descending=True)
    best = tuple((piece(m.tokenizer, int(t)), float(x)) for t, x in zip(order[:LIKELIEST], p))
    return Look(r.tokens, r.total, pictures, memory(m, r.state, len(r.ids)), best)


def picture(spec: ModelSpec, trace: Trace, layer: int, n: int) -> Picture | None:
    """What a layer's heads read; None where it does not attend."""
    if (layer, "attention") not in trace.records:
        return None
    heads, at = trace[layer, "attention"][0], torch.arange(n)
    attending = attention(spec.layers[layer].mixer)
    if (layer, "picked") in trace.records:
        visible = trace[layer, "picked"][0]
    else:
        visible = getattr(attending, "reach", Full()).visible(at[:, None], at[None])
    groups = getattr(attending, "kv_heads", 0)
    shared = tuple(h * groups // len(heads) for h in range(len(heads))) if groups else ()
    return Picture(heads.numpy().astype(np.float16), visible.numpy(), shared)


def attention(mixer):
    """The part of a mixer that attends."""
    return next((part for part in inside(mixer) if hasattr(part, "reach")), mixer)


def memory(m: Opened, state: tuple, n: int) -> Memory:
    """What is kept after n tokens, counted and measured."""
    kept, grows = elements(state), m.spec.cache_names()
    cache = sum(count for name, count in kept.items() if name in grows)
    here = cost.count(m.spec, n, cache_dtype="float32", state_dtype="float32")
    there = cost.count(m.spec, n, cache_dtype=m.reading.cache_dtype, state_dtype=m.reading.state_dtype)
    size = cost.stored(1, "float32")
    measured = (size * cache, size * (sum(kept.values()) - cache))
    return Memory(n, here.cache_bytes, measured[0], here.state_bytes, measured[1], there.cache_bytes + there.state_bytes)


def counted(spec: ModelSpec, lengths: np.ndarray) -> np.ndarray:
    """Bytes of the cache in float32 after each number of tokens, counted."""
    return np.array([cost.count(spec, int(n), cache_dtype="float32").cache_bytes for n in lengths])


def finite(m: Opened, logits: Tensor) -> Tensor:
    """Logits, where they are numbers."""
    if not logits.isfinite().all():
        raise SpecError(f"{m.spec.name} gives logits that are not finite: its weights are damaged")
    return logits


def generate(name: str, prompt: str, n: int) -> Written:
    """The likeliest n tokens after a prompt, one by one with the cache; fewer where the model ends or has no more positions."""
    return _generate(files(name), bounded(prompt), whole("n", n, high=NEW))


@lru_cache(maxsize=16)
@torch.no_grad()
def _generate(own: Files, prompt: str, n: int) -> Written:
    m, read = opened(own.name), _read(own, prompt)
    ids, last, state = list(read.ids), read.logits, read.state
    most = min(n, (m.spec.learned_positions or len(ids) + n) - len(ids))
    new: list[int] = []
    probability, kept = [], [memory(m, state, len(ids))]
    while len(new) < most and not (new and new[-1] in m.ends):
        new.append(pick(last))
        probability.append(float(last.softmax(-1)[new[-1]]))
        logits, state = m.model(torch.tensor([new[-1:]]), state)
        last = finite(m, logits[0, -1])
        kept.append(memory(m, state, len(ids) + len(new)))
    before, after = (m.tokenizer.decode(part, skip_special_tokens=True) for part in (ids, ids + new))
    text = after.removeprefix(before)
    ended = bool(new) and new[-1] in m.ends
    return Written(text, tuple(piece(m.tokenizer, t) for t in new), tuple(probability), tuple(kept), ended)
