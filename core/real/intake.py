"""What a reader hands in -> a model that can be counted: a config.json as text or bytes, or one sentence that says what is wrong.

    take(data, name)       -> Taken: what was read, with the config it came from and what a reader should know about it
    counted(data, name)    -> the same; or Referenced, what the class of transformers says of a family that is not read here
    report(taken)          -> the text of "report a wrong count"

The pages and the command line both come in here. Nothing is fetched: a name on the Hugging Face Hub, or an address, gives the
sentence on how to get config.json. An unknown family is refused; a larger model of an unknown family around a language model of a
known one is read for the language model. Another file of a model, or the web page of one, is called what it is.

Torch is imported once there is a config to read, so that what is none is refused at once.
"""

import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.count import dtypes
from core.errors import NotRead, SpecError, short
from core.paths import ROOT
from core.real import catalogue
from core.real.beside import ANSWERS, index_of
from core.real.hf.fields import INSIDE
from core.real.hf.source import MAX_BYTES, as_object, parse
from core.real.quantisation.stated import PLACES, hinted

if TYPE_CHECKING:
    from core.real.hf.reader import Reading
    from core.real.reference.count import Reference

MOST_FILES = 8
LONGEST_NAME = 60
QUOTES = "'\""
HUB = re.compile(r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/)?([\w][\w.-]{0,95})/([\w][\w.-]{0,95})(?:/\S*)?")
ADDRESS = re.compile(r"(?:https?|ftp|file)://\S*|www\.\S+", re.IGNORECASE)
WORD = re.compile(r"[\w][\w.-]{0,95}")
OTHERS = (  # fields that a model's config does not have, and the file that has them
    (("weight_map",), "the index of files of weights (model.safetensors.index.json)"),
    (("peft_type",), "the config of an adapter (adapter_config.json)"),
    (("added_tokens", "model"), "a tokenizer (tokenizer.json)"),
    (("tokenizer_class", "model_max_length"), "the config of a tokenizer (tokenizer_config.json)"),
    (("dim", "n_layers"), "params.json, in its maker's own format"),
    (("eos_token_id", "temperature"), "the settings of writing text (generation_config.json)"),
    (("eos_token_id", "transformers_version"), "the settings of writing text (generation_config.json)"),
)


class NotUnderstood(SpecError):
    """A config states `fields` that may change what is counted and are not understood."""

    def __init__(self, fields: tuple[str, ...], most: int = 8):
        self.fields = fields
        more = f" and {len(fields) - most} more" * (len(fields) > most)
        names = ", ".join(short(field)[1:-1] for field in fields[:most]) + more
        verb = "is" if len(fields) == 1 else "are"
        super().__init__(f"{names} {verb} not understood and may change every count: no number is given, unless counted without")


@dataclass(frozen=True)
class Taken:
    """A config that was read, with what its reader answered. `note` is a sentence on how, "" where the family is known."""

    reading: "Reading"
    config: dict = field(compare=False)
    note: str = ""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.reading.spec.name


@dataclass(frozen=True)
class Referenced:
    """A config that is counted by its class in transformers, because its family, or a field of it, is not read here. `why` is the
    sentence on that."""

    name: str
    reference: "Reference"
    config: dict = field(compare=False)
    why: str = ""

    @property
    def note(self) -> str:
        """How it was counted, in a sentence."""
        r = self.reference
        return f"Counted by {r.kind}, the reference class of transformers {r.version}; Cutaway does not run this family."

    def stated(self, *fields: str):
        """The first of these fields that the config, or the one of the language model inside, states."""
        levels = [self.config, *(as_object(self.config.get(name)) for name in INSIDE)]
        return next((level[name] for level in levels for name in fields if level.get(name)), None)

    @property
    def dtype(self) -> str:
        """The dtype that the config states; "" where it states none."""
        told = self.stated("dtype", "torch_dtype")
        return told if isinstance(told, str) and told in dtypes.DTYPES else ""

    @property
    def is_quantised(self) -> bool:
        """Does the config say that weights are stored in another way?"""
        return self.stated(*PLACES) is not None or bool(hinted(self.name))


def counted(data: str | bytes, name: str = "", answers: dict | None = None, folder: str = "") -> Taken | Referenced:
    """A config.json, read; or counted by its class in transformers where its family is not read here, or a field of it is not
    understood. SpecError says why there is neither."""
    try:
        return take(data, name, answers, folder)
    except (NotRead, NotUnderstood) as error:
        from core.real.reference import count as reference

        config = parse(data)
        if not reference.is_known(config):
            raise
        try:
            found = reference.count({field: value for field, value in config.items() if field != ANSWERS})
        except SpecError as why:
            if isinstance(error, NotUnderstood):  # which the reader may count without
                raise error from None
            raise NotRead(f"{error}; {why}") from None
        if isinstance(error, NotUnderstood) and set(error.fields) & set(found.strange):  # nor does the class understand them
            raise
        return Referenced(named(config, name), found, config, str(error))


def take(data: str | bytes, name: str = "", answers: dict | None = None, folder: str = "") -> Taken:
    """A config.json, read. SpecError says in one sentence what is wrong and what is accepted. `answers` is what its reader says
    where it leaves something open: `weight_dtype`, what the weights take; `without`, fields to count without.
    `folder` is the name of the folder that it stands in."""
    if len(data) > MAX_BYTES:
        raise SpecError(f"a config must be at most 8 MiB, not {len(data):,} bytes")
    if pointer := elsewhere(data):
        raise SpecError(pointer)
    config = parse(data)
    return understood(config | {ANSWERS: as_object(config.get(ANSWERS)) | answers} if answers else config, name, folder)


def understood(config: dict, name: str = "", folder: str = "") -> Taken:
    """An object -> Taken."""
    if other := another(config):
        raise SpecError(other)
    from core.real.hf import reader  # brings torch

    answers = as_object(config.get(ANSWERS))
    stated = {field: value for field, value in config.items() if field != ANSWERS}
    reading = replace(derived(reader.read(stated, named(config, name))), index=index_of(config))
    if not reading.quantisation and not reading.unclear and (why := hinted(folder)):
        reading = replace(reading, unclear=why, weight_dtype="")
    if reading.unclear and (told := answers.get("weight_dtype")):
        reading = replace(reading, weight_dtype=dtypes.named("weight_dtype", told))
    without = answers.get("without")
    if left := [field for field in reading.unknown_fields if not isinstance(without, list) or field not in without]:
        raise NotUnderstood(tuple(left))
    if not reading.inside:
        return Taken(reading, config)
    lead = f"{short(config.get('model_type', 'the whole')).strip(QUOTES)} is not known here; the language model in its"
    return Taken(reading, config, f"{lead} {reading.inside} ({reading.model_type}) is counted, and nothing beside it.")


def derived(reading: "Reading") -> "Reading":
    """The same reading; where it is known how weights are stored and not which of the model's are, that is said."""
    from core.real import released

    if not reading.quantisation or released.weights(reading):
        return reading
    why = f"which weights {reading.quantisation.method} converts is not derived for {reading.model_type}"
    return replace(reading, unclear=why, weight_dtype="", quantisation=None)


def numbered(found: list[Taken]) -> list[Taken]:
    """Models of one name get numbers, so that a table can tell them apart."""
    names = [taken.name for taken in found]
    result = []
    for at, taken in enumerate(found):
        name = f"{taken.name} ({names[: at + 1].count(taken.name)})" if names.count(taken.name) > 1 else taken.name
        result.append(replace(taken, reading=replace(taken.reading, spec=replace(taken.reading.spec, name=name))))
    return result


def named(config: dict, name: str) -> str:
    """What to call a model: its file, unless that is just config.json; else what the config calls itself; else its family."""
    stem = re.sub(r"[\s_-]*\(\d+\)$", "", re.sub(r"\.(json|txt)$", "", Path(name).name, flags=re.IGNORECASE)).strip()
    own = config.get("_name_or_path") or config.get("name_or_path")
    own = Path(own).name if isinstance(own, str) else ""
    inner = config.get("model_type")
    for choice in (stem if stem.lower() not in ("", "config", "pasted") else "", own, inner if isinstance(inner, str) else ""):
        if clean := " ".join(str(choice).split())[:LONGEST_NAME].strip():
            return "".join(c for c in clean if c.isprintable())
    return "config"


# Not a config at all


def elsewhere(data: str | bytes) -> str:
    """A sentence where somebody typed where a config is instead of the config; "" otherwise."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    text = text.strip()
    if text[:99].lower().startswith(("<!doctype html", "<html")):
        return (
            "this is a web page and no config: on the Hub, open the file itself (its address has /raw/main/config.json), then "
            "upload or paste that"
        )
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if len(text) > 300 or "\n" in text or text.startswith(("{", "[", '"')):
        return ""
    if found := HUB.fullmatch(text):
        return fetch_yourself(f"{found[1]}/{found[2]}")
    if ADDRESS.fullmatch(text):
        what = f"{short(text)[1:-1]} is an address, and this server fetches nothing"
        return f"{what}: open it yourself, then upload or paste the config.json"
    if WORD.fullmatch(text) and not text.isdigit() and text not in ("true", "false", "null", "NaN", "Infinity"):
        key = next((key for key, e in catalogue.entries().items() if text.lower() in (key, e.name.lower())), "")
        where = f"choose {catalogue.entries()[key].name} from the list" if key else "choose a model from the list"
        return f"{text} is a name and no config: {where}, or upload or paste a config.json"
    return ""


def another(config: dict) -> str:
    """A sentence where an object is another file of a model; "" otherwise."""
    if "model_type" in config or any(key in config for key in INSIDE):
        return ""
    found = next((what for fields, what in OTHERS if all(field in config for field in fields)), "")
    return found and f"this reads like {found}, not like a model's config: its config.json usually stands beside it"


def fetch_yourself(hub: str) -> str:
    """How to get the config of a model on the Hub."""
    listed = next((e.name for e in catalogue.entries().values() if e.fact("link").lower().endswith(f"/{hub.lower()}")), "")
    instead = f"; or choose {listed} from the list" if listed else ""
    return (
        f"{hub} is a name on the Hugging Face Hub, and this server fetches nothing: open "
        f"https://huggingface.co/{hub}/raw/main/config.json in your browser, then paste the text or upload the file{instead}"
    )


def strange(unknown: tuple[str, ...], most: int = 8) -> str:
    """Fields that were not understood and that the reader chose to count without, in one sentence; "" where there are none."""
    more = f" and {len(unknown) - most} more" if len(unknown) > most else ""
    return f"Not understood and not counted: {', '.join(unknown[:most])}{more}." if unknown else ""


# Report a wrong count


@lru_cache(maxsize=1)
def version() -> str:
    """The version of this program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return project["project"]["version"]


def report(taken: Taken, context: int = 0, batch: int = 1) -> str:
    """A text to copy: what was counted, by which version, from which config. The reader adds what the count should be."""
    from core.count import cost  # brings torch

    r = taken.reading
    c = cost.count(r.spec, context or r.context, batch, r.weight_dtype or r.cache_dtype, r.cache_dtype, r.state_dtype)
    fields = ("params_total", "params_active", "cache_elements", "state_elements", "cache_bytes", "state_bytes", "weight_bytes")
    numbers = "\n".join(f"  {name:<16}{getattr(c, name)}" for name in fields)
    return (
        f"Wrong count: {taken.name} ({r.model_type})\n\n"
        f"What is wrong, and what it should be (with the source):\n\n\n"
        f"Cutaway {version()}, context {c.context}, batch {c.batch}, "
        f"weights {r.weight_dtype or 'not known, counted as ' + r.cache_dtype}, cache {c.cache_dtype}, state {c.state_dtype}\n"
        f"{numbers}\n"
        f"  layers          {json.dumps(c.layers_by_kind)}\n"
        f"  assumed         {', '.join(r.assumed) or 'nothing'}\n"
        f"  not understood  {', '.join(r.unknown_fields) or 'nothing'}\n\n"
        f"config.json:\n{json.dumps(taken.config, indent=1)}\n"
    )
