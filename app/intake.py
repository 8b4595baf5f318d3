"""Where a reader hands in a model: from the catalogue, as a file, or as pasted text.

    show(key)                 a model of the catalogue, or the reader's own config instead: -> [Taken]
    show(key, several=True)   any number of both, to compare                                -> [Taken, ...]
    own(key)                  upload and paste alone                                        -> [Taken, ...]
    linked(most), keep(given) the configs that a link holds; those handed in, into the link  -> [Taken, ...]

What cannot be read is one sentence on the page and leaves the rest as it is. The server fetches nothing.
"""

import json
from collections.abc import Callable
from functools import lru_cache

import streamlit as st

from app import controls, panels, state
from core.errors import SpecError
from core.real import catalogue, intake, released
from core.real.beside import gathered, index_text
from core.real.hf.source import as_object, parse
from core.real.intake import Referenced, Taken

HELP = (
    "The config.json of a model on the Hugging Face Hub stands under Files of its page. At most 8 MB; it stays in this session "
    "and is read here, never executed; nothing is fetched. Put hf_quant_config.json and "
    "model.safetensors.index.json of the same model beside it, if there are any."
)
PASTED = "pasted"
HANDED = "cw-intake-handed-in"
HOLDER = "Paste a config.json here: { ... }"


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Key and name of every model of the catalogue, by name."""
    return {key: e.name for key, e in sorted(catalogue.entries().items(), key=lambda item: item[1].name.lower())}


def listed(key: str) -> Taken:
    """A model of the catalogue as if it had been handed in."""
    entry = catalogue.entries()[key]
    return Taken(entry.reading, entry.config)


def show(key: str, label: str, default: str) -> list[Taken]:
    """Models of the catalogue and what the reader hands in, in the order of the controls."""
    chosen = controls.picks(key, label, list(names()), default, names().__getitem__)
    with controls.more("and your own config.json files", f"{key}-own"):
        handed = own(key, several=True)
    found = [*map(listed, chosen[: intake.MOST_FILES]), *handed] or [listed(default)]
    return intake.numbered(found)


@lru_cache(maxsize=32)
def counted(name: str, data: str | bytes) -> Taken | Referenced:
    """A config, read once for all reruns; or counted by its class in transformers."""
    return intake.counted(data, name)


def own(key: str, several: bool = False, read: Callable[[str, str | bytes], object] = counted) -> list:
    """Upload and paste: what was handed in and could be read; a sentence for each that could not."""
    left, right = st.columns(2, gap="medium")
    with left:
        files = st.file_uploader(
            "Upload config.json", type="json", accept_multiple_files=True, key=f"{key}-file", help=HELP
        )  # fmt: skip
    with right:
        text = st.text_area("or paste it", key=f"{key}-text", placeholder=HOLDER, height=110)
    given = gathered([(file.name, file.getvalue()) for file in files])
    given += [(PASTED, text)] if text and text.strip() else []
    if len(given) > intake.MOST_FILES:
        panels.error(f"at most {intake.MOST_FILES} configs are read at once, not {len(given)}: the first ones are shown")
    found: list = []
    for at, (name, data) in enumerate(given[: intake.MOST_FILES]):
        if (result := tried(f"{key}-{at}", read, name, data)) is not None:
            found += filter(None, [answered(f"{key}-{at}", result)])
    if read is counted:
        found = [result for result in found if not elsewhere(result)]
    if len(found) > 1 and not several:
        panels.caption(f"**{found[0].name}, the file, is used.** Take it away to use the pasted text.")
    for result in found if several else found[:1]:
        if said := remark(result):
            panels.caption(f"**{result.name}.** {said}")
    return intake.numbered(found) if several else found


def elsewhere(result) -> bool:
    """Is it counted by its class alone? Then a sentence says where that stands, and this page goes on without it."""
    if isinstance(result, Referenced):
        where = panels.link("workbench", "workbench")
        panels.caption(f"**{result.name}.** {result.note} Hand it in on the {{where}} to see its count.", where=where)
    return isinstance(result, Referenced)


def answered(key: str, result):
    """What was read, with the reader's answer where it is not known how the weights are stored; None until it is given."""
    if not isinstance(result, Taken) or not result.reading.unclear or result.reading.weight_dtype:
        return result
    ask = "Whether it fits cannot be known: say how many bits a weight takes."
    panels.caption(f"**{result.name}.** {result.reading.unclear[:1].upper()}{result.reading.unclear[1:]}. {ask}")
    label = f"Bits a weight of {result.name}"
    bits = st.number_input(label, 0.5, 64.0, None, 0.5, key=f"{key}-bits", placeholder="4.5", width=220)
    if bits is None:
        return None
    return intake.take(json.dumps(result.config), result.name, {"weight_dtype": f"{bits:g} bits"})


def counted_without(key: str, read: Callable, name: str, data: str | bytes, fields: tuple[str, ...]):
    """What was read without the fields that are not understood, where the reader asks for that; None where not."""
    label = f"Count it without {', '.join(fields[:4])}{', …' * (len(fields) > 4)}"
    if not st.toggle(label, key=f"{key}-without"):
        return None
    config = parse(data)
    own = as_object(config.get(intake.ANSWERS)) | {"without": list(fields)}
    return tried(key, read, name, json.dumps(config | {intake.ANSWERS: own}))


def remark(result) -> str:
    """What a reader should know about what was handed in: how it was read, and what in it was not understood."""
    if not isinstance(result, Taken):
        return ""
    own = released.weights(result.reading)
    sentences = filter(None, (*result.reading.notes, index_text(result.reading, own.bytes if own else None)))
    notes = [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences]
    return " ".join(filter(None, (result.note, *notes, intake.strange(result.reading.unknown_fields))))


def tried(key: str, read: Callable, name: str, data: str | bytes):
    """One file or text, read; None where a sentence says why not."""
    try:
        return read(name, data)
    except intake.NotUnderstood as error:
        panels.error(f"{error}." if name == PASTED else f"{name}: {error}.")
        return counted_without(key, read, name, data, error.fields)
    except SpecError as error:
        panels.error(f"{error}." if name == PASTED else f"{name}: {error}.")
    return None


def keep(given: list[Taken]) -> None:
    """What was handed in travels in the link as `s`, where it is short enough; what was taken back no longer does."""
    if given:
        text = state.pack([[taken.name, taken.config] for taken in given], [])
        fits = len(text) <= state.PACKED
        state.keep(text if fits else "", "" if fits else "These configs are too long for a link: send the files instead.")
    elif st.session_state.get(HANDED):
        state.keep("")
    st.session_state[HANDED] = bool(given)


def linked(most: int) -> list[Taken]:
    """Configs out of the link, read as pasted ones are, so many at most; one sentence where that fails."""
    packed = st.query_params.get(state.PAYLOAD, "")
    if not packed or st.session_state.get(HANDED):  # none, or those that were just taken back
        return []
    try:
        configs = state.unpack(packed, [])
        pairs = (
            [config if isinstance(config, list) else ["", config] for config in configs] if isinstance(configs, list) else [[]]
        )
        if not all(len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], dict) for pair in pairs):
            raise SpecError("the s of this link holds no configs: copy the link once more")
        found = [intake.take(json.dumps(config), name) for name, config in pairs[:most]]
    except SpecError as error:
        panels.error(f"{error}.")
        return []
    state.keep(packed)
    panels.caption(f"**From the link: {', '.join(t.name for t in found)}.** A config that you hand in takes its place.")
    return intake.numbered(found)
