"""The workbench's design in a session: where it starts, how edits change it, how it travels in a link.

The design of a session is one value; every control shows it and every edit replaces it. An edit that cannot be is refused in one
sentence and changes nothing.
"""

import html

import streamlit as st

from app import controls, intake, panels, state
from core.count.hardware import Deployment
from core.errors import SpecError
from core.lessons import workbench as lesson
from core.lessons.common import CONTEXTS
from core.lessons.inference import lesson as inference
from core.lessons.workbench import Design
from core.model.spec import ModelSpec
from core.real.intake import Referenced, Taken
from core.shape import design

DESIGN, REFUSED, WRITTEN, HANDED, PAST = (f"cw-bench-{name}" for name in ("design", "refused", "written", "handed", "past"))
MOST_PAST = 40
HELP_CONTEXT = "Tokens that every user has in the cache: prompt and answer so far."
DEFAULT = "llama3-8b"
ACCELERATOR = controls.Pick(
    "accelerator", "on", list(inference.cards()), inference.ACCELERATOR, name=inference.cards().__getitem__
)
DEVICES = controls.Slider("devices", "Devices", inference.DEVICES, 1, "ink")
USERS = controls.Slider("users", "Users", inference.USERS, 16, "kv")


# What is being designed


def current() -> tuple[Design, Deployment, Referenced | None]:
    """The controls to start from and to run on; the design of this session, where it runs, and a model that its class alone
    counts, where the reader handed one in."""
    with controls.row("start"):
        base = controls.Pick(
            "model", "Start from", list(lesson.base_names()), DEFAULT, name=lesson.base_names().__getitem__
        ).draw()
        context = controls.Slider("context", "Context", list(CONTEXTS), "8k", "kv", HELP_CONTEXT).draw()
        with controls.more("your config.json", "own"):
            own = handed()
        with controls.more(where_said(), "where"):
            place = where()
    found = own if isinstance(own, Referenced) else None
    d = chosen(base, None if isinstance(own, Referenced) else own)
    st.session_state[DESIGN] = d
    publish(d)
    return d, inference.deploy(d.reading, *place, CONTEXTS[context]), found


def handed() -> Taken | Referenced | ModelSpec | None:
    """The reader's own config, or a design in this program's own format."""
    return next(iter(intake.own("own", read=opened)), None)


def opened(name: str, data) -> Taken | Referenced | ModelSpec:
    """A file or a text: a Cutaway file, else a config."""
    return lesson.cutaway(data) or intake.counted(name, data)


def chosen(base: str, taken: Taken | ModelSpec | None) -> Design:
    """The design that the session holds, unless the reader has just chosen another one."""
    given = st.query_params.get(state.PAYLOAD, "")
    written = st.session_state.setdefault(WRITTEN, [])
    held: Design | None = st.session_state.get(DESIGN)
    is_new, st.session_state[HANDED] = taken != st.session_state.get(HANDED), taken
    is_cleared = not given and "v" in st.query_params and not written
    link = None
    if given and given not in written:
        written.append(given)
        link = linked(base, given)
    after = lesson.next_design(held, base, taken, is_new, link, is_cleared)
    return replaced(held, after) if is_new and taken is not None and link is None else after


def linked(base: str, given: str) -> Design:
    """The design of a link, or its base and a sentence."""
    try:
        return lesson.restored(base, state.unpack(given, lesson.example(base)))
    except SpecError as error:
        st.session_state[REFUSED] = f"{error}. What stands here is {lesson.base_names()[base]}."
        return lesson.start(base)


def publish(d: Design) -> None:
    """Write the design into the address, where it is not just its base and short enough."""
    written = st.session_state[WRITTEN]
    packed = pack(d)
    if packed and packed not in written:
        written.append(packed)
        del written[: -4 * MOST_PAST]
    state.keep("" if too_large(d) else packed, too_large(d))


def pack(d: Design) -> str:
    """The design for a link; "" where the base says all."""
    return state.pack(lesson.payload(d), lesson.example(d.base)) if d.taken or d.painted else ""


def too_large(d: Design) -> str:
    """Why there is no link to a design; "" where there is one."""
    size = len(pack(d))
    if size <= state.PACKED:
        return ""
    return (
        f"This design is {size:,} characters as a link, and {state.PACKED:,} is the most: download the Cutaway file under Files "
        "and hand that on."
    )


# Edits


def edit(change, *arguments) -> None:
    """Replace the design's spec by a changed one; refuse in a sentence."""
    d: Design = st.session_state[DESIGN]
    try:
        spec = change(d.spec, *arguments)
    except SpecError as error:
        st.session_state[REFUSED] = str(error)
        return
    if spec != d.spec:
        st.session_state[DESIGN] = replaced(d, lesson.repainted(d, spec))


def replaced(before: Design | None, after: Design) -> Design:
    """The new design; the old one can be brought back."""
    if before is not None:
        past = st.session_state.setdefault(PAST, [])
        past.append(before)
        del past[:-MOST_PAST]
    return after


def paint(painted: tuple[int, int, str, str]) -> None:
    """What the strip says was painted."""
    edit(lesson.stroke, painted)


def _pattern() -> None:
    """The typed pattern."""
    if text := st.session_state["cw-pattern"].strip():
        edit(design.pattern, text)


def _resize(key: str) -> None:
    """A typed or stepped size."""
    value = st.session_state[f"cw-size-{key}"]
    if value is not None:
        edit(design.resize, key, int(value))


def _undo() -> None:
    """The design before the last edit."""
    past = st.session_state.get(PAST, [])
    while past:
        before = past.pop()
        if before.base == st.session_state[DESIGN].base:
            st.session_state[DESIGN] = before
            return


def _restart() -> None:
    """The base without any painting."""
    d = st.session_state[DESIGN]
    st.session_state[DESIGN] = replaced(d, lesson.start(d.base, d.taken))


def tools(help: str) -> None:
    """A pattern, undo, start over, the sizes."""
    d: Design = st.session_state[DESIGN]
    with controls.row("tools"):
        with st.container(key="cw-hue-ink-pattern-box", gap=0):
            st.html(f'<span class="cw-label">{panels.term("Pattern", help)}</span>')
            st.text_input(
                "Pattern", key="cw-pattern", max_chars=512, placeholder=lesson.letters_text(d.spec), on_change=_pattern,
                label_visibility="collapsed",
            )  # fmt: skip
        st.button("Undo", key="cw-undo", on_click=_undo, disabled=not st.session_state.get(PAST))
        st.button("Start over", key="cw-restart", on_click=_restart, disabled=not d.painted)
        with controls.more(sizes_said(d.spec), "sizes"):
            sizes(d.spec)


def refusal() -> None:
    """What an edit was refused for, once."""
    if why := st.session_state.pop(REFUSED, ""):
        panels.error(f"{why}. Nothing was changed." if not why.endswith(".") else why)


def sizes_said(spec) -> str:
    """The sizes in the line that unfolds them."""
    made = design.sizes(spec)
    labels = {size.key: size.label.lower() for size in design.SIZE_FIELDS}
    shown = [
        f"{labels[key]} {made[key]:,}" for key in ("width", "heads", "kv", "rank", "hidden", "experts", "top_k") if key in made
    ]
    return "Sizes: " + " · ".join(shown)


def sizes(spec) -> None:
    """A number field for every size that the design has."""
    made = design.sizes(spec)
    columns = st.columns(4, gap="small")
    for i, size in enumerate(s for s in design.SIZE_FIELDS if s.key in made):
        key = f"cw-size-{size.key}"
        with columns[i % 4]:
            if size.key == "kv":
                options = lesson.divisors(made["heads"])
                st.session_state[key] = made["kv"] if made["kv"] in options else options[0]
                st.selectbox(size.label, options, key=key, on_change=_resize, args=(size.key,))
                continue
            st.session_state[key] = made[size.key]
            step = min(size.step, max(1, made[size.key]))
            st.number_input(size.label, 1, size.high, step=step, key=key, on_change=_resize, args=(size.key,))


# Where it runs


def where() -> tuple[str, int, int]:
    """On what, on how many of it, for how many: the same controls as on the page on inference."""
    with controls.row("where"):
        return ACCELERATOR.draw(), DEVICES.draw(), USERS.draw()


def where_said() -> str:
    """What those controls are going to hold."""
    users = USERS.peek()
    return f"on {DEVICES.peek()} × {ACCELERATOR.name(ACCELERATOR.peek())} · {users} user{'s' * (users != 1)}"


def deployed(d: Design) -> dict:
    """The same deployment on the page on inference; the base where the design is painted."""
    kept = {key: value for key, value in state.values().items() if key in ("accelerator", "devices", "users", "context")}
    return kept if d.base == lesson.BLANK or d.taken else {**kept, "model": lesson.base_names()[d.base]}


# Small pieces


def here() -> str:
    """The link to what stands here."""
    return state.here()


def about(d: Design) -> dict:
    """What goes into an exported file."""
    return {"model": d.spec.name, "painted": "yes" if d.painted else "no", "link": here()}


def as_taken(d: Design) -> Taken:
    """The design with a config, for a report."""
    return Taken(d.reading, d.config if d.config and not d.painted else {"cutaway": design.as_json(d.spec)})


def understood(d: Design) -> None:
    """What the config left open, and what in it was not understood."""
    r, note = d.reading, d.taken.note if d.taken else ""
    assumed, unknown = (", ".join(fields) or "nothing" for fields in (r.assumed, r.unknown_fields))
    cells = [("assumed, by class default", assumed), ("not understood", unknown)] + ([("note", note)] if note else [])
    if d.base == lesson.BLANK and not d.taken:
        return
    lines = "".join(f'<tr><th scope="row">{html.escape(a)}</th><td>{html.escape(b)}</td></tr>' for a, b in cells)
    st.html(f'<table class="cw-facts"><tbody>{lines}</tbody></table>')


def download(label: str, data: str, name: str, mime: str) -> None:
    """A button that hands out a file without running the page again."""
    st.download_button(f"Download {label}", data, name, mime, key=f"cw-file-{name}", on_click="ignore")
