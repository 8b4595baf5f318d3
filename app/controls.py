"""The controls that pages share: native widgets, each bound to the query parameter of its name.

Every control notes its value and default for "Copy link". `hue` names what it changes ("kv", "latent", ...) and colours it.
Options are written in links as they are shown, so a label, once published, stays.

A control is an object, so that its default is said once: `KV = Slider("kv_heads", "KV heads", (1, 2, 4, 8), 2, hue="kv")`,
then `KV.peek()` is the value that it is going to hold, for a summary above it, and `KV.draw()` draws it.
"""

import html
import random
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import streamlit as st

from app import panels, state

TICK_LIMIT = 9  # more options than this: only the ends and the current one are written under the slider
T = TypeVar("T")


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


def several(key: str, label: str, options: Sequence[str], help: str | None = None) -> list[str]:
    """Any number of a few options, as chips; none at first."""
    with _hued("ink", "several", key):
        st.html(_label(label, help))
        value = st.pills(label, options, selection_mode="multi", key=key, label_visibility="collapsed", bind="query-params")
    state.note(key, list(value), [], label)
    return list(value)


def picks(key: str, label: str, options: Sequence[T], default: T, name: Callable[[T], str]) -> list[T]:
    """Any number of many options, from a list that opens; one at first."""
    with _hued("ink", "picks", key):
        st.html(_label(label, None))
        value = st.multiselect(
            label, options, [default], format_func=name, key=key, label_visibility="collapsed", bind="query-params"
        )
    state.note(key, [name(option) for option in value], [name(default)], label)
    return value


def amount(key: str, label: str, help: str, high: float = 1e6) -> float:
    """A number that the reader types; 0 at first."""
    with _hued("ink", "amount", key):
        st.html(_label(label, help))
        value = st.number_input(label, 0.0, high, 0.0, format="%.2f", key=key, label_visibility="collapsed", bind="query-params")
    state.note(key, value, 0.0, label)
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


@contextmanager
def presets_first(key: str, options: dict[str, dict], hue: str = "ink"):
    """The presets stand before what is drawn inside, but come after it: they read and set the controls drawn there."""
    place = st.container(width="content", gap=None)
    yield
    with place:
        presets(key, options, hue)


@dataclass(frozen=True)
class Control(Generic[T]):
    """One control: its query parameter, what readers call it, its options and the one that it holds at first."""

    key: str
    label: str
    options: Sequence[T]
    default: T
    hue: str = "ink"
    help: str | None = None

    def peek(self) -> T:
        """What it is going to hold, before it is drawn."""
        return state.peek(self.key, self.default, self.options)

    def draw(self) -> T:
        """Draw it; its value."""
        with _hued(self.hue, type(self).__name__.lower(), self.key):
            value = self.widget()
        state.note(self.key, value, self.default, self.label)
        return value

    def widget(self) -> T:
        """The native widget below its label."""
        raise NotImplementedError

    def alone(self, _: object) -> None:
        """Draw it as a part of a section, whose other parts peek at it."""
        self.draw()

    def offer(self, options: Sequence[T], default: T) -> T:
        """Draw it with the options that other controls leave, of which it forgets any other; a single one is not asked for."""
        if len(options) == 1:
            return options[0]
        if st.session_state.get(self.key, options[0]) not in options:
            del st.session_state[self.key]
        return replace(self, options=options, default=default).draw()


@dataclass(frozen=True)
class Slider(Control[T]):
    """A slider over a few given values: 44 px high, in its hue, its options written below."""

    hue: str = "query"

    def widget(self) -> T:
        """The native widget below its label."""
        state.spell(self.key, self.options)
        st.html(_label(self.label, self.help))
        with st.container(key=f"cw-track-{self.key}", gap=0):
            value = st.select_slider(
                self.label, self.options, self.default, key=self.key, label_visibility="collapsed", bind="query-params"
            )
            st.html(_ticks(self.options, value))
        return value


@dataclass(frozen=True)
class Choice(Control[T]):
    """One of a few options, side by side; never none."""

    def widget(self) -> T:
        """The native widget below its label."""
        state.spell(self.key, self.options)
        st.html(_label(self.label, self.help))
        return st.segmented_control(
            self.label, self.options, default=self.default, required=True, key=self.key, label_visibility="collapsed",
            bind="query-params",
        )  # fmt: skip


@dataclass(frozen=True)
class Switch(Control[bool]):
    """On or off; off at first."""

    options: Sequence[bool] = (True, False)
    default: bool = False

    def widget(self) -> bool:
        """The native widget, which has its label beside it."""
        return st.toggle(self.label, self.default, key=self.key, help=self.help, bind="query-params")


@dataclass(frozen=True)
class Pick(Control[T]):
    """One of many options, from a list that opens; `name` says how an option is shown."""

    name: Callable[[T], str] = str

    def peek(self) -> T:
        """What it is going to hold, before it is drawn; a link may give an option or its name."""
        asked, named = state.peek(self.key, self.default), {self.name(option): option for option in self.options}
        return asked if asked in self.options else named.get(asked, self.default)

    def draw(self) -> T:
        """Draw it; its value."""
        with _hued(self.hue, "pick", self.key):
            st.html(_label(self.label, self.help))
            at = list(self.options).index(self.default)
            value = st.selectbox(
                self.label, self.options, at, format_func=self.name, key=self.key, label_visibility="collapsed",
                bind="query-params",
            )  # fmt: skip
        state.note(self.key, self.name(value), self.name(self.default), self.label)
        return value


@dataclass(frozen=True)
class Prompt:
    """The reader's prompt, with one-tap examples ({"name": "text"}; the first is the default) and "Surprise me"."""

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
        key, pick = self.key, f"cw-pick-{self.key}"
        with _hued(self.hue, "prompt", key):
            st.html(_label(self.label, None))
            value = st.text_input(
                self.label, self.default, max_chars=self.max_chars, key=key, label_visibility="collapsed", bind="query-params"
            )
            st.session_state[pick] = next((name for name, text in self.examples.items() if text == value), None)
            with st.container(key=f"cw-chips-{key}", horizontal=True, gap=8):
                st.pills(
                    "Examples", list(self.examples), key=pick, on_change=_take, args=(key, pick, self.examples),
                    label_visibility="collapsed",
                )  # fmt: skip
                if self.surprise:
                    arguments = key, self.surprise, self.max_chars
                    st.button("Surprise me", key=f"cw-surprise-{key}", on_click=_surprise, args=arguments)
        state.note(key, value, self.default, self.label)
        return value


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
            bind="query-params",
        )
    state.note("section", value, names[0], "Section")
    return value
