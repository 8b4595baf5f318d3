"""The controls that pages share: thin wrappers of native widgets, each bound to the query parameter of its name.

Every wrapper notes its value and default for "Copy link". `hue` names what the control changes ("kv", "latent", ...)
and colours it. Options are written in links as they are shown, so a label, once published, stays.

A control is an object, so that its default is said once: `KV = Slider("kv_heads", "KV heads", (1, 2, 4, 8), 2, hue="kv")`,
then `KV.peek()` is the value that it is going to hold, for a summary above it, and `KV.draw()` draws it. A control that is
drawn on the spot and asked for nothing else is a function: `slider_choice`, `choice`, `pick`, `switch`.
"""

import html
import random
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from app import panels, state

BIND = {"bind": "query-params"}
TICK_LIMIT = 9  # more options than this: only the ends and the current one are written under the slider


@contextmanager
def row(name: str = "controls"):
    """One line of controls; on a phone they stand below each other."""
    with st.container(key=f"cw-row-{name}", horizontal=True, vertical_alignment="center", gap=18):
        yield


@contextmanager
def more(summary: str, key: str = "more"):
    """The further controls, folded; the summary names their values: "layer, prompt: 1 · 24 pairs"."""
    with st.container(key=f"cw-more-{key}"), st.expander(summary, key=f"cw-more-{key}-fold"):
        yield


def _hued(hue: str, kind: str, key: str):
    """A container whose class gives everything inside its hue."""
    return st.container(key=f"cw-hue-{hue}-{kind}-{key}", gap=0)


def _label(text: str, help: str | None) -> str:
    """The label before a control; with help it is a term that explains itself on tap."""
    inner = panels.term(text, help) if help else html.escape(text)
    return f'<span class="cw-label">{inner}</span>'


def _ticks(options: Sequence, value) -> str:
    """The options under a slider, the current one marked. Decoration: the slider itself speaks its value."""
    last = len(options) - 1
    at = options.index(value)
    few = len(options) <= TICK_LIMIT and sum(len(str(o)) + 1 for o in options) <= 40
    shown = range(len(options)) if few else [i for i in (0, at, last) if i == at or abs(i - at) > last * 0.15]
    marks = (
        f'<em class="{"on" if i == at else ""}" style="left:{100 * i / max(last, 1):.4g}%">{html.escape(str(options[i]))}</em>'
        for i in shown
    )
    return f'<div class="cw-ticks" aria-hidden="true">{"".join(marks)}</div>'


def slider_choice(key: str, label: str, options: Sequence, default, hue: str = "query", help: str | None = None):
    """A slider over a few given values: 44 px high, in its hue, its options written below."""
    state.spell(key, options)
    with _hued(hue, "slider", key):
        st.html(_label(label, help))
        with st.container(key=f"cw-track-{key}", gap=0):
            value = st.select_slider(label, options, default, key=key, label_visibility="collapsed", **BIND)
            st.html(_ticks(list(options), value))
    state.note(key, value, default, label)
    return value


def choice(key: str, label: str, options: Sequence, default=None, hue: str = "ink", help: str | None = None):
    """One of a few options, side by side; never none. The first is the default unless another is named."""
    default = options[0] if default is None else default
    state.spell(key, options)
    with _hued(hue, "choice", key):
        st.html(_label(label, help))
        value = st.segmented_control(
            label, options, default=default, required=True, key=key, label_visibility="collapsed", **BIND
        )
    state.note(key, value, default, label)
    return value


def forget(key: str, options: Sequence) -> None:
    """Where a control's options depend on others: leave out what it held before, if it is none of them any more."""
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]


def several(key: str, label: str, options: Sequence[str], help: str | None = None) -> list[str]:
    """Any number of a few options, as chips; none at first."""
    with _hued("ink", "several", key):
        st.html(_label(label, help))
        value = st.pills(label, options, selection_mode="multi", key=key, label_visibility="collapsed", **BIND)
    state.note(key, list(value), [], label)
    return list(value)


def pick(key: str, label: str, options: Sequence, default, name: Callable[[object], str] = str, hue: str = "ink"):
    """One of many options, from a list that opens; `name` says how an option is shown."""
    with _hued(hue, "pick", key):
        st.html(_label(label, None))
        at = list(options).index(default)
        value = st.selectbox(label, options, at, format_func=name, key=key, label_visibility="collapsed", **BIND)
    state.note(key, name(value), name(default), label)
    return value


def switch(key: str, label: str, default: bool = False, hue: str = "ink", help: str | None = None) -> bool:
    """On or off."""
    with _hued(hue, "switch", key):
        value = st.toggle(label, default, key=key, help=help, **BIND)
    state.note(key, value, default, label)
    return value


def amount(key: str, label: str, default: float = 0.0, high: float = 1e6, help: str | None = None) -> float:
    """A number that the reader types."""
    with _hued("ink", "amount", key):
        st.html(_label(label, help))
        value = st.number_input(label, 0.0, high, default, format="%.2f", key=key, label_visibility="collapsed", **BIND)
    state.note(key, value, default, label)
    return value


def _matching(options: dict[str, dict]) -> str | None:
    """The first preset whose every value is what the controls hold now."""
    for label, values in options.items():
        if all(st.session_state.get(key) == value for key, value in values.items()):
            return label
    return None


def _apply(key: str, options: dict[str, dict]) -> None:
    """Set the controls as the tapped preset says; tapping the chosen one again changes nothing."""
    for parameter, value in options.get(st.session_state[key], {}).items():
        st.session_state[parameter] = value


def presets(key: str, options: dict[str, dict], hue: str = "ink") -> None:
    """One-tap presets, named after real models: {"Llama 3": {"kv_heads": 2}}. Call it after the controls it sets.

    The pills are not bound: they show which preset the controls match, whoever set them.
    """
    name = f"cw-pick-{key}"
    st.session_state[name] = _matching(options)
    with _hued(hue, "presets", key):
        st.pills("Presets", list(options), key=name, on_change=_apply, args=(name, options), label_visibility="collapsed")


def _take(key: str, pick: str, examples: dict[str, str]) -> None:
    """Put the tapped example into the prompt."""
    label = st.session_state[pick]
    if label in examples:
        st.session_state[key] = examples[label]


def _surprise(key: str, make: Callable[[random.Random], str], max_chars: int) -> None:
    """Put a fresh prompt into the box."""
    st.session_state[key] = make(random.Random())[:max_chars]


def prompt_box(
    key: str,
    label: str,
    examples: dict[str, str],
    surprise: Callable[[random.Random], str] | None = None,
    max_chars: int = 400,
    hue: str = "query",
) -> str:
    """The reader's prompt, with one-tap examples ({"name": "text"}; the first is the default) and "Surprise me"."""
    default = next(iter(examples.values()))
    pick = f"cw-pick-{key}"
    with _hued(hue, "prompt", key):
        st.html(_label(label, None))
        value = st.text_input(label, default, max_chars=max_chars, key=key, label_visibility="collapsed", **BIND) or ""
        st.session_state[pick] = next((name for name, text in examples.items() if text == value), None)
        with st.container(key=f"cw-chips-{key}", horizontal=True, gap=8):
            st.pills(
                "Examples", list(examples), key=pick, on_change=_take, args=(key, pick, examples), label_visibility="collapsed"
            )
            if surprise:
                st.button("Surprise me", key=f"cw-surprise-{key}", on_click=_surprise, args=(key, surprise, max_chars))
    state.note(key, value, default, label)
    return value


@contextmanager
def presets_first(key: str, options: dict[str, dict], hue: str = "ink"):
    """The presets stand before what is drawn inside, but come after it: they read and set the controls drawn there."""
    place = st.container(width="content", gap=None)
    yield
    with place:
        presets(key, options, hue)


@dataclass(frozen=True)
class Control:
    """One control: its query parameter, what readers call it, its options and the one that it holds at first."""

    key: str
    label: str
    options: Sequence
    default: object
    hue: str = "ink"
    help: str | None = None

    def peek(self):
        """What it is going to hold, before it is drawn."""
        return state.peek(self.key, self.default, self.options)


@dataclass(frozen=True)
class Slider(Control):
    """A slider over a few given values."""

    hue: str = "query"

    def draw(self):
        """Draw it; its value."""
        return slider_choice(self.key, self.label, self.options, self.default, self.hue, self.help)


@dataclass(frozen=True)
class Choice(Control):
    """One of a few options, side by side."""

    def draw(self):
        """Draw it; its value."""
        return choice(self.key, self.label, self.options, self.default, self.hue, self.help)


@dataclass(frozen=True)
class Switch(Control):
    """On or off; off at first."""

    options: Sequence = (True, False)
    default: object = False

    def draw(self) -> bool:
        """Draw it; its value."""
        return switch(self.key, self.label, bool(self.default), self.hue, self.help)


@dataclass(frozen=True)
class Pick(Control):
    """One of many options, from a list that opens; `name` says how an option is shown."""

    name: Callable[[object], str] = str

    def peek(self):
        """What it is going to hold, before it is drawn; a link may give an option or its name."""
        asked, named = state.peek(self.key, self.default), {self.name(option): option for option in self.options}
        return asked if asked in self.options else named.get(asked, self.default)

    def draw(self):
        """Draw it; its value."""
        return pick(self.key, self.label, self.options, self.default, self.name, self.hue)


@dataclass(frozen=True)
class Prompt:
    """The reader's prompt, with examples ({"name": "text"}; the first is the default)."""

    key: str
    label: str
    examples: dict[str, str]
    surprise: Callable[[random.Random], str] | None = None
    max_chars: int = 400
    hue: str = "query"

    @property
    def default(self) -> str:
        """The first example."""
        return next(iter(self.examples.values()))

    def peek(self) -> str:
        """The text that it is going to hold, before it is drawn."""
        return state.peek(self.key, "") or self.default

    def example(self, own: str = "your words") -> str:
        """The name of the example that it is going to hold; `own` where it is none of them."""
        return next((name for name, text in self.examples.items() if text == self.peek()), own)

    def draw(self) -> str:
        """Draw it; its text."""
        return prompt_box(self.key, self.label, self.examples, self.surprise, self.max_chars, self.hue)


def sections(names: Sequence[str]) -> str:
    """The section that is open: tabs on a desk, a bar at the lower edge on a phone. Run only what it names."""
    with st.container(key="cw-sections"):
        value = st.segmented_control(
            "Section",
            names,
            default=names[0],
            required=True,
            key="section",
            label_visibility="collapsed",
            width="stretch",
            **BIND,
        )
    state.note("section", value, names[0], "Section")
    return value
