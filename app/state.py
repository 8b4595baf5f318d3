"""State is the URL.

Every native control binds its value to the query parameter of its own name, so the address bar always holds what
differs from the defaults, and Streamlit checks a value from a link as it checks a typed one. A link to share must
outlive a change of defaults: it holds *every* value, and `v=1`. For that each control notes its value and default.
What a link asks for and a control does not take is noted as well, and said in one sentence (`refused`).
"""

import base64
import html
import json
import zlib
from urllib.parse import quote, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import SpecError
from core.real.hf.source import parse

VERSION = "1"
STAGE = "stage"
SELECTION = ("head", "row", "step")  # what is isolated in a picture: in the address only where something is
PAYLOAD = "s"  # what is too large for a control, deflated: in the address only where there is something
_NOTES = "cw-notes"
_ADDRESS = "cw-address"
_GIVEN, _REFUSED = "cw-given", "cw-refused"  # parameters that no control has read yet; {parameter: (label, asked for, shown)}


def begin(page: str, address: str) -> None:
    """Start a run of a page: nothing is noted yet. `address` is the page's own path, "" for the default page."""
    last = st.session_state.get(_ADDRESS)
    if last not in (None, address):
        _restore_parameters()
    if last != address:
        st.session_state[_GIVEN] = {name: st.query_params.get_all(name) for name in st.query_params}
        st.session_state[_REFUSED] = {}
    else:  # what a preset has set by now is no longer the link's
        left = st.session_state.get(_GIVEN, {})
        st.session_state[_GIVEN] = {name: words for name, words in left.items() if name not in st.session_state}
    st.session_state[_ADDRESS] = address
    st.session_state[_NOTES] = {"page": page, "values": {}, "defaults": {}}


def _restore_parameters() -> None:
    """After a change of page, give the new page every parameter of its own address.

    Streamlit strikes from the new address all that the old page had bound, so a link to `/mla?section=Count` or the
    Back button would lose the section. This is the app's one use of a private interface.
    """
    run = get_script_run_ctx()
    if run is None:
        return
    with run.session_state.query_params() as parameters:
        left = parameters.to_dict()
        parameters.populate_from_query_string(run.query_string)
        parameters.set_initial_query_params_from_current()
        if parameters.to_dict() != left:
            parameters._send_query_param_msg()


def note(key: str, value, default, label: str = "") -> None:
    """Remember a control that belongs to a link: its parameter, its value now, its default, what readers call it."""
    notes = st.session_state.setdefault(_NOTES, {"page": "", "values": {}, "defaults": {}})
    notes["values"][key] = value
    notes["defaults"][key] = default
    given, refused = st.session_state.get(_GIVEN, {}).pop(key, []), st.session_state.setdefault(_REFUSED, {})
    if not is_taken(given, value):
        refused[key] = (label or key, given, word(value))
    elif key in refused and refused[key][2] != word(value):
        del refused[key]


def spell(key: str, options) -> None:
    """Before a control of numbers is drawn: write what a link asks for as the control writes it ("0" as "0.0", "08" as "8")."""
    asked = st.query_params.get(key, "")
    option = meant(asked, options)
    if key not in st.session_state and option is not None and asked != word(option):
        st.session_state[key] = option


def meant(asked: str, options, otherwise=None):
    """The option that a link's word is for: written alike, or the same number."""
    alike = [option for option in options if word(option) == asked]
    numbers = [option for option in options if isinstance(option, (int, float)) and asked and is_taken([asked], option)]
    return next(iter(alike + numbers), otherwise)


def is_taken(given: list[str], value) -> bool:
    """Does a control hold what the link asks for? Of several words for one value the last counts; empty ones ask for nothing."""
    asked = [text for text in given if text]
    if not asked:
        return True
    if isinstance(value, (list, tuple)):
        return set(asked) <= set(word(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(asked[-1]) == value
        except ValueError:
            return False
    return (asked[-1].lower() if isinstance(value, bool) else asked[-1]) == word(value)


def refused() -> str:
    """One sentence on what the link asked for and no control took, and what is shown instead; "" where all was taken."""
    held = st.session_state.get(_REFUSED, {}).values()
    shown = [f"“{cut([now])}” is shown" if now else "none is chosen" for _, _, now in held]
    each = [f"{label} “{cut(given)}” ({instead})" for (label, given, _), instead in zip(held, shown)]
    return f"Not accepted from this link: {'; '.join(each)}." if each else ""


def cut(words: list, most: int = 40) -> str:
    """Words of a link on one line, not too many of them."""
    text = " ".join(", ".join(", ".join(w) if isinstance(w, list) else w for w in words).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def peek(key: str, default, options=None):
    """What a control is going to hold, before it is drawn (for a summary above it).

    On a first run only the address knows; a word there that is none of the options means the default. What a control of the same
    name held on another page is none of this page's options.
    """
    if key in st.session_state and (options is None or st.session_state[key] in options):
        return st.session_state[key]
    given = st.query_params.get(key)
    if given is None:
        return default
    return meant(given, options if options is not None else [given], default)


def values() -> dict:
    """What the controls of this page hold now, by parameter."""
    return dict(st.session_state.get(_NOTES, {}).get("values", {}))


def word(value) -> str | list[str]:
    """A value as it is written in a link."""
    return [one_word(item) for item in value] if isinstance(value, (list, tuple)) else one_word(value)


def one_word(value) -> str:
    """The same of a single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def query(values: dict) -> str:
    """The query string with every value given, and the version; without the question mark."""
    return urlencode({key: word(value) for key, value in values.items()} | {"v": VERSION}, doseq=True)


def link(page: str, values: dict) -> str:
    """The address of a page in one state, below the host: `/gqa?kv_heads=2&v=1`."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    path = "/".join(part for part in (base, quote(page)) if part)
    return f"/{path}?{query(values)}"


def here() -> str:
    """The link to what stands here now."""
    return link(page(), values())


def page() -> str:
    """The page that runs."""
    return st.session_state.get(_NOTES, {}).get("page", "")


def selection(otherwise: dict[str, int]) -> dict[str, int | None]:
    """What is isolated in the picture: from the address, where it says nothing `otherwise`. Counts from 0, steps from 1."""
    given = {name: st.query_params.get(name, "") for name in SELECTION}
    numbers = {name: int(word) for name, word in given.items() if word.isascii() and word.isdigit() and len(word) < 4}
    return otherwise | {name: n if name == "step" else n - 1 if n else None for name, n in numbers.items()}


def keep_selection(chosen: dict[str, int | None], otherwise: dict[str, int]) -> None:
    """Write into the address where the picture differs from `otherwise`, and nothing where it does not."""
    for name in SELECTION:
        value = chosen.get(name)
        if value == otherwise.get(name):
            st.query_params.pop(name, None)
            continue
        shown = str(value if name == "step" else 0 if value is None else value + 1)
        if st.query_params.get(name) != shown:
            st.query_params[name] = shown


def stage() -> bool:
    """Is this page on stage (`stage=1`): larger type, thicker lines, no chrome?"""
    value = st.session_state[STAGE] if STAGE in st.session_state else st.query_params.get(STAGE)
    return value == "1"


def stage_control() -> None:
    """The native control behind `stage=1`. Nobody sees it: the header's button and the Escape key press it."""
    with st.container(key="cw-hidden-stage"):
        st.pills("Stage", ["1"], key=STAGE, bind="query-params", label_visibility="collapsed")


def publish() -> None:
    """Leave the page's name and its defaults where "Copy link" finds them; the address bar has the rest."""
    notes = st.session_state[_NOTES]
    defaults = json.dumps({key: word(value) for key, value in notes["defaults"].items()})
    refused = f' data-refused="{html.escape(notes["refused"])}"' if notes.get("refused") else ""
    st.html(
        f'<span class="cw-state" hidden data-page="{html.escape(notes["page"])}" data-version="{VERSION}"'
        f' data-defaults="{html.escape(defaults)}" data-also="{" ".join((*SELECTION, PAYLOAD))}"{refused}></span>'
    )


# What is too large for a control: a config, a painted strip

PACKED, INFLATED = 4096, 1 << 18  # characters in an address; bytes of JSON that they may hold
WITH_DICTIONARY = "."  # before what is deflated with a dictionary; older links hold a difference and do not begin with it


def applied(change, example):
    """`example` with a difference made to it, as links said it before they had a dictionary: {"=": replaced, ">": changed inside,
    "-": left out}, or ["=", value]. SpecError where the difference is none."""
    if isinstance(change, list) and len(change) == 2 and change[0] == "=":
        return change[1]
    if not isinstance(change, dict) or not isinstance(example, dict) or set(change) - {"=", ">", "-"}:
        raise SpecError("the s of this link is not understood: it must come from Copy link")
    replaced, inside, left_out = change.get("=", {}), change.get(">", {}), change.get("-", [])
    if not isinstance(replaced, dict) or not isinstance(inside, dict) or not isinstance(left_out, list):
        raise SpecError("the s of this link is not understood: it must come from Copy link")
    result = {key: item for key, item in example.items() if key not in left_out}
    for key, item in inside.items():
        result[key] = applied(item, example.get(key))
    return {**result, **replaced}


def pack(value, example) -> str:
    """A JSON value as text for `s=`: deflated with an example as preset dictionary, so that only what differs takes room. It may
    be too long: see PACKED."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, zdict=compact(example))
    return WITH_DICTIONARY + base64.urlsafe_b64encode(deflate.compress(compact(value)) + deflate.flush()).decode().rstrip("=")


def compact(value) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def unpack(text: str, example):
    """The value again, inflated up to a limit and checked as a typed one. SpecError in one sentence where it is none."""
    if len(text) > PACKED:
        raise SpecError(f"the s of a link must be at most {PACKED:,} characters, not {len(text):,}")
    if text.startswith(WITH_DICTIONARY):
        return inflated(text.removeprefix(WITH_DICTIONARY), zlib.decompressobj(zdict=compact(example)))
    return applied(inflated(text, zlib.decompressobj(-15)), example)


def inflated(text: str, inflate):
    """base64url -> the JSON value in it, by a fresh decompressor. Its checksum, where it has one, covers the dictionary."""
    try:
        data = inflate.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), INFLATED)
    except (ValueError, zlib.error):
        raise SpecError("the s of this link is damaged: copy the link once more") from None
    if inflate.unconsumed_tail or not inflate.eof:
        raise SpecError(f"the s of this link is damaged, or holds more than {INFLATED:,} bytes")
    try:
        outer = parse(b'{"":' + data + b"}")
    except SpecError:  # its words are about a config
        outer = {}
    if set(outer) != {""} or not writable(outer):
        raise SpecError("the s of this link is damaged: copy the link once more")
    return outer[""]


def writable(value) -> bool:
    """Can a JSON value be written as UTF-8? One half of a pair of surrogates cannot, and no page could show it."""
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def keep(packed: str, why: str = "") -> None:
    """Write `s` into the address, "" for none. `why` says why there can be no link to this state, and what to do instead."""
    if st.query_params.get(PAYLOAD, "") != packed:
        if packed:
            st.query_params[PAYLOAD] = packed
        else:
            del st.query_params[PAYLOAD]
    st.session_state.setdefault(_NOTES, {"page": "", "values": {}, "defaults": {}})["refused"] = why
    if packed:
        st.session_state[_NOTES]["values"][PAYLOAD] = packed
