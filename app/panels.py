"""Small pieces that pages show: title, caption, card, bars, check, term, error.

Each function that makes HTML escapes what it is given; `term` returns HTML to put inside a caption.
"""

import hashlib
import html
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from app import state
from core.shape.wording import readable


@dataclass(frozen=True)
class Bar:
    """One row of `bars`: what it is, its size, its hue (None is neutral), whether it is what changed, and what to write at its
    end where that is not just the size."""

    label: str
    value: float
    hue: str | None = None
    changed: bool = False
    text: str = ""


def _words(answer: str, correction: str) -> str:
    """The answer in bold, then its correction."""
    return f"<b>{html.escape(answer)}</b> <span>{html.escape(correction)}</span>"


def title(question: str, answer: str = "", correction: str = "") -> None:
    """The question as the title. On a desk the answer and what it corrects stand under it; see `answer` for a phone."""
    below = f'<p class="cw-answer top">{_words(answer, correction)}</p>' if answer else ""
    st.html(f'<h1 class="cw-h1">{html.escape(question)}</h1>{below}')


def answer(answer: str, correction: str = "") -> None:
    """The answer once more, for a phone, where it follows the picture. Exactly one of the two is ever displayed."""
    st.html(f'<p class="cw-answer low">{_words(answer, correction)}</p>')


def prose(text: str, fragments: dict[str, str]) -> str:
    """Text as HTML: everything escaped, `**bold**` bold, `{name}` replaced by the fragment of that name (a `term`)."""
    safe = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))
    for name, fragment in fragments.items():
        safe = safe.replace("{" + name + "}", fragment)
    return safe


def caption(text: str, **terms: str) -> None:
    """What the picture shows now, then how to read it: `caption("**2 KV heads.** Each is a {head}.", head=term(...))`."""
    st.html(f'<p class="cw-caption">{prose(text, terms)}</p>')


def beside():
    """The columns of the first screen: the picture, and its side cards (below it on a phone)."""
    return st.columns([750, 340], gap=26)


@contextmanager
def card(title: str, key: str | None = None):
    """A white side card; give a key where the title changes with a control."""
    slug = re.sub(r"\W+", "-", key or title).strip("-").lower()
    with st.container(key=f"cw-card-{slug}", gap=0):
        st.html(f'<h3 class="cw-card-title">{html.escape(title)}</h3>')
        yield


def bars(rows: Sequence[Bar], name: str = "", write: Callable[[float], str] = str, of: float | None = None) -> None:
    """A small bar table, the longest bar as long as `of` or the largest value; `name` says to a screen reader what is compared.
    The drawn bar is hidden from it: it reads label and text."""
    label = f'<caption class="cw-hear">{html.escape(name)}</caption>' if name else ""
    whole, lines = of or max((row.value for row in rows), default=0) or 1, []
    for row in rows:
        width = 100 * min(max(row.value / whole, 0.0), 1.0)
        fill = f"var(--cw-{row.hue})" if row.hue else "var(--cw-neutral)"
        text = html.escape(row.text or write(row.value))
        lines.append(
            f'<tr><th scope="row">{html.escape(row.label)}</th>'
            f'<td aria-hidden="true"><div style="width:{width:.4g}%;background:{fill}"></div></td>'
            f"<td>{f'<b>{text}</b>' if row.changed else text}</td></tr>"
        )
    st.html(f'<table class="cw-bars">{label}<tbody>{"".join(lines)}</tbody></table>')


def _number(value) -> str:
    """3072 -> "3,072"; words stay as they are."""
    return f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def facts(rows: list[tuple[str, str]]) -> None:
    """Names and numbers inside a card."""
    lines = "".join(f'<tr><th scope="row">{prose(name, {})}</th><td>{prose(value, {})}</td></tr>' for name, value in rows)
    st.html(f'<table class="cw-facts"><tbody>{lines}</tbody></table>')


def check(counted, measured) -> None:
    """Counted beside measured: green when they are equal, plain about it when they are not."""
    left, right = html.escape(_number(counted)), html.escape(_number(measured))
    if counted == measured:
        st.html(f'<p class="cw-check"><b>✓</b> counted {left} = measured {right}</p>')
    else:
        st.html(f'<p class="cw-check differs"><b>≠</b> counted {left}, measured {right}</p>')


def near(text: str, difference: float, bound: float = 1e-5) -> None:
    """Two ways to the same result, with how far they are apart: green within the bound, plain about it beyond."""
    sign, beyond = ("✓", "") if difference <= bound else ("≠", " differs")
    st.html(f'<p class="cw-check{beyond}"><b>{sign}</b> {html.escape(text)} {difference:.1g}</p>')


def term(word: str, explanation: str) -> str:
    """A word that explains itself on tap, as HTML for a caption."""
    name = "cw-term-" + hashlib.sha1(f"{word}\n{explanation}".encode()).hexdigest()[:10]
    return (
        f'<button type="button" class="cw-term" popovertarget="{name}">{html.escape(word)}</button>'
        f'<span popover id="{name}" class="cw-tip" role="note"><b>{html.escape(word)}</b> {html.escape(explanation)}</span>'
    )


def link(text: str, page: str, **values) -> str:
    """A link to another page in a given state, as HTML for a caption; it opens without a reload."""
    return f'<a class="cw-link" href="{html.escape(state.link(page, values))}">{html.escape(text)}</a>'


def notice(sentence: str) -> None:
    """What to know before reading on, in one sentence, without alarm."""
    st.html(f'<p class="cw-notice" role="status">{html.escape(sentence)}</p>')


def error(sentence: str) -> None:
    """What is wrong and what is accepted, in one sentence, without our names of fields; it begins with a capital unless it begins
    with a name."""
    said = readable(sentence)
    if said.partition(" ")[0] in ("the", "a", "an", "at", "line", "no"):
        said = said[0].upper() + said[1:]
    st.html(f'<p class="cw-error" role="alert">{html.escape(said)}</p>')
