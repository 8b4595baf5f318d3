"""Code world models: can a model run code in its head?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, program, theme
from app.figures import code_world_model as drawing
from app.figures import frame, kinds, window
from core.lessons import sliding_window
from core.lessons.code_world_model import evidence as proved
from core.lessons.code_world_model import lesson
from core.lessons.common import AXIS, column, model_name
from core.train.recipes import code_world_model as recipes
from core.train.recipes.code_world_model import MECHANISM
from core.train.tasks import toy, traces
from core.units import binary, decimal

ANSWER = "Line by line it can: it writes down what every name holds after each line, and reads that before it writes the next."
CORRECTION = "It does not run the program, it predicts the trace: one wrong value, and all that is built on it is wrong."
HELP_STEP = "Lines that have run, in the order in which they run. Step 0 is before the first."
HELP_READS = (
    "On its own words the model reads the lines and states that it predicted itself, so errors add up. With the true history it "
    "reads what really happened up to each step (teacher forcing), and only the next step is its own."
)
READ = controls.Choice("reads", "It reads", lesson.HISTORIES, lesson.OWN, "query", HELP_READS)
PRESETS = {label: {"program": name} for label, name in lesson.PRESETS.items()}
PATHS = ("core/train/tasks/frames.py", "core/train/tasks/traces.py", "core/train/tasks/toy.py")
HUES = {recipes.TRACE: "query", recipes.ANSWER: "shared", recipes.TRACE_STRAIGHT: "latent", recipes.ANSWER_STRAIGHT: "window"}
READS = {lesson.OWN: "query", lesson.TRUE: "saved"}
KIND_HUES = dict(zip(proved.KINDS, ("query", "kv", "latent", "window", "state")))


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    scene: lesson.Scene
    reads: str
    at: int

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(recipes.TRACE, program=self.scene.source)


def choose() -> Choice:
    """The controls: step with programs as presets; what the model reads, and the program itself, folded."""
    scene, wrong = lesson.read_program(program.current(lesson.EXAMPLES, toy.MAX_CHARACTERS))
    steps = tuple(range(max(1, scene.steps) + 1))
    if "at" in st.session_state and st.session_state["at"] not in steps:
        st.session_state["at"] = steps[-1]
    with controls.row():
        at = controls.Slider("at", "Step", steps, steps[-1], "query", HELP_STEP).draw()
        reads = READ.draw()
        with controls.more(f"{len(scene.lines)} lines, {scene.steps} steps: write your own"):
            program.box(lesson.EXAMPLES, lesson.surprise, toy.MAX_CHARACTERS)
        controls.presets("programs", PRESETS, "query")
    if wrong:
        panels.error(f"{wrong}. The picture shows the first example meanwhile.")
    return Choice(scene, reads, at)


# See


def see(choice: Choice) -> None:
    """The true run beside the model's; the state at the step; answering at once; accuracy against trace length."""
    told = None if choice.scene.problem else lesson.model_trace(choice.scene.source, choice.reads)
    config = live.about(recipes.TRACE, program=choice.scene.source, reads=choice.reads, step=choice.at)
    left, right = panels.beside()
    with left:
        picture(choice.scene, told, choice.at, config)
    with right:
        side(choice.scene, told, choice.at)
    drift_and_length(config)


def picture(scene: lesson.Scene, told: lesson.Told | None, at: int, config: dict) -> None:
    """Lines and states step by step, the model's beside the true ones."""
    v = lesson.view(scene, told)
    fig = drawing.trace(v, at, theme.colours(), theme.stroke())
    frame.figure(fig, key="trace", alt=lesson.alt(scene, told, at), table=lesson.table(v), config=config)
    rings = "; rings: what the model expects" if told else ""
    panels.caption(
        f"**{lesson.agreement_text(scene, told)}** The line above: which line runs{rings}. Below, what every "
        "{names} after each step: blue where it changed, red where a model is wrong.",
        names=panels.term("name holds", "Python calls them local variables; CWM reads them in this form, as text."),
    )
    if scene.run.stopped:
        panels.error(f"{scene.run.stopped}.")
    elif scene.problem:
        panels.caption(f"**The true run alone: {scene.problem}.** The language holds more than any model here has words for.")
    elif scene.unseen:
        panels.caption(f"**The model never saw this in training: {', '.join(scene.unseen)}.** What it says is a guess beyond it.")


def side(scene: lesson.Scene, told: lesson.Told | None, at: int) -> None:
    """The state after the step, true and as predicted; the model that answers without a trace."""
    with panels.card(lesson.step_title(scene, at), "state"):
        live.table(*lesson.state_rows(scene, told, at))
        if told is not None:
            live.small(lesson.sure_text(scene, told, at))
    if told is None:
        return
    with panels.card("Asked for the last state", "final"):
        live.table(*lesson.final_rows(scene))
        live.small(lesson.final_text(scene))
    with panels.card("What a trace costs", "price"):
        price = proved.prices(len(scene.lines), scene.steps)
        answer, trace = price["answer"], price["trace"]
        rows = [panels.Bar("answer at once", answer.tokens), panels.Bar("trace", trace.tokens, "query", True)]
        panels.bars(rows, "Words read and written", "{} words".format, of=trace.tokens)
        live.small(f"{trace.flops / answer.flops:.1f} times the arithmetic")


def drift_and_length(config: dict) -> None:
    """From all trained runs: right last states against the length of the trace."""
    found = proved.by_steps()
    if not any(runs for values in found.values() for runs in values.values()):
        return
    live.heading("Right last states against the steps of the run: every seed")
    subject, heads = (
        "Share of programs whose last state is right against the steps of their run",
        ("model", "steps up to", "right"),
    )
    kinds.show(kinds.ByCount(subject, found, proved.variant_label, "steps, up to", "right", HUES, heads), "lengths", config)
    panels.caption(
        f"**{proved.length_text()}** Programs of all kinds of {traces.MEASURED[0]} to {traces.MEASURED[-1]} lines that were in "
        "no training set; all names must be right, on the model's own words."
    )


# Count


def ours(choice: Choice) -> None:
    """Our model: words and cache against steps."""
    live.heading("Our model: cache against steps of the run")
    scene, lines, steps = choice.scene, len(choice.scene.lines), np.arange(0, 25)
    cached = proved.cache_by_steps(lines, steps)
    fig = drawing.growth(steps, cached, scene.steps, theme.colours(), theme.stroke())
    alt = f"Cache of our model against the steps of a run of {lines} lines, traced and answered at once"
    frame.figure(fig, key="growth", alt=alt, table={"steps": steps, **cached}, config=choice.config)
    panels.caption(
        f"**{lines} lines of source are {lines * proved.LINE_WORDS + 1} words; every step adds {proved.FRAME_WORDS}.** What a "
        "trace costs is steps times (names + line), not the length of the program: a loop pays for every turn. Float32; "
        f"{proved.windows_text()}"
    )
    panels.check(*proved.counted_and_measured())
    live.small(f"bytes in the tensors of the live model after {proved.MEASURED_AT} words of a trace")


def cwm(choice: Choice) -> None:
    """CWM's cache against context."""
    key, context = proved.CWM, proved.context()
    live.heading(f"{model_name(key)}: cache against context")
    contexts, r = 2 ** np.arange(6, 18), sliding_window.real_model(key, context)
    whole, released = sliding_window.real_cache_curves(key, contexts)
    kinds.show(window.memory(r.name, contexts, whole, released, AXIS, r.window, context, binary), "cwm", choice.config)
    panels.caption(
        f"**{r.local} of {r.local + r.full} layers keep {r.window:,} tokens at most: {r.share:.1%} of an all-global cache at "
        f"{context:,}.** One sequence, 16 bits a number. The first layer of every four reads everything."
    )


def formula(_: Choice) -> None:
    """The cache of CWM with its numbers put in."""
    f = sliding_window.formula(proved.CWM, proved.context())
    live.formula(
        f"{f.name} at {f.context:,} tokens, 16-bit cache",
        proved.latex(f, live.digits, binary),
        f"**Against {binary(f.whole)} with every layer global: {f.share:.1%}.** {decimal(f.bytes)} in powers of 1000. {{code}}",
        f"{proved.CWM} --context {f.context}",
    )


def others(choice: Choice) -> None:
    """Every model of the catalogue with windows, at that context."""
    rows, context = sliding_window.real_models(proved.context()), proved.context()
    live.heading(f"Models with windows at {context:,} tokens")
    names, chosen = [r.name for r in rows], [r.key for r in rows].index(proved.CWM)
    sizes = column(rows, "whole"), column(rows, "released")
    kinds.show(window.models(context, names, *sizes, binary, chosen), "models", choice.config)
    panels.caption(f"**{model_name(proved.CWM)} is marked.** One sequence, 16 bits a number; models of all sizes.")


# Prove


def by_kind(_: Choice) -> None:
    """Accuracy for every kind of program and length, failures named."""
    live.heading("Each kind of program against its lines: every seed")
    found = proved.by_kind(recipes.TRACE)
    subject, heads = (
        f"Share of right last states of {len(found)} kinds of program against their lines",
        ("model", "lines", "right"),
    )
    drawn = kinds.ByCount(subject, found, proved.KINDS.__getitem__, "lines", "right", KIND_HUES, heads)
    kinds.show(drawn, "kinds", live.again(MECHANISM))
    panels.caption(f"**{proved.kinds_text()}** The model that was trained on all kinds, on its own words.")


def every_kind(_: Choice) -> None:
    """Every kind of program and every model, at the longest length."""
    live.heading(f"Every model on every kind of program, {recipes.LONGEST} lines")
    live.table(*proved.kind_rows())
    panels.caption("Mean of all seeds. Models that were trained on straight lines alone never saw the other kinds.")


def drift(_: Choice) -> None:
    """Own words against the true history, step by step."""
    live.heading("Drift: right steps, every seed")
    found = proved.drift()
    subject, heads = "Share of right steps against the step", ("model", "step", "right")
    kinds.show(kinds.ByCount(subject, found, str, "step", "right", READS, heads), "drift", live.again(MECHANISM))
    panels.caption("**What an error costs later.** A step counts as right where its line and every name are right.")


def straight(_: Choice) -> None:
    """The models that were trained on straight lines, beside those trained on everything."""
    live.heading("Straight lines: every model, every seed")
    found = proved.by_lines("straight", tuple(proved.MODELS))
    subject, heads = f"Share of right last states of {len(found)} models on straight lines", ("model", "lines", "right")
    drawn = kinds.ByCount(subject, found, proved.variant_label, "lines", "right", HUES, heads)
    kinds.show(drawn, "straight", live.again(MECHANISM))
    panels.caption("**Same size, same steps; what differs is what they are asked for and what they were trained on.**")


def training(_: Choice) -> None:
    """What each model was trained on."""
    live.heading("What each was trained on")
    live.table(*proved.budget_rows())
    panels.caption(f"**{proved.budget_text()}**")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's row."""
    r = sliding_window.real_model(proved.CWM, proved.context())
    rows = [(u.entry, u.layers, u.cache) for u in proved.users(binary)]
    live.users(
        ("layers", f"cache at {proved.context():,}"),
        rows,
        f"**{r.name} is the one open model of the catalogue that was trained on traces of programs.** Under it, the models whose "
        f"layers alternate as its do. {lesson.programs_text()}",
    )


def scaling(_: Choice) -> None:
    """How far more training would go."""
    panels.caption(f"**{proved.scaling_text()}** {{source}}", source=live.anchor("Its evaluation guide", proved.GUIDE))


proof = live.proof(MECHANISM, (by_kind, drift), every_kind, (straight, training), printed=proved.FACTS)
live.page(
    ANSWER, CORRECTION, choose, see, live.stacked((ours, cwm), formula, others), live.stacked(proof, scaling),
    live.reading(*PATHS, listed=MECHANISM.papers), users,
)  # fmt: skip
