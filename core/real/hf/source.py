"""A file, standard input or a text that may be anything -> an object that is safe to read.

Needs no torch, so that what is not a config is refused at once.
"""

import json
import math

from core.errors import SpecError, short

MAX_BYTES = 8 << 20  # lists of modules with bits of their own make some configs large
CHUNK = 1 << 16  # bytes that are asked for at once
MAX_DEPTH = 16
UNBOUNDED = ("time_step_limit",)  # fields that say infinity for "no limit"


def contents(source: str, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file, or of standard input for -; never many more than a config (or `most`) can have."""
    name = "standard input" if source == "-" else f"source {short(source)}"
    try:
        with open(0 if source == "-" else source, "rb", closefd=source != "-") as file:
            data = b""
            while len(data) <= most and (more := file.read(CHUNK)):
                data += more
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "cannot be read").lower()
        raise SpecError(f"{name} must be a catalogue key, a path to a config.json or - ({why})") from None
    if len(data) > most:
        raise SpecError(f"{name} must be a config.json of at most {most >> 20} MiB: this one is larger")
    return data


def parse(text: str | bytes, most: int = MAX_BYTES) -> dict:
    """JSON text -> object. SpecError where it is too long, empty, not JSON, not an object, or holds what no config can."""
    if len(text) > most:
        raise SpecError(f"a config must be at most {most >> 20} MiB, not {len(text):,} bytes")
    if not text.strip():
        raise SpecError("a config must be a JSON object, not an empty text")
    try:
        config = json.loads(text, object_pairs_hook=_once)
    except SpecError:
        raise
    except (ValueError, RecursionError):
        raise SpecError("a config must be a JSON object: this text is not JSON") from None
    if not isinstance(config, dict):
        raise SpecError(f"a config must be a JSON object, not {short(config)}")
    _bounded(config)
    return config


def as_object(value: object) -> dict:
    """An object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def _once(pairs: list[tuple]) -> dict:
    """Names and values of one object; JSON readers differ on which of two equal names they believe."""
    result = {}
    for name, value in pairs:
        if name in result:
            raise SpecError(f"{_name(name)} must stand once in an object, not twice")
        result[name] = value
    return result


def _bounded(config: dict) -> None:
    """SpecError where a number is not finite or objects nest too deeply, anywhere."""
    left: list[tuple[str, object, int]] = [("", config, 1)]
    while left:
        path, value, depth = left.pop()
        if isinstance(value, float) and not math.isfinite(value) and not (value > 0 and path.rpartition(".")[2] in UNBOUNDED):
            raise SpecError(f"{_name(path)} must be a finite number, not {value}")
        if not isinstance(value, (dict, list)):
            continue
        if depth > MAX_DEPTH:
            raise SpecError(f"{_name(path)} must be nested at most {MAX_DEPTH} deep")
        inner = value.items() if isinstance(value, dict) else (("", item) for item in value)
        left += [(f"{path}.{name}".strip("."), item, depth + 1) for name, item in inner if isinstance(item, (dict, list, float))]


def _name(path: str) -> str:
    """A path in a message: one line, without the quotes."""
    return short(path)[1:-1]
