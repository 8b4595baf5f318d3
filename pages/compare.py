"""Models side by side: how do two of them differ?"""

import html
import re
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import streamlit as st

from app import controls, intake, live, panels, state
from app.figures import compare as figures
from app.figures import frame
from app.figures import ladder as ladder_figures
from app.panels import Bar
from core.count.dtypes import DTYPES
from core.lessons.common import CONTEXTS, model_names
from core.lessons.compare import crossings as solved
from core.lessons.compare import fields, lesson, words
from core.model.registry import question
from core.real import catalogue
from core.shape import ladder
from core.units import binary, count, decimal

FILES = tuple(f"core/lessons/compare/{part}.py" for part in ("lesson", "crossings", "fields", "words"))
QUESTION = question("compare")
SECTIONS = ("See", "Fields", "Count", "Read")
NONE = "none"
NAMES = {NONE: NONE, **model_names()}
FIRST, SECOND = next(iter(lesson.PRESETS.values()))
PRESETS = {label: {"a": a, "b": b} for label, (a, b) in lesson.PRESETS.items()}
HELP_CONTEXT = "How many tokens one sequence has so far. The bars of the ladders and all numbers are for this many."
LISTED = [key for key in NAMES if key != NONE]
PAIR = (
    controls.Pick("a", "Model A", LISTED, FIRST, name=NAMES.__getitem__),
    controls.Pick("b", "Model B", [*LISTED, NONE], SECOND, name=NAMES.__getitem__),
)
OTHERS = tuple(controls.Pick(letter, f"Model {letter.upper()}", [NONE, *LISTED], NONE, name=NAMES.__getitem__) for letter in "cd")
CONTEXT = controls.Slider("context", "Context", tuple(CONTEXTS), "128k", "ink", HELP_CONTEXT)
KINDS = {key: controls.Pick(key, f"{key.capitalize()} in", (lesson.OWN, *DTYPES), lesson.OWN) for key in ("weights", "cache")}


def page() -> None:
    """Title, controls, and the section that is open; the answer is what follows from the two models."""
    top = st.container(key="compare-top")
    choice = choose()
    alone, said = len(choice.sides) == 1, choice.said
    lead = said[1:] if alone else said[:2]
    with top:
        panels.title(QUESTION, *lead)
    if alone:
        panels.notice(said[0])
    section = controls.sections(SECTIONS)
    {"See": see, "Fields": differing, "Count": counts, "Read": read}[section](choice)
    panels.answer(*lead)


# Controls


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    sides: tuple[lesson.Side, ...]
    context: int

    @property
    def said(self) -> tuple[str, ...]:
        """What follows from the models, in sentences."""
        return words.summary(self.sides, self.context)


def choose() -> Choice:
    """The controls: two models with presets, the context; more models, the reader's own configs and dtypes folded."""
    with controls.row():
        chosen = [control.draw() for control in PAIR]
        controls.presets("pair", PRESETS)
        context = CONTEXTS[CONTEXT.draw()]
        with controls.more(folded()):
            with controls.row("others"):
                chosen += [control.draw() for control in OTHERS]
            with controls.row("dtypes"):
                dtypes = [control.draw() for control in KINDS.values()]
            given = intake.own("config", several=True)
    own = given or intake.linked(lesson.MOST)
    intake.keep(given)
    listed = [lesson.side(key, *dtypes) for key in dict.fromkeys(chosen) if key != NONE]
    mine = [lesson.of(taken.reading, taken.name, "", *dtypes) for taken in own]
    return Choice(lesson.with_distinct_names((*listed, *mine)[: lesson.MOST]), context)


def folded() -> str:
    """The line over the folded controls, naming what they hold."""
    more = [NAMES[key] for control in OTHERS if (key := control.peek()) != NONE]
    dtypes = [f"{what} {dtype}" for what, control in KINDS.items() if (dtype := control.peek()) != lesson.OWN]
    own = any(st.session_state.get(f"config-{way}") for way in ("text", "file")) or st.query_params.get(state.PAYLOAD)
    models = [*more, *(["your config"] if own else [])] or ["more models"]
    return " · ".join([*models, *(dtypes or [lesson.OWN])])


def about(sides: tuple[lesson.Side, ...], context: int) -> dict:
    """What goes into an exported file."""
    return {"models": ", ".join(s.name for s in sides), "context": context, "link": state.here()}


# See


def see(choice: Choice) -> None:
    """Ladders side by side; the difference in sentences; what one sequence keeps, and from where on that is less."""
    left, right = panels.beside()
    with left:
        picture(choice.sides, choice.context)
        if choice.said[2:]:
            live.heading("The difference in words")
            st.html(f'<div class="cw-answers" role="list">{"".join(map(sentence, choice.said[2:]))}</div>')
    with right:
        memory(choice.sides, choice.context)


def sentence(text: str) -> str:
    """One sentence of the list."""
    joined = re.sub(r"(?<=\d) (?=(?:[KMGTP]i?B|[KMBT])\b)", "\u00a0", text)  # a number and its unit stay on one line
    return f'<div role="listitem">{html.escape(joined)}</div>'


def picture(sides: tuple[lesson.Side, ...], context: int) -> None:
    """The ladders."""
    models = lesson.side_ladders(sides, context)
    fig = frame.drawn(partial(ladder_figures.ladders, models), "ladders", sides, context)
    alt = "; ".join(f"{name}: {len(rungs)} layers, {ladder.blocks_text(blocks)}" for name, (rungs, blocks) in models.items())
    frame.figure(fig, key="ladders", alt=alt, table=lesson.rung_table(models), config=about(sides, context))
    panels.caption(
        f"**{words.listed(tuple(models))} at {context:,} tokens.** One rung a layer, the first at the bottom: what mixes "
        "tokens, what mixes channels, and a bar as long as what the layer keeps, on one scale for all. {brackets} mark "
        "blocks that repeat. Hover a rung for its numbers.",
        brackets=panels.term("Brackets", "Their thick part is the block once, the whole bracket all its repetitions."),
    )


def memory(sides: tuple[lesson.Side, ...], context: int) -> None:
    """What one sequence keeps, and the parameters, as bars."""
    hues = lesson.hues(sides, context)
    kept = {s.name: lesson.bytes_at(s, context) for s in sides}
    with panels.card(f"One sequence of {context:,} tokens keeps", "kept"):
        panels.bars([Bar(name, n, hues[name], i > 0) for i, (name, n) in enumerate(kept.items())], "bytes kept", binary)
        live.small(", ".join(f"{name} {decimal(n)}" for name, n in kept.items()) + " in powers of 1000")
        if boards := [f"{s.name} has one board of {s.context:,} positions" for s in sides if s.solver]:
            live.small("; ".join(boards))
    if any(s.keeps for s in sides):
        with panels.card("The same against context", "against"):
            curve(sides, context, "kept", small=True)
    with panels.card("Parameters, and those a token visits", "parameters"):
        rows = []
        for s in sides:
            c = lesson.side_cost(s, context)
            rows += [Bar(s.name, c.params_total)]
            rows += [Bar("\u2003a token", c.params_active, "routed")] * (c.params_active != c.params_total)
        panels.bars(rows, "parameters", count)


# Fields


def differing(choice: Choice) -> None:
    """Every field in which they differ; all of them where asked."""
    alone = len(choice.sides) == 1
    every = alone or controls.Switch("all", "All fields", help="Also the fields in which the models agree.").draw()
    rows = fields.table(choice.sides)
    shown = [row for row in rows if row.differs or every]
    with st.container(key="cw-compact-fields"):
        live.table(("field", *(s.name for s in choice.sides)), [line for group in grouped(shown) for line in lines(group, every)])
    equal = len(rows) - sum(row.differs for row in rows)
    hidden = "" if every else " and not shown"
    told = f"**{len(rows) - equal} of {len(rows)} fields differ**, {equal} are equal{hidden}."
    counted = f"**{len(rows)} fields.**" if alone else told
    panels.caption(
        f"{counted} {{dash}} stands where a model has no "
        "such part. Where layers of one model differ, every value stands with its number of layers.",
        dash=panels.term(lesson.NOTHING, "No layer of this model has the part that the field belongs to."),
    )


def grouped(rows: list[fields.Field]) -> list[list[fields.Field]]:
    """Fields of one part together."""
    return [list(group) for _, group in groupby(rows, key=lambda row: row.group)]


def lines(group: list[fields.Field], every: bool) -> list[tuple]:
    """The part's name, then a line a field; what differs from the first model is bold."""
    head = (live.Link(f'<span class="cw-part">{html.escape(group[0].group)}</span>'), *("" for _ in group[0].values))
    return [
        head,
        *(
            (row.name, *(cell(text, v != row.values[0] or (every and row.differs)) for text, v in zip(row.shown, row.values)))
            for row in group
        ),
    ]


def cell(text: str, marked: bool) -> live.Link:
    """A value that may break into lines."""
    safe = html.escape(text)
    return live.Link(f'<span style="white-space:normal">{f"<b>{safe}</b>" if marked else safe}</span>')


# Count


def counts(choice: Choice) -> None:
    """Memory and arithmetic against context with their crossovers; every count with its difference."""
    if any(s.keeps for s in choice.sides):
        headings = ("What one sequence keeps", "kept"), ("Arithmetic of one token", "arithmetic")
        for column, (heading, quantity) in zip(st.columns(2, gap="large"), headings):
            with column:
                live.heading(heading)
                curve(choice.sides, choice.context, quantity)
                where = words.crossed(choice.sides, quantity)
                solved_on = f"**{where}** Solved on the counts themselves, token by token."
                panels.caption(solved_on if where else f"**{choice.said[0]}**")
    exact(choice.sides, choice.context)


def curve(sides: tuple[lesson.Side, ...], context: int, quantity: str, small: bool = False) -> None:
    """One cost against context, the tokens at which two models change places marked."""
    c = solved.curves(sides, quantity, solved.highest(sides, context))

    def make(colours: dict, stroke: float):
        return figures.against(c, lesson.hues(sides, context), quantity, context, small, colours, stroke)

    fig = frame.drawn(make, quantity, sides, context, small)
    alt = f"{figures.AXES[quantity].capitalize()} against context for {', '.join(c.values)}. {words.crossed(sides, quantity)}"
    frame.figure(fig, key=quantity, alt=alt, table={"context": c.contexts, **c.values}, config=about(sides, context))


def exact(sides: tuple[lesson.Side, ...], context: int) -> None:
    """Every count of every model, and how far the others are from the first."""
    live.heading(f"Exactly, at {context:,} tokens")
    others = [s.name for s in sides[1:]]
    apart, ratios = ([f"{name}, {what}" for name in others] if len(others) != 1 else [what] for what in ("difference", "ratio"))
    live.table(("", *(s.name for s in sides), *apart, *ratios), [delta(row) for row in lesson.deltas(sides, context)])
    how = "reads both ways: it is counted on the same layers reading backwards"
    keeps = "".join(
        f" {s.name} {f'is counted on its board of {s.context:,} positions, one step' if s.solver else how}."
        for s in sides
        if not s.keeps
    )
    panels.caption(
        f"**One sequence; {words.dtypes(sides)}.** KiB, MiB and GiB are powers of 1024. A FLOP is half a multiply-add; "
        f"look-ups, norms and activations are not counted, and the causal half of a prompt is not subtracted.{keeps}"
    )


def delta(row: lesson.Delta) -> tuple:
    """One line of the table: exact numbers, how far the others are from the first, and how many times it they are."""
    values, apart = ([f"{value:,}" for value in row.values], [f"{value:+,}" for value in row.differences])
    ratios = [lesson.NOTHING if ratio is None else f"{ratio:.4g}" for ratio in row.ratios]
    return (f"{row.name}, B" if row.bytes else row.name, *values, *apart, *ratios)


# Read


def read(choice: Choice) -> None:
    """Where the configs come from, what they leave out; the code that counted."""
    live.heading("Where the numbers come from")
    live.table(
        ("model", "released", "organisation", "licence", "config", "assumed", "not understood"),
        [(*facts(s), ", ".join(s.assumed) or "nothing", ", ".join(s.unknown) or "nothing") for s in choice.sides],
    )
    panels.caption(
        "**Assumed** are fields that a config leaves out: they have the value that its own reference gives them. "
        "**Not understood** are fields that could matter and are not counted: check the numbers where a model has some."
    )
    live.glossary(FILES[0])
    for path in FILES:
        live.source(path)


def facts(s: lesson.Side) -> tuple:
    """Name, release, maker, licence and source of a config."""
    if not s.key:
        return (s.name, lesson.NOTHING, lesson.NOTHING, lesson.NOTHING, "given by you")
    entry = catalogue.entries()[s.key]
    shown = [entry.fact(name) for name in ("released", "organisation", "licence")]
    return (live.anchor(entry.name, entry.fact("link")), *shown, live.anchor("config.json", entry.config_source))


page()
