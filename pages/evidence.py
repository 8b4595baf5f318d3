"""Evidence: which of the talk's claims hold up? One row a claim, from the tables of our runs and the papers' printed numbers."""

import html

import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, seeds
from core.lessons import evidence as lesson
from core.model.registry import question

QUESTION = question("evidence")
ANSWER = "Each verdict follows by a rule from every run we made; none is written by hand."
CORRECTION = (
    "They are verdicts on our small models: what does not show here may still hold for large ones, and the other way round."
)
KINDS = {"shows": "yes", "does not show": "no"}
SAID = {"shows": "show", "unclear": "unclear", "does not show": "do not show", lesson.WAITING: "without runs yet"}
HELP_CLAIM = "Opens a claim: all its runs, and its rule in words. Each row below opens its own."
HELP_VERDICT = live.RULES + " No verdict chosen shows all claims."
MECHANISM = controls.Pick("mechanism", "Mechanism", lesson.mechanisms(), lesson.EVERY)


def page() -> None:
    """Question, controls, how many claims hold, one row each; the chosen one beside them."""
    st.html(f"<style>{theme.sheet('evidence')}</style>")
    panels.title(QUESTION, ANSWER, CORRECTION)
    row, mechanism, wanted = choose()
    found = lesson.chosen_rows(mechanism, tuple(wanted))
    tally(found)
    left, right = panels.beside()
    with left:
        claims(found, row)
    with right:
        opened(row)
    panels.answer(ANSWER, CORRECTION)


def choose() -> tuple[lesson.Row, str, list[str]]:
    """The claim that is open, and the filters."""
    known = {row.id: row for row in lesson.rows()}
    with controls.row():
        chosen = controls.Slider("claim", "Claim", tuple(known), next(iter(known)), "query", HELP_CLAIM).draw()
        with controls.more(filters()), controls.row("further"):
            wanted = controls.several("verdict", "Verdict", lesson.outcomes(), HELP_VERDICT)
            mechanism = MECHANISM.draw()
    return known[chosen], mechanism, wanted


def filters() -> str:
    """What the folded controls are going to hold."""
    asked = st.session_state.get("verdict", st.query_params.get_all("verdict")) or ()
    words = ", ".join(outcome for outcome in lesson.outcomes() if outcome in asked)
    return f"{MECHANISM.peek()} · {words or 'every verdict'}"


# The claims


def kind(outcome: str) -> str:
    """The style of a verdict."""
    return KINDS.get(outcome, "open")


def chip(outcome: str) -> str:
    """A verdict, as the mechanisms' own pages show it."""
    return f'<span class="cw-verdict {kind(outcome)}">{html.escape(outcome)}</span>'


def tally(found: tuple[lesson.Row, ...]) -> None:
    """How many claims have which verdict, in words and as one bar."""
    counts = lesson.tally(found)
    words = " · ".join(f"<b>{n}</b> {SAID[outcome]}" for outcome, n in counts.items())
    parts = "".join(f'<i class="{kind(o)}" style="flex:{n}"></i>' for o, n in counts.items() if n)
    st.html(
        f'<div class="cw-tally"><p><b>{len(found)}</b> of {len(lesson.rows())} claims: {words}</p>'
        f'<div aria-hidden="true">{parts}</div></div>'
    )


def claims(found: tuple[lesson.Row, ...], chosen: lesson.Row) -> None:
    """One row a claim, under its mechanism. The open one is marked by a style of its own: the rows themselves are sent once."""
    st.html(f"<style>.{slug(chosen)}::before {{ background: var(--cw-query) }}</style>")
    if not found:
        panels.caption("**No claim passes these filters.** Take one of them off.")
        return
    st.html(f'<div class="cw-claims">{"".join(group(name, rows) for name, rows in lesson.grouped(found).items())}</div>')


def slug(row: lesson.Row) -> str:
    """The class of a claim's row."""
    return f"cw-claim-{row.id.replace(' ', '-')}"


def group(name: str, rows: list[lesson.Row]) -> str:
    """A mechanism: where it is shown, how it is made again, its claims, what papers printed."""
    there = lesson.proof(name)
    shown = f"{panels.link('Shown on its page', name, **there)} · " if there else ""
    by = f'<p class="cw-by">{shown}the same again: <code>{html.escape(rows[0].command)}</code></p>'
    lines = "".join(line(row) for row in rows)
    return f'<section><h2>{html.escape(rows[0].title)}</h2>{by}<div role="list">{lines}</div>{printed(name)}</section>'


def line(row: lesson.Row) -> str:
    """A claim: verdict, sentence, every seed."""
    link = panels.link(row.id, state.page(), **{**state.values(), "claim": row.id})
    drawn = seeds.strip(row.compared, lesson.places(row), names(row), lesson.span(row))
    return (
        f'<div class="cw-claim {slug(row)}" role="listitem">{chip(row.outcome)}'
        f"<div><p>{html.escape(row.sentence)}</p><small>{link}</small></div>{drawn}</div>"
    )


def names(row: lesson.Row) -> list[str]:
    """How the sides of a claim are written."""
    return [named(row)(side.number) for side in row.compared]


def named(row: lesson.Row):
    """How a claim's numbers are called."""
    return lesson.spelling(row.mechanism).number


def printed(name: str, opened: bool = False) -> str:
    """What papers printed about a mechanism, folded; "" where nothing is known."""
    found = lesson.printed(name)
    if not found:
        return ""
    lines = "".join(
        f"<p>{html.escape(what)}. <b>{html.escape(cells)}</b> {live.paper(paper)}</p>" for paper, what, cells in found
    )
    many = f"{len(found)} tables" if len(found) > 1 else "1 table"
    return f'<details class="cw-printed"{" open" * opened}><summary>What papers printed: {many}</summary>{lines}</details>'


# The claim that is open


def opened(row: lesson.Row) -> None:
    """All runs behind one verdict, and its rule in words."""
    with panels.card(f"{row.title}: {row.id}", "opened"):
        st.html(f'<div class="cw-opened">{chip(row.outcome)}<p>{html.escape(row.sentence)}</p></div>')
        if row.compared:
            picture(row)
        reasons(row)


def picture(row: lesson.Row) -> None:
    """Every seed of every side."""
    sides, called = row.compared, names(row)
    runs = [lesson.runs(row, side) for side in sides]
    fig = seeds.spread(sides, called, runs, lesson.span(row), theme.colours(), theme.stroke())
    alt = f"Every run of {len(sides)} sides compared, {row.outcome}: " + "; ".join(
        f"{name} {kinds.spread_text({'mean': s.mean, 'sd': s.sd})}" for name, s in zip(called, sides)
    )
    config = {"claim": row.sentence, "command": row.command, "link": state.here()}
    frame.figure(fig, key="seeds", alt=alt, table=lesson.table(row, named(row)), config=config)


def reasons(row: lesson.Row) -> None:
    """The gaps, the rule in words, and how to make the runs again."""
    gaps = "".join(
        f"<small>{html.escape(named(row)(g.number))}: {kinds.spread_text({'mean': g.mean, 'sd': g.sd})}</small>" for g in row.gaps
    )
    rule = "".join(f"<small><b>{html.escape(n)}</b>: {html.escape(words)}.</small>" for n, words in lesson.in_words(row.rule))
    none = "" if row.compared else "<small><b>No runs yet.</b></small>"
    runs = f"Seeds {', '.join(map(str, row.seeds))}; a dot is a run, the bar its mean. " if row.compared else ""
    again = f"<small>{runs}The same again: <code>{html.escape(row.command)}</code></small>"
    there = lesson.proof(row.mechanism)
    link = f"<small>{panels.link('Shown on its page', row.mechanism, **there)}</small>" if there else ""
    st.html(f'<div class="cw-opened">{none}{gaps}{rule}{again}{link}{printed(row.mechanism)}</div>')


page()
