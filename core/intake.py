"""What a reader hands in -> a model that can be counted: a config.json as text or bytes, or one sentence that says what is wrong.

    accept(data, name)     -> Reading
    take(data, name)       -> Taken: the reading with the config it came from, and what a reader should know about it
    take_all(files)        -> ([Taken], [sentence]): several at once, each by itself
    report(taken)          -> the text of "report a wrong count"

Nothing is fetched: a name on the Hugging Face Hub, or an address, gives the sentence on how to get config.json. A config of an
unknown family that reads like a known one is counted as that one, and says so. A wrapper of an unknown family around a known
language model (`text_config`) is read for the language model.
"""

import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from core import catalogue, cost
from core.errors import SpecError, short
from core.hf import reader
from core.hf.fields import HARMLESS
from core.hf.reader import BESIDE, FAMILIES, SAID_OUTSIDE, WRAPPERS, Reading
from core.hf.source import MAX_BYTES, parse

MOST_FILES = 8
LONGEST_NAME = 60
UNDERSTOOD = 0.75  # share of a config's fields that a known family must understand for an unknown one to read like it
HUB = re.compile(r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/)?([\w][\w.-]{0,95})/([\w][\w.-]{0,95})(?:/\S*)?")
ADDRESS = re.compile(r"(?:https?|ftp|file)://\S*|www\.\S+", re.IGNORECASE)
WORD = re.compile(r"[\w][\w.-]{0,95}")


@dataclass(frozen=True)
class Taken:
    """A config that was read. `note` is a sentence on how, "" where the family is known."""

    reading: Reading
    config: dict = field(compare=False)
    note: str = ""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.reading.spec.name


def accept(data: str | bytes, name: str = "") -> Reading:
    """A config.json, read. SpecError says in one sentence what is wrong and what is accepted."""
    return take(data, name).reading


def take(data: str | bytes, name: str = "") -> Taken:
    """The same, with the config itself."""
    if len(data) > MAX_BYTES:
        raise SpecError(f"a config must be at most 1 MiB, not {len(data):,} bytes")
    if pointer := elsewhere(data):
        raise SpecError(pointer)
    return understood(parse(data), name)


def understood(config: dict, name: str = "") -> Taken:
    """An object -> Taken."""
    shown = named(config, name)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind in FAMILIES:
        return Taken(reader.read(config, shown), config)
    if isinstance(config.get("text_config"), dict):
        return wrapped(config, shown)
    return resembling(config, shown)


def take_all(files) -> tuple[list[Taken], list[str]]:
    """(name, data) pairs -> what could be read, and a sentence for each that could not."""
    found, errors = [], []
    for at, (name, data) in enumerate(files):
        try:
            if at >= MOST_FILES:
                raise SpecError(f"at most {MOST_FILES} configs are read at once")
            found.append(take(data, name))
        except SpecError as error:
            errors.append(f"{short(name)[1:-1]}: {error}")
    return apart(found), errors


def apart(found: list[Taken]) -> list[Taken]:
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


def fetch_yourself(hub: str) -> str:
    """How to get the config of a model on the Hub."""
    listed = next((e.name for e in catalogue.entries().values() if e.fact("link").lower().endswith(f"/{hub.lower()}")), "")
    instead = f"; or choose {listed} from the list" if listed else ""
    return (
        f"{hub} is a name on the Hugging Face Hub, and this server fetches nothing: open "
        f"https://huggingface.co/{hub}/raw/main/config.json in your browser, then paste the text or upload the file{instead}"
    )


# Families that are not known


def wrapped(config: dict, name: str) -> Taken:
    """A wrapper of an unknown family: the language model inside it is read, what is said about both is said outside."""
    text = config["text_config"]
    said = {key: config[key] for key in SAID_OUTSIDE if config.get(key) is not None and text.get(key) is None}
    inner = understood({**text, **said}, name)
    outside = set(config) - {"text_config", *BESIDE, *SAID_OUTSIDE, *HARMLESS}
    unknown = tuple(sorted(key for key in outside if config[key] is not None))
    kept = tuple(f"text_config.{key}" for key in inner.reading.unknown_fields)
    reading = replace(inner.reading, unknown_fields=(*kept, *unknown))
    kind, model = short(config["model_type"])[1:-1], inner.reading.model_type
    note = f"{kind} is not known here; the language model in its text_config ({model}) is counted, and nothing beside it."
    return Taken(reading, config, f"{note} {inner.note}".strip())


def resembling(config: dict, name: str) -> Taken:
    """A config of an unknown family, read as the first known one that understands most of it. SpecError where none does."""
    stated = [key for key, value in config.items() if value is not None and key not in HARMLESS]
    best = None
    for kind in FAMILIES:
        try:
            found = reader.read({**config, "model_type": kind}, name) if kind not in WRAPPERS else None
        except SpecError:
            continue
        if found and (best is None or len(found.unknown_fields) < len(best[1].unknown_fields)):
            best = kind, found
    if not best or len(best[1].unknown_fields) > (1 - UNDERSTOOD) * len(stated):
        reader.read(config, name)  # which says what families there are
        raise SpecError("model_type must be a known family")
    kind, found = best
    strange = len(found.unknown_fields)
    rest = f"all but {strange} of its fields are" if strange else "every field of it is"
    lead = f"{short(config['model_type'])[1:-1]} is a family that is not known here; it reads like {kind}"
    note = f"{lead}, where {rest} understood: check the counts."
    return Taken(replace(found, assumed=(f"model_type (read like {kind})", *found.assumed)), config, note)


def strange(unknown: tuple[str, ...], most: int = 8) -> str:
    """Fields that could matter and were not understood, in one sentence; "" where there are none."""
    more = f" and {len(unknown) - most} more" if len(unknown) > most else ""
    return f"Not understood and not counted: {', '.join(unknown[:most])}{more}." if unknown else ""


# Report a wrong count


@lru_cache(maxsize=1)
def version() -> str:
    """The version of this program."""
    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())
    return project["project"]["version"]


def report(taken: Taken, context: int = 0, batch: int = 1) -> str:
    """A text to copy: what was counted, by which version, from which config. The reader adds what the count should be."""
    r = taken.reading
    c = cost.count(r.spec, context or r.context, batch, r.weight_dtype, r.cache_dtype, r.state_dtype)
    fields = ("params_total", "params_active", "cache_elements", "state_elements", "cache_bytes", "state_bytes", "weight_bytes")
    numbers = "\n".join(f"  {name:<16}{getattr(c, name)}" for name in fields)
    return (
        f"Wrong count: {taken.name} ({r.model_type})\n\n"
        f"What is wrong, and what it should be (with the source):\n\n\n"
        f"Cutaway {version()}, context {c.context}, batch {c.batch}, "
        f"weights {c.weight_dtype}, cache {c.cache_dtype}, state {c.state_dtype}\n"
        f"{numbers}\n"
        f"  layers          {json.dumps(c.layers_by_kind)}\n"
        f"  assumed         {', '.join(r.assumed) or 'nothing'}\n"
        f"  not understood  {', '.join(r.unknown_fields) or 'nothing'}\n\n"
        f"config.json:\n{json.dumps(taken.config, indent=1)}\n"
    )
