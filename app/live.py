"""What pages with a live model share: their frame, the prompt read and marked, the answers, where a picture comes from."""

import html
import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import streamlit as st

from app import controls, panels, state
from app.figures import kinds
from app.figures.maps import Tape, maps
from app.panels import Bar
from core.errors import SpecError
from core.lessons.common import CONTEXTS, Runs, layer_kinds
from core.lessons.recall import Answer, Finder
from core.model.registry import question
from core.paths import ROOT
from core.real import catalogue
from core.train import evidence, zoo
from core.train.mechanism import Mechanism
from core.train.rules import Gap, Level
from core.train.task import Task
from core.train.tasks import recall
from core.units import exact

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
Held = TypeVar("Held")  # what the controls of a page hold
Section = Callable[[Held], object]  # draws what they hold


def page(
    answer: str, correction: str, choose: Callable[[], Held], *opening: Section[Held], names: Sequence[str] = SECTIONS
) -> None:
    """The page's question as title, controls, and the section that is open; `opening` has one for each of the names."""
    panels.title(question(state.page()), answer, correction)
    chosen = choose()
    section = controls.sections(names)
    dict(zip(names, opening, strict=True))[section](chosen)
    panels.answer(answer, correction)


def stacked(*rows: Section[Held] | tuple[Section[Held], ...]) -> Section[Held]:
    """A section made of parts, one below the other; those in a tuple stand side by side."""

    def draw(chosen: Held) -> None:
        for row in rows:
            if isinstance(row, tuple):
                for column, part in zip(st.columns(len(row), gap="large"), row):
                    with column:
                        part(chosen)
            else:
                row(chosen)

    return draw


def picture(cells: np.ndarray, start: dict[str, int], last: Answer | None = None, **content) -> dict[str, int | None]:
    """The picture of a page, as `maps` draws it under the page's question, with the `last` question of a prompt pointed out.
    What is isolated in it comes from the address, else from `start`, and goes back there."""
    content |= pointed(last) if last else {}
    title = question(state.page())
    chosen = maps(cells, title=title, selected=state.selection(start), stage=state.stage(), **content)
    state.keep_selection(chosen, start)
    return chosen


def second_picture(cells: np.ndarray, **content) -> None:
    """A further picture, whose clicks stay in the browser."""
    maps(cells, stage=state.stage(), report=False, **content)


def names_and_things(examples: dict[str, str], pairs: tuple[int, int] = (5, 14), questions: int = 3) -> controls.Prompt:
    """The prompt of a page whose models recall who has what; "Surprise me" draws so many pairs and up to so many questions."""

    def surprise(rng: random.Random) -> str:
        return recall.surprise(rng.randint(*pairs), rng.randrange(1 << 30), rng.randint(1, questions))

    return controls.Prompt("prompt", "Who has what", examples, surprise, recall.MAX_CHARACTERS)


def model_and_prompt(
    real: controls.Pick[str], context: str, prompt: controls.Prompt, help: str = "Tokens so far, for the real models."
) -> tuple[str, int, str]:
    """A real model, at how many tokens, at first `context`, and the prompt: folded, under a line that names all three."""
    slider = controls.Slider("context", "Context", tuple(CONTEXTS), context, "ink", help)
    with controls.more(f"{real.name(real.peek())} at {slider.peek()} · {prompt.example()}"):
        with controls.row("real"):
            key, tokens = real.draw(), CONTEXTS[slider.draw()]
        return key, tokens, prompt.draw()


def attempt(parse: Callable[[str], Held], text: str, otherwise: str) -> Held:
    """What the reader wrote, as `parse` reads it; where it cannot be read a sentence says so and `otherwise` stands instead."""
    try:
        return parse(text)
    except SpecError as error:
        panels.error(f"{error}. The picture shows the first example meanwhile.")
        return parse(otherwise)


def parsed(text: str, otherwise: str, task: Task = recall.TASK):
    """The reader's prompt, read by a task, or `otherwise`; unknown words are marked with the nearest known one."""
    parse = task.parse
    assert parse is not None, f"no prompt can be written for {task.name}"
    prompt = attempt(parse, text, otherwise)
    if prompt.problems:
        mark(prompt, task.vocabulary)
        return parse(otherwise)
    return prompt


def mark(prompt, vocabulary: str) -> None:
    """The prompt with its unknown words marked in place."""
    near = dict(prompt.problems)
    words = []
    for word in prompt.words:
        shown = html.escape(word)
        words.append(f"<mark>{shown}</mark> <small>(nearest: {html.escape(near[word])})</small>" if word in near else shown)
    count = len(prompt.problems)
    lead = "This word is" if count == 1 else "These words are"
    st.html(
        f'<div class="cw-error" role="alert">{lead} not in the vocabulary of {vocabulary}; the picture shows the first '
        f'example meanwhile. <span class="cw-marked">{" ".join(words)}</span></div>'
    )


def about(variant: str, **more) -> dict:
    """What goes into an exported file: the checkpoint, its seed and command, the page's link and the values shown."""
    record = zoo.checkpoint(variant)
    link = state.here()
    return {"checkpoint": variant, "seed": record.seed, "command": record.command, "link": link, **more}


def again(mechanism: Mechanism) -> dict:
    """What goes into an exported figure of runs: the command that makes them again."""
    return {"command": mechanism.command}


def answers(rows: list[tuple[Answer, Finder | None]]) -> None:
    """Each question with what the model said, whether it is true, and the head that looked hardest at the answer."""
    lines = []
    for a, found in rows:
        right = a.said == a.truth
        sign = '<b class="yes">✓</b>' if right else '<b class="no">✗</b>'
        said = f"<code>{a.name}</code> → <code>{a.said}</code> {a.probability:.3f}"
        truth = "" if right else f", in truth <code>{a.truth}</code>" if a.truth else ", a name that was never introduced"
        where = (
            f"<span>layer {found.layer + 1}, head {found.head + 1} found it: weight {found.weight:.2f}</span>" if found else ""
        )
        lines.append(f'<div role="listitem">{sign} {said}{truth} {where}</div>')
    st.html(f'<div class="cw-answers" role="list">{"".join(lines)}</div>')


def pointed(last: Answer) -> dict:
    """The last question, as `maps` is told of it: who asks, where the true thing stands, what the model answers."""
    roles = {last.position: "query"} | ({last.source: "key"} if last.source >= 0 else {})
    return {"roles": roles, "answer": (last.said, last.probability)}


def memory_tape(attending: Sequence[int], depth: int, memory: np.ndarray, whole: np.ndarray, otherwise: dict[str, str]) -> Tape:
    """Bytes after each token of a model that attends in some of its layers, counted from 1: a lane for each of them, outlines for
    what all would cache as attention; `otherwise` is the legend where none does."""
    lanes = tuple(f"layer {i}" for i in attending)
    legend = {"kv": ", ".join(lanes)} if lanes else otherwise
    return Tape(lanes, memory, depth, whole, "attention in every layer", title="Memory", legend=legend)


def hues(variants: Iterable[str], without: str) -> dict[str, str]:
    """Attention alone in the hue of keys and values, no attention in the hue `without`, what has both in ink."""
    kinds = {v: layer_kinds(v) for v in variants}
    return {v: "kv" if k == {"full"} else "ink" if "full" in k else without for v, k in kinds.items()}


def compare(before: str, whole: int, now: str, part: int, write: Callable[[float], str] = exact, hue: str = "kv") -> None:
    """Bytes as bars: what it was, and what it is in `hue`; one bar where nothing was changed."""
    rows = [Bar(before, whole), Bar(now, part, hue, changed=True)]
    panels.bars(rows[before == now :], f"{before} against {now}", write, of=whole)


def heading(text: str) -> None:
    """A heading inside a section."""
    st.html(f'<h2 class="cw-h2">{html.escape(text)}</h2>')


def digits(n: int) -> str:
    """A whole number for LaTeX."""
    return f"{n:,}".replace(",", r"{,}")


# Prove


def proof(
    mechanism: Mechanism, *rows: Section[Held] | tuple[Section[Held], ...], name: Callable[[Level | Gap], str] | None = None,
    printed: str = "",
) -> Section[Held]:  # fmt: skip
    """The section Prove: the verdicts that follow from our runs, with their numbers as `name` calls them; `rows` as in `stacked`,
    where there are runs; what papers printed about it, or about `printed`."""

    def draw(chosen: Held) -> None:
        report = evidence.report(mechanism.name)
        verdicts(report, name or mechanism.spelling.number)
        if ran(report):
            stacked(*rows)(chosen)
        published(printed or mechanism.name)

    return draw


def verdicts(report: dict, name: Callable[[Level | Gap], str]) -> None:
    """Each claim with what our runs say about it and the numbers behind it; `name` says how a number is called."""
    lines = []
    for claim in report["claims"]:
        kind = {"shows": "yes", "does not show": "no"}.get(claim["verdict"], "open")
        numbers = " · ".join(f"{name(number)}: {kinds.spread_text(s)}" for number, s in claim["numbers"].items())
        verdict = f'<span class="cw-verdict {kind}">{html.escape(claim["verdict"])}</span>'
        said = f"<p>{html.escape(claim['claim'])}</p><small>{html.escape(numbers)}</small>"
        lines.append(f'<div role="listitem">{verdict}{said}</div>')
    rule, seeds = panels.term("A rule", RULES), ", ".join(map(str, report["seeds"]))
    st.html(
        f'<div class="cw-verdicts" role="list">{"".join(lines)}</div><p class="cw-caption cw-rule">{rule} decides, from the '
        f"table of all runs (seeds {seeds}; mean ± standard deviation). The same again: "
        f"<code>{html.escape(report['command'])}</code></p>"
    )


def ran(report: dict) -> bool:
    """Are there runs to draw? A sentence says so where there are none."""
    if not report["rows"]:
        panels.caption("**No runs yet.** {command} makes them.", command=f"<code>{html.escape(report['command'])}</code>")
    return bool(report["rows"])


RULES = (
    "Shows: every seed is ordered as claimed and each mean gap is beyond 2 standard deviations of the gaps (or every run keeps "
    "the bound). Does not show: a mean gap is not in the claimed direction (or no run keeps it). Unclear: anything else."
)


def formula(title: str, latex: str, words: str, inspect: str) -> None:
    """A formula with numbers put in, under its title; `{code}` in the words below is the call of the command line."""
    heading(title)
    st.latex(latex)
    panels.caption(words, code=f"<code>python -m core inspect {inspect}</code>")


def growth(title: str, drawn: kinds.Growth, config: dict, words: str) -> None:
    """Counted bytes of a live model against tokens, the measured ones on them, under a title; words and both numbers below."""
    heading(title)
    kinds.show(drawn, "growth", config)
    panels.caption(words)
    line = next(line for line in drawn.lines if line.name == drawn.loud)
    panels.check(int(line.values[np.searchsorted(drawn.tokens, drawn.points[-1])]), int(drawn.measured[-1]))


def learning(curves: dict, label: Callable[[str], str], hues: dict, pairs: int, what: str, config: dict, **look) -> None:
    """Loss at so many pairs while training: `what` all variants are called, `head` heads them in the table."""
    loss, head = f"loss at {pairs} pairs", look.pop("head", "variant")
    heading(f"{loss.capitalize()} while training")
    subject = f"{loss.capitalize()} against training steps for {len(curves)} {what}"
    columns = head, "seed", "step", f"{loss}, nats"
    kinds.show(kinds.Learning(subject, curves, label, hues, columns, **look), "learning", config)


def recall_and_loss(runs: Runs, without: str, recall: Callable[[], str], loss: str) -> tuple[Section, Section]:
    """Recall by pairs beside loss while training, words below each; `without` is the hue of what does not attend."""

    def recalled(_: object) -> None:
        heading("Recall by pairs to remember: every seed")
        found, heads = runs.recalled(), ("variant", "pairs", "run", "recall")
        subject = f"Recall of {len(found)} models against pairs to remember"
        drawn = kinds.ByCount(subject, found, runs.label, "pairs to remember", "recall", hues(found, without), heads)
        kinds.show(drawn, "recall", again(runs.mechanism))
        lead = f"**Lines join the means of seeds {evidence.seeds_text(runs.mechanism.name)}.**"
        panels.caption(f"{lead} {recall()}")

    def learned(_: object) -> None:
        curves = runs.learning()
        learning(curves, runs.label, hues(curves, without), runs.pairs, "models", again(runs.mechanism))
        panels.caption(f"**One line a seed.** {loss}")

    return recalled, learned


def published(name: str) -> None:
    """Tables that papers printed, dated and sourced."""
    heading("What papers printed")
    columns = st.columns(2, gap="large")
    for i, t in enumerate(evidence.published(name)):
        said = catalogue.papers()[t["paper"]]
        with columns[i % 2]:
            table(t["columns"], t["rows"], narrow=len(t["columns"]) > 3)
            source = f"{said['authors']}, {said['date'][:7]}, {t['table']}: {t['what']}."
            panels.caption(source + " {link}", link=paper(t["paper"]))


class Link(str):
    """HTML that is safe to show."""


def table(columns, rows, narrow: bool = False) -> None:
    """A plain table: cells that are a `Link` are HTML, all others are escaped; columns of numbers stand right. One that is
    `narrow` gives up room between its columns so as to fit a phone."""
    columns, rows = list(columns), [list(row) for row in rows]
    right = [all(numeric(row[i]) for row in rows) for i in range(len(columns))]
    head = "".join(f'<th scope="col"{_side(r)}>{html.escape(c)}</th>' for c, r in zip(columns, right))
    lines = (
        "".join(f"<td{_side(r, c)}>{c if isinstance(c, Link) else html.escape(str(c))}</td>" for c, r in zip(row, right))
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    kind = "cw-table cw-narrow" if narrow else "cw-table"
    st.html(f'<div class="cw-scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def numeric(value) -> bool:
    """A number, or one with its sign or unit such as "1.5 MiB", "46.7 B", "-3" and "98.24%", or the dash where there is none."""
    return (
        isinstance(value, (int, float))
        or value in ("—", "any", "none")
        or (not isinstance(value, Link) and bool(re.fullmatch(r"[+-]?[\d.,]+( [kKMGT]?i?B| [KMT]|%)?|—", str(value))))
    )


def _side(right: bool, cell="") -> str:
    day = re.fullmatch(r"\d{4}(-\d\d){0,2}", str(cell))
    return ' class="n"' if right else ' class="day"' if day else ""


def anchor(text: str, address: str) -> Link:
    """A link to another site, followed only when clicked; plain text where the address is not known."""
    if not address.startswith("https://"):
        return Link(html.escape(text))
    return Link(
        f'<a class="cw-link" href="{html.escape(address)}" target="_blank" rel="noreferrer noopener">{html.escape(text)}</a>'
    )


def paper(id: str) -> Link:
    """A paper by its number, as a link."""
    return anchor(f"arXiv {id}" if id[0].isdigit() else id, catalogue.papers()[id]["link"])


# Read


def reading(*paths: str, listed: Iterable[str], mixed_up: Iterable[str] = ()) -> Section:
    """The section Read: what is often mixed up, the glossary of the first core file, the papers that are listed, all files."""

    def draw(_: object) -> None:
        if mixed_up:
            heading("What is often mixed up")
        for sentence in mixed_up:
            panels.caption(sentence)
        glossary(paths[0])
        papers(*listed)
        for path in paths:
            source(path)

    return draw


def glossary(path: str) -> None:
    """What the letters of a core file mean: its docstring."""
    heading("Glossary")
    st.html(f'<pre class="cw-source">{html.escape(_parts(path)[0])}</pre>')


def source(path: str) -> None:
    """A core file as it runs, below its glossary."""
    heading(f"The code that ran: {path}")
    st.code(_parts(path)[1], language="python")


@st.cache_data(show_spinner=False)
def _parts(path: str) -> tuple[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    _, glossary, code = text.split('"""', 2)
    return glossary.strip(), code.strip()


def papers(*ids: str) -> None:
    """The papers behind a page."""
    heading("Papers")
    rows = [(p["date"][:7], p["authors"], anchor(p["title"], p["link"])) for p in (catalogue.papers()[i] for i in ids)]
    table(("date", "authors", "title"), rows)


# Who uses it


def users(columns: tuple[str, ...], rows: Iterable[tuple], words: str = "") -> None:
    """Models of the catalogue as a table: each row is its entry and what stands in `columns`; who, when and under which licence
    follow, and `words` below."""
    facts = ("released", "organisation", "licence")
    table(
        ("model", *columns, *facts),
        [(anchor(entry.name, entry.fact("link")), *cells, *map(entry.fact, facts)) for entry, *cells in rows],
    )
    if words:
        panels.caption(words)


def small(text: str) -> None:
    """A quiet line inside a card."""
    st.html(f'<p class="cw-small">{html.escape(text)}</p>')
