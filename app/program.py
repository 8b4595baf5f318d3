"""Where a reader picks a program or writes one: an example by name, the text itself in a box. What differs from the example
travels as `s=` in the link; it is a text, checked like a typed one.
"""

import random
from collections.abc import Callable

import streamlit as st

from app import controls, panels, state
from core.errors import SpecError

NAME, TEXT, SEEN, LAST = "program", "cw-program-text", "cw-program-seen", "cw-program-last"


def current(examples: dict[str, str], limit: int) -> str:
    """The program of this run, before any control is drawn: the box's, a link's, or the example's."""
    first = next(iter(examples))
    name = state.peek(NAME, first, tuple(examples))
    given, seen = st.query_params.get(state.PAYLOAD, ""), st.session_state.setdefault(SEEN, [])
    if given and given not in seen:
        seen.append(given)
        st.session_state[TEXT] = linked(given, examples[name], limit)
    elif TEXT not in st.session_state or st.session_state.get(LAST, name) != name:
        st.session_state[TEXT] = examples[name]
    st.session_state[LAST] = name
    return st.session_state[TEXT]


def linked(given: str, otherwise: str, limit: int) -> str:
    """The text of a link; where it is none a sentence says so and the example stands instead."""
    try:
        text = state.unpack(given, "")
        if not isinstance(text, str) or len(text) > limit:
            raise SpecError(f"the s of this link must hold a program of at most {limit} characters")
        return text
    except SpecError as error:
        panels.error(f"{error}.")
        return otherwise


def box(examples: dict[str, str], surprise: Callable[[random.Random], str], limit: int) -> None:
    """The example by name, and the text, with a fresh one on demand; what was written goes into the address."""
    name = controls.Pick(NAME, "Start from", tuple(examples), next(iter(examples))).draw()
    st.html('<span class="cw-label">The program: a subset of Python, read and never executed</span>')
    lines = 30 + 21 * max(6, st.session_state[TEXT].count("\n") + 2)
    st.text_area("Program", key=TEXT, max_chars=limit, height=min(lines, 400), label_visibility="collapsed")
    st.button("Surprise me", key="cw-surprise-program", on_click=_fresh, args=(surprise,))
    text = st.session_state[TEXT]
    packed = state.pack(text, "") if text != examples[name] else ""
    if packed and packed not in st.session_state[SEEN]:
        st.session_state[SEEN].append(packed)
    state.keep(packed)


def _fresh(surprise: Callable[[random.Random], str]) -> None:
    """Put a fresh program into the box."""
    st.session_state[TEXT] = surprise(random.Random())
