"""One prompt through every trained mixer: who remembers, at what price?"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, mixers
from app.figures.maps import encode_probability
from app.panels import Bar
from core.lessons import mixers as lesson
from core.lessons.common import USUAL_CONTEXT, USUAL_CONTEXT_TEXT, column
from core.real import catalogue
from core.train import evidence
from core.train.recipes.mixers import MECHANISM
from core.train.tasks import recall
from core.units import binary, exact

ANSWER = "A cache finds what it kept, at a price that grows; a state of one size remembers what it has room for."
CORRECTION = "Constant memory is not small memory, and at one size it is the rule of writing that decides what is kept."

EXAMPLES = {
    "one name": "ann lamp bo kite cy drum dan rope ? bo",
    "two names": "zoe wheel leo plum kim pear ? kim zoe",
    "told twice": "ann lamp bo kite ann coin cy drum ? ann",
    "8 pairs": recall.surprise(8, seed=12, asked=2),
}
PRESETS = {
    "Few facts": {"pairs": 4, "mixers": lesson.ONE},
    "All they learned": {"pairs": lesson.MOST, "mixers": lesson.ONE},
    "The same, hybrids": {"pairs": lesson.MOST, "mixers": lesson.THREE},
}
HELP_PAIRS = (
    "How many facts stand before the question. The prompt is filled up with other names after the reader's own facts; the "
    f"question stays. At most {lesson.MOST} pairs were learned."
)
HELP_SET = "Mixers alone in their model; three layers of each to one of attention; or all of them, the sLSTM too."
PAIRS = controls.Slider("pairs", "Pairs to remember", lesson.PAIRS, 12, help=HELP_PAIRS)
SET = controls.Choice("mixers", "Mixers", tuple(lesson.SETS), lesson.ONE, help=HELP_SET)
PROMPT = live.names_and_things(EXAMPLES, (2, 6), 2)
HELP_WRITTEN = (
    "A recurrence keeps no weights, but its output is still a sum over the tokens before: written out, it is the attention that "
    "the recurrence amounts to. Signs are left out; each row is shares of 1, so that all panels compare."
)
HELP_GRADIENT = (
    "LSTM and sLSTM read their own last output, so what they say is no sum over tokens. Their panel is the length of the "
    "gradient of the expected word's logit with respect to each token's embedding, as shares of 1."
)
PLOT = 280.0  # px of the plot that names are placed for: a phone; a wider one has more room
FILES = (
    "core/train/recipes/mixers.py",
    "core/model/scan.py",
    *(f"core/model/mixers/{name}.py" for name in ("attention", "delta", "mamba", "rwkv")),
)


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    pairs: int
    kind: str
    text: str

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return {"link": state.here(), "mixers": self.kind}

    def played(self) -> list[lesson.Played]:
        """Every mixer on the reader's facts and question, filled up with other facts."""
        return lesson.every(self.kind, lesson.padded(live.parsed(self.text, PROMPT.default), self.pairs))


def choose() -> Choice:
    """The controls: pairs to remember and which mixers; the prompt folded."""
    with controls.row():
        pairs, kind = PAIRS.draw(), SET.draw()
        controls.presets("facts", PRESETS)
        with controls.more(PROMPT.example()):
            prompt = PROMPT.draw()
    return Choice(pairs, kind, prompt)


# See


def see(choice: Choice) -> None:
    """Every mixer on the reader's prompt: where it looks, what it answers, what it holds."""
    played = choice.played()
    picture(choice, played)
    right, first = sum(p.right for p in played), played[0]
    asked = ", ".join(a.name if a.truth else f"{a.name}, a name that was never introduced" for a in first.answers)
    panels.caption(
        f"**{first.answers[0].position // 2} pairs to remember, asked {asked}: {right} of {len(played)} remember.** One panel a "
        "mixer: the head "
        "that holds most of the answer (at its word, or the two after it), "
        "all on one scale. Row = token asking, column = token read. Attention as it is; "
        "recurrences {written}; LSTM and sLSTM by their {gradient}.",
        written=panels.term("written out", HELP_WRITTEN),
        gradient=panels.term("gradient", HELP_GRADIENT),
    )
    left, side = st.columns([1, 1], gap="large")
    with left:
        live.heading("What each answers, and what it holds")
        answers(played)
    with side:
        live.heading("Recall per byte, from our runs")
        pareto(choice.kind)


def picture(choice: Choice, played: list[lesson.Played]) -> None:
    """Small multiples: a map a mixer, its name with the answer's verdict."""
    last, n = played[0].answers[-1], len(played[0].words)
    live.picture(
        encode_probability(*lesson.maps(played)),
        {"row": last.position, "step": n},
        key="looks",
        alt=f"Where {len(played)} mixers look on the same {n} tokens, and whether each answers right",
        tokens=lesson.words(played),
        labels=[f"{'✓' if p.right else '✗'} {lesson.variant_label(p.mixer.variant)}" for p in played],
        columns=5,
        roles=live.pointed(last)["roles"],
        aspect=1.0,
        verb="holds",
        config=live.about(played[0].mixer.variant, prompt=choice.text, pairs=choice.pairs, mixers=choice.kind),
    )


def answers(played: list[lesson.Played]) -> None:
    """A row a mixer: what it says to every question, and the bytes it holds."""
    rows = []
    for p in sorted(played, key=lambda p: p.counted):
        words = ", ".join(f"{a.said} {a.probability:.2f}" for a in p.answers)
        label = f"{'✓' if p.right else '✗'} {lesson.variant_label(p.mixer.variant)}: {words}"
        rows.append(Bar(label, p.counted, p.mixer.hue))
    panels.bars(rows, "what each mixer answers, and the bytes it holds", exact)
    panels.check(sum(p.counted for p in played), sum(p.measured for p in played))


def pareto(kind: str) -> None:
    """Recall against bytes from the table of our runs."""
    points = lesson.points()
    if not points:
        panels.caption("**No runs in the table yet.** The command under Prove makes it.")
        return
    loud = {m.variant for m in lesson.SETS[kind]}
    fig = frame.drawn(partial(mixers.pareto, points, lesson.variant_label, loud, binary, PLOT), "pareto", points, kind)
    alt = f"Recall at {lesson.MOST} pairs against bytes for {len(points)} variants; a line joins those that none beats"
    names, runs = [lesson.variant_label(p.variant) for p in points], np.array([len(p.recall) for p in points])
    table = {"mixer": names, "bytes": column(points, "bytes"), "recall, mean": column(points, "mean"), "runs": runs}
    frame.figure(fig, key="pareto", alt=alt, table=table, config=live.again(MECHANISM))
    seeds = evidence.seeds_text(MECHANISM.name)
    panels.caption(
        f"**Recall at {lesson.MOST} pairs against bytes after {lesson.LENGTH} tokens.** Large marks are means of seeds {seeds}, "
        "small ones seeds, diamonds three layers to one of attention, pale ones other sizes and sets; the green line joins what "
        "none beats in both."
    )


# Count


def count(choice: Choice) -> None:
    """Bytes against tokens, counted beside measured; then the real models."""
    played = choice.played()
    left, right = st.columns(2, gap="large")
    with left:
        growth(choice, len(played[0].words))
    with right:
        live.heading(f"This prompt: {len(played[0].words)} tokens")
        rows = [(lesson.variant_label(p.mixer.variant), f"{p.counted:,}", f"{p.measured:,}") for p in played]
        live.table(("mixer", "counted, B", "measured, B"), rows, narrow=True)
        panels.check(sum(p.counted for p in played), sum(p.measured for p in played))
    formula()
    real_models(choice)


def growth(choice: Choice, n: int) -> None:
    """Bytes against tokens."""
    live.heading("Bytes held after so many tokens")
    lengths, hues = np.unique(np.geomspace(1, 512, 60).astype(int)), {m.variant: m.hue for m in lesson.SETS[choice.kind]}
    lines = lesson.lines(choice.kind, lengths)
    fig = mixers.growth(lengths, lines, hues, lesson.variant_label, n, theme.colours(), theme.stroke())
    alt = f"Bytes of {len(lines)} mixers against tokens: caches grow, states are level"
    table = {"tokens": lengths, **{f"{lesson.variant_label(v)}, B": y for v, y in lines.items()}}
    frame.figure(fig, key="growth", alt=alt, table=table, config=choice.config)
    panels.caption("**A cache rises, a state is level, a window bends, a hybrid does both.** Logarithmic axes, 32 bits.")


def formula() -> None:
    """What is held, as one formula."""
    live.heading("What one layer holds after n tokens, in numbers")
    st.latex(
        r"\begin{array}{rl} \text{attention} & n \cdot h_{KV} \, (d_k + d_v) \\ "
        r"\text{latent} & n \cdot (d_c + d_R) \\ \text{window} & \min(n, w) \cdot h_{KV} \, (d_k + d_v) "
        r"\\ \text{matrix} & H \cdot d_k \cdot d_v \\ \text{LSTM, sLSTM} & H \cdot d \text{ a vector} \end{array}"
    )
    panels.caption(
        "**Convention.** One sequence. Matrix: delta nets, Mamba-2, RWKV-7, mLSTM. The sum over all layers, with the columns of "
        "their convolutions, times the bytes of a number: 4 in our live models. KiB, MiB and GiB are powers of 1024."
    )


def real_models(choice: Choice) -> None:
    """Every model of the catalogue that recurs somewhere."""
    rows = lesson.real_models()
    live.heading(f"Real models that recur, {USUAL_CONTEXT_TEXT} tokens")
    names, states, caches = [r.name for r in rows], column(rows, "state"), column(rows, "cache")
    subject = f"State and cache of {len(rows)} real models at {USUAL_CONTEXT_TEXT} tokens"
    kinds.show(mixers.models(subject, names, states, caches, binary), "models", choice.config)
    panels.caption(
        f"**One sequence of {USUAL_CONTEXT:,} tokens, cache in 16 bits, recurrent state in 32.** No diamond: nothing grows."
    )


# Prove


def prove(_: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    live.verdicts(evidence.report("mixers"), MECHANISM.spelling.number)
    live.heading("Recall per byte: every seed")
    pareto(lesson.EVERY)
    rows = lesson.table()
    if rows:
        live.heading("Every variant: recall by pairs to remember")
        live.table(("mixer", "steps", "parameters", "bytes", *(f"{n} pairs" for n in lesson.COUNTS)), rows, narrow=True)
    live.published("mixers")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    entries = catalogue.entries()
    live.users(
        ("layers that recur", "layers that cache", "state", f"cache at {USUAL_CONTEXT_TEXT}"),
        [
            (entries[r.key], r.recurs, r.attends, binary(r.state), binary(r.cache) if r.cache else "none")
            for r in lesson.real_models()
        ],
        f"**Every model of the catalogue with a layer that keeps a state**, counted at {USUAL_CONTEXT:,} tokens, "
        "cache in 16 bits, recurrent state in 32. A layer that does both counts twice. Click a name for the model's own page.",
    )


live.page(ANSWER, CORRECTION, choose, see, count, prove, live.reading(*FILES, listed=MECHANISM.papers), users)
