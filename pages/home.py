"""Home: who built what, and what does it cost? Every model of the catalogue in one picture, and the card of each."""

import html
from functools import partial

import streamlit as st

from app import card, clicks, controls, live, panels, state, theme
from app.figures import frame, landscape
from core.lessons import card as model
from core.lessons import landscape as lesson
from core.model.registry import PAGES
from core.real import catalogue
from core.units import binary, count, sized

QUESTION = "Who built what, and what does it cost?"
PROMISE = "Cutaway takes language models apart while they run."
HELP_FAMILY = (
    "What a layer keeps of earlier tokens. "
    + " ".join(f"{f.name}: {f.words}." for f in model.FAMILIES.values())
    + " No family chosen shows all of them."
)
HELP_MONTH = "The picture as it stood at the end of that month."
HELP_RATE = (
    "What one more token adds to the memory of one sequence once every window is full, with 16-bit numbers in every model, so "
    "that dots compare. State of a fixed size is not in it."
)
NOBODY = "no card"
ORGANISATION = controls.Pick("organisation", "Built by", (lesson.EVERY, *lesson.organisations()), lesson.EVERY)
LICENCE = controls.Choice("licence", "Licence", lesson.LICENCES, lesson.LICENCES[0])
SIZE = controls.Choice("size", "Total parameters", tuple(lesson.SIZES), next(iter(lesson.SIZES)))
MODEL = controls.Pick("model", "Click a dot or choose", (NOBODY, *lesson.sorted_names()), NOBODY)


def page() -> None:
    """Promise, filters, picture; then a card, or what to try."""
    st.html(f"<style>{theme.sheet('home')}</style>")
    panels.title(QUESTION, PROMISE, promise())
    asked, month = choose()
    shown = picture(asked, month)
    name = pick()
    caption(lesson.summary(shown), month)
    opened(lesson.key_of_name(name))
    tries()


def promise() -> str:
    """What stands on this site, counted."""
    return f"{len(lesson.dots())} real ones are counted from their own configs; small trained ones answer to your words."


# Controls


def choose() -> tuple[lesson.Filter, str]:
    """Families and the month; organisation, licence and size folded."""
    months = lesson.months()
    with controls.row():
        families = controls.several("family", "Attention", tuple(model.FAMILIES), HELP_FAMILY)
        month = controls.Slider("month", "Until", months, months[-1], "ink", HELP_MONTH).draw()
        with controls.more(summary()), controls.row("further"):
            organisation, licence, size = ORGANISATION.draw(), LICENCE.draw(), SIZE.draw()
    return lesson.Filter(tuple(families), organisation, licence, size), month


def summary() -> str:
    """What the folded controls are going to hold."""
    return f"built by {ORGANISATION.peek()} · licence {LICENCE.peek()} · size {SIZE.peek()}"


# The picture


def picture(asked: lesson.Filter, month: str) -> tuple[lesson.Dot, ...]:
    """The landscape; a click on a dot opens its card."""
    picked = lesson.key_of_name(MODEL.peek())
    make = partial(landscape.landscape, lesson.view(asked, month, picked))
    fig = frame.drawn(make, "landscape", asked, month, picked)
    shown = lesson.chosen_dots(asked, month)
    alt = f"{len(shown)} models as dots: total parameters across, active parameters upwards, the cache of a token as the area"
    config = {"link": state.here(), "until": month}
    frame.figure(fig, key="landscape", alt=alt, table=lesson.table(shown), config=config)
    clicks.listen("landscape", clicked)
    return shown


def clicked(key: str) -> None:
    """Open the card of the dot that was clicked."""
    if key in catalogue.entries():
        st.session_state["model"] = catalogue.entries()[key].name


def caption(said: lesson.Summary, month: str) -> None:
    """What the picture shows now, how to read it, and the sizes of its dots."""
    legend(lesson.size_legend())
    least, most = ((d.name, sized(d.rate)) if d else ("", "") for d in (said.least, said.most))
    rings = f" {said.ringed} add nothing: rings." if said.ringed else ""
    span = f" A token adds between {least[1]}, {least[0]}, and {most[1]}, {most[0]}." if said.least else ""
    late = f" {lesson.undated()} models state no date and stand in the last month." if month == lesson.months()[-1] else ""
    panels.caption(
        f"**{said.count} of {len(lesson.dots())} models, until {month}; {said.sparse} use a part of their parameters.** Area: "
        f"the {{rate}}.{span}{rings} Dense models use all and stand on the line; dots that would cover each other stand above it "
        f"or side by side, the smallest at the edge.{late}",
        rate=panels.term("cache a token adds", HELP_RATE),
    )


def legend(sizes) -> None:
    """Circles of the sizes in the picture."""
    texts = [(f"{size:.1f}px", " class=ring" * (not rate), binary(rate) if rate else "nothing") for rate, size in sizes]
    marks = "".join(f'<span><i style="width:{px};height:{px}"{ring}></i>{text}</span>' for px, ring, text in texts)
    st.html(f'<p class="cw-sizes" aria-label="Sizes of dots: the cache a token adds">A token adds {marks}</p>')


# A card, and what to try


def pick() -> str:
    """The model whose card is open, chosen by a click on its dot or from the list; what it is in a line."""
    with controls.row("card"):
        name = MODEL.draw()
        if found := next((d for d in lesson.dots() if d.name == name), None):
            used = "" if found.dense else f", {count(found.active)} active"
            adds = f"a token adds {sized(found.rate)}" if found.rate else "no cache that grows"
            st.html(f'<p class="cw-brief">{count(found.total)}{used}; {adds}. <a class="cw-down" href="#card">Its card ↓</a></p>')
    return name


def opened(key: str) -> None:
    """The card of that model."""
    if key:
        st.html('<span id="card"></span>')
        entry = catalogue.entries()[key]
        card.show(entry.reading, entry, key)


def tries() -> None:
    """Three states of other pages that are worth a visit."""
    found, there = lesson.tries(), {page.name for page in PAGES}
    live.heading("Try this first")
    columns = st.columns(3, gap="medium")
    for column, (key, (title, sentence)) in zip(columns, THINGS.items()):
        chosen = found[key]
        if chosen.page in there:
            with column, panels.card(title, f"try-{key}"):
                said = sentence.format(**{name: f"{n:,}" for name, n in chosen.numbers})
                st.html(f"<p>{html.escape(said)}</p><p>{panels.link('Open it', chosen.page, **dict(chosen.query))}</p>")


THINGS = {
    "share": (
        "Give eight heads one memory",
        "Drag the KV heads down to one: the cache falls from {before} to {after} bytes, every head still looks where it wants, "
        "and {right} of {asked} questions are answered rightly.",
    ),
    "order": (
        "Take the sense of order away",
        "Switch the small rotated key of a latent off and on: without it the model no longer knows what was said last. With it "
        "{before} of {asked} answers are right, without it {after}.",
    ),
    "route": (
        "Castle the queen on the skillet",
        "A sentence from chess and cookery at once: see which of {experts} experts takes which word, then write your own.",
    ),
}


page()
