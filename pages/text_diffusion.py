"""Text diffusion: what if all words appear at once?"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import streamlit as st

from app import controls, live, panels, theme
from app.figures import frame, kinds
from app.figures import text_diffusion as figures
from app.figures.maps import Passes, encode_probability
from core.count.hardware import accelerators
from core.lessons.common import model_name
from core.lessons.text_diffusion import cost, lesson, pairs
from core.train.recipes.text_diffusion import MECHANISM
from core.train.tasks import sentences
from core.units import count as short

ANSWER = "They can, but words drawn in one pass do not know of each other: those that depend on one another must come in turn."
CORRECTION = (
    "Fewer passes are not less arithmetic: each runs over the whole text. Nor does LLaDA's sampler mend a word that stands."
)

PRESETS = {
    "All at once": {"steps": 1, "order": lesson.SURE, "block": "whole text"},
    "A word a pass": {"steps": 24, "order": lesson.SURE, "block": "whole text"},
    "Left to right": {"steps": 24, "order": lesson.SURE, "block": "1, left to right"},
}
HELP_STEPS = (
    "How often the network runs. Each pass draws a word for every gap and keeps some; the others are masked again. More passes "
    "than gaps make a difference only where words are taken back."
)
HELP_ORDER = (
    "Which of the words drawn stay: those that the network is surest of (the default of LLaDA), any of them (the theory), or "
    "any, and before each pass the least sure fifth of what stands is masked again (in the manner of ReMDM; LLaDA does not)."
)
HELP_BLOCK = "The text is filled block by block from the left; blocks of one word are the order of ordinary language models."
HELP_HEAT = "0 takes the likeliest word at every place; 1 draws as the network says."
PASSES = controls.Slider("steps", "Passes", lesson.STEPS, 8, help=HELP_STEPS)
ORDER = controls.Choice("order", "What stays", tuple(lesson.REMASKING), next(iter(lesson.REMASKING)), help=HELP_ORDER)
BLOCK = controls.Choice("block", "Block", tuple(lesson.BLOCKS), next(iter(lesson.BLOCKS)), help=HELP_BLOCK)
HEAT = controls.Choice("temperature", "Temperature", lesson.TEMPERATURES, 1.0, help=HELP_HEAT)
DRAW = controls.Slider("seed", "Draw", tuple(range(24)), 0)
PROMPT = controls.Prompt("prompt", "Text: _ is a gap", lesson.EXAMPLES, lesson.surprise, sentences.MAX_CHARACTERS)
REAL = controls.Pick("real", "The real model", cost.denoisers(), cost.REAL, name=model_name)
REAL_PASSES = controls.Slider("passes", f"Its passes for {cost.ANSWER:,} words", cost.REAL_STEPS, 64)
PAIRS = {name: pairs.pair(text) for name, text in pairs.PAIRS.items()}
PAIR = controls.Choice("pair", "The two gaps", tuple(PAIRS), next(iter(PAIRS)))
PATH = "core/model/decoding/diffusion.py"
FAITH = (
    "Grammatical: every word is of a class that may stand there, and every verb has the number of its subject. Right: also one "
    "tense, one person and one trade all through. A checker that knows the grammar decides."
)


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    how: lesson.Sampler
    seed: int
    text: str


def choose() -> Choice:
    """The controls: passes and which words stay, with presets; block, temperature, draw and text folded."""
    with controls.row():
        steps, order = PASSES.draw(), ORDER.draw()
        controls.presets("sampler", PRESETS)
        with controls.more(f"{PROMPT.example()} · {BLOCK.peek()}"):
            prompt, block, heat, seed = PROMPT.draw(), BLOCK.draw(), HEAT.draw(), DRAW.draw()
    return Choice(lesson.sampler(steps, order, block, heat), seed, prompt)


# See


def see(choice: Choice) -> None:
    """The text, pass by pass."""
    canvas = live.parsed(choice.text, PROMPT.default, sentences.TASK).words
    made = lesson.watch(canvas, choice.how, choice.seed)
    config = live.about(lesson.MODEL, text=choice.text, seed=choice.seed, **lesson.settings(choice.how))
    left, right = panels.beside()
    with left:
        passes(made, config)
        panels.caption(
            f"**{lesson.sampler_text(choice.how)}, {made.passes} {'pass' if made.passes == 1 else 'passes'}, draw {choice.seed}: "
            f"{lesson.judged(made.text, made.faults)}.** Rows are passes, columns places. The darker, the surer of the word that "
            "it drew there; a {ring} is a word that stays, blank what stands already.",
            ring=panels.term("ring", "Committed in this pass. A dashed ring: it stood and was masked again before this pass."),
        )
        if made.wrong:
            st.button("Make gaps of what is wrong", key="cw-mend", on_click=mend, args=(lesson.without_wrong(made),))
        twin = lesson.twin(choice.seed)
        panels.caption(
            f"**Its twin, left to right, with nothing given: {lesson.judged(twin.text, twin.faults)}.** {{words}}",
            words=f"<code>{' '.join(twin.text)}</code>",
        )
    with right:
        side(made, config)
    together(config)


def mend(text: str) -> None:
    """Put a text with new gaps into the box."""
    st.session_state["prompt"] = text


def passes(made: lesson.Denoised, config: dict) -> None:
    """The grid of passes and places; the words at each pass above it."""
    committed, masked = (list(map(tuple, np.argwhere(cells))) for cells in (made.kept, made.taken))
    live.picture(
        encode_probability(made.p, made.open)[None],
        {"step": made.passes},
        key="grid",
        alt=f"Confidence at {len(made.text)} places in each of {made.passes} passes; rings are words that stay",
        tokens=made.text,
        rows=[f"pass {i + 1}" for i in range(made.passes)],
        cols=[f"place {i + 1}" for i in range(len(made.text))],
        labels=["passes down, places across"],
        columns=1,
        aspect=float(np.clip(len(made.text) / made.passes, 1.5, 10)),
        passes=Passes(made.words, made.drawn, committed, masked, made.wrong),
        config=config,
    )


def side(made: lesson.Denoised, config: dict) -> None:
    """When each word was committed; what it costs."""
    with panels.card("When each word was committed", "order"):
        fig = figures.order(made.order, made.text, theme.colours(), theme.stroke())
        alt = f"The pass that committed each of {len(made.text)} places, beside the stairs of reading from left to right"
        table = {"place": np.arange(1, len(made.text) + 1), "word": made.text, "pass": made.order}
        frame.figure(fig, key="committed", alt=alt, table=table, config=config)
        live.small(f"up to {made.together} words in one pass, each drawn without knowing of the others")
    ours, twin = cost.denoising(made.passes), cost.word_by_word()
    with panels.card("One text of 24 words", "cost"):
        for what, a, b in (("passes", ours.passes, twin.passes), ("FLOPs", ours.flops, twin.flops)):
            rows = [panels.Bar(f"diffusion, {what}", a, "query", True), panels.Bar(f"left to right, {what}", b, "shared")]
            panels.bars(rows, f"{what}: diffusion against left to right with a cache", short)
        panels.check(cost.a_pass(), cost.measured_pass())
        live.small("FLOPs of one pass; the twin's passes are over one word each, the rest is in its cache")


def together(config: dict) -> None:
    """Two words that depend on each other, at once and one after the other."""
    live.heading("Two words at once")
    which, names = PAIR.draw(), ("in one pass", "one after the other")
    found = pairs.joint(PAIRS[which])
    fig = figures.together(*found.groups, found.apart, found.after, names, theme.colours(), theme.stroke())
    alt = f"Probabilities of the words in two gaps, {which}: drawn in one pass, and one after the other"
    words, shares = zip(*product(*found.groups)), (found.apart.ravel(), found.after.ravel())
    table = dict(zip(("first", "second", *names), (*words, *shares)))
    frame.figure(fig, key="together", alt=alt, table=table, config=config | {"gaps": which})
    example = f" “{found.example}” is the likeliest of the wrong ones." if found.example else ""
    panels.caption(
        f"**Wrong in one pass: {found.apart_wrong:.1%}; one after the other: {found.after_wrong:.1%}.**{example} {{gaps}} Worked "
        "out from what the network gives, not sampled. In one pass the probabilities multiply: each gap is filled as if the "
        "other stayed open. That is right for words that do not depend on each other, and wrong for those that do.",
        gaps=f"<code>{sentences.as_typed(PAIRS[which])}</code>",
    )


# Count


def counted(_: Choice) -> None:
    """The real model that is counted, and its passes."""
    with controls.row("real"):
        REAL.draw()
        REAL_PASSES.draw()


def config() -> dict:
    """What goes into an exported figure of counts."""
    return live.about(lesson.MODEL, real_model=model_name(REAL.peek()), passes=REAL_PASSES.peek())


def ours(choice: Choice) -> None:
    """Our models: FLOPs of a text against passes."""
    live.heading("Our models: FLOPs of one text against passes")
    steps, level, now = np.array(lesson.STEPS), cost.word_by_word(), cost.denoising(choice.how.steps)
    flops, measured, here = steps * cost.a_pass(), steps * cost.measured_pass(), (now.passes, now.flops)
    names = "diffusion", "left to right, with a cache"
    fig = figures.work(steps, flops, level.flops, here, measured, names, theme.colours(), theme.stroke())
    alt = f"FLOPs of one text grow with passes; left to right with a cache takes {short(level.flops)} at any"
    frame.figure(fig, key="work", alt=alt, table={"passes": steps, "FLOPs": flops}, config=config())
    panels.caption(
        f"**{now.passes} passes take {now.flops / level.flops:.1f} times the arithmetic of {level.passes} passes with a cache.** "
        "A pass of a denoiser is over all places, since every word reads every other and new ones have come; one of its twin is "
        "over one word, the others are in its cache. Rings are measured."
    )
    panels.check(cost.a_pass(), cost.measured_pass())


def theirs(_: Choice) -> None:
    """A real denoiser: FLOPs of an answer against passes."""
    key, n = REAL.peek(), REAL_PASSES.peek()
    name, names = model_name(key), (model_name(key), "the same layers, with a cache")
    live.heading(f"{name}: FLOPs of an answer against passes")
    steps, one, level = np.array(cost.REAL_STEPS), cost.real_pass(key), cost.real_cached(key)
    flops = steps * float(one)
    fig = figures.work(steps, flops, level, (n, n * one), None, names, theme.colours(), theme.stroke())
    alt = f"FLOPs of {name} for {cost.ANSWER} words after {cost.GIVEN} grow with passes; with a cache they would not"
    frame.figure(fig, key="models", alt=alt, table={"passes": steps, "FLOPs": flops}, config=config())
    panels.caption(
        f"**{n} passes: {n * one / level:.0f} times the FLOPs, {cost.ANSWER / n:.3g} times fewer passes.** {cost.GIVEN:,} words "
        f"given, {cost.ANSWER:,} made. The level: the same layers reading from left to right, which needs {cost.ANSWER:,} passes "
        "of one word each. Approximate caches exist; none is counted here."
    )


def formula(_: Choice) -> None:
    """FLOPs of an answer with the numbers put in."""
    key, n = REAL.peek(), REAL_PASSES.peek()
    one, whole = cost.real_pass(key), cost.GIVEN + cost.ANSWER
    live.formula(
        f"{model_name(key)}: {n} passes",
        r"\underbrace{%d}_{\text{passes}} \cdot \underbrace{%s}_{\text{one pass over } %s \text{ words}} = %s \ \text{FLOPs}"
        % (n, cost.power(one), live.digits(whole), cost.power(n * one)),
        "**Counted, not estimated:** {code}",
        f"{key} --context {whole}",
    )


def waiting(_: Choice) -> None:
    """Seconds an answer takes at best, against how many are made at once."""
    live.heading("Why it can be fast all the same, and when not")
    n, name = REAL_PASSES.peek(), model_name(REAL.peek())
    w = cost.wait(REAL.peek(), n)
    names = f"<b>{n} passes</b>", "&nbsp;&nbsp;a word a pass, with a cache"
    subject, columns = f"Seconds for answers of {name}", (f"{n} passes, s", "with a cache, s")
    kinds.show(figures.waits(subject, w.batches, w.denoiser, w.cached, w.turn, names, columns), "wait", config())
    turn = f"from {w.turn:,} texts at once on the cache is faster" if w.turn else "it stays faster at every number shown"
    panels.caption(
        f"**One text: {w.denoiser[0]:.2g} s against {w.cached[0]:.2g} s; {turn}.** The best that an "
        f"{accelerators()[cost.CHIP].name} allows, in 16 bits, where a pass takes as long as reading weights and cache, or as "
        f"its arithmetic. One word with a cache: {w.word_reads:.1f} ms of reading, {w.word_works:.2f} ms of arithmetic, so with "
        f"few texts most of the device waits. One pass over {cost.GIVEN + cost.ANSWER:,} words: {w.pass_reads:.1f} and "
        f"{w.pass_works:.1f} ms. Many texts share one reading of the weights, but not the arithmetic."
    )


# Prove


def right_ones(_: Choice) -> None:
    """Share of texts that are right against passes."""
    live.heading("Texts that are right, against passes")
    subject = "Share of right texts against passes for three ways to choose what stays, and the twin"
    drawn = figures.quality(subject, lesson.by_steps("valid"), "share that is right", "right")
    kinds.show(drawn, "valid", live.again(MECHANISM))
    panels.caption(
        f"**Marks are seeds, lines join means, bars are standard deviations.** {lesson.SAMPLED} texts a mark, temperature 1, "
        "drawn with the same random numbers in every run: bars say how trainings differ, not how draws do. "
        "{faith} " + lesson.trained_text(),
        faith=panels.term("What right and grammatical mean.", FAITH),
    )


def distinct(_: Choice) -> None:
    """Distinct sentences against passes."""
    live.heading("Distinct sentences, against passes")
    found, level = lesson.by_steps("distinct"), lesson.own()["distinct"]
    subject = f"Number of distinct sentences against passes; the grammar's own texts have {level:.0f}"
    title, what = f"of {lesson.SAMPLED * 3} sentences", "distinct sentences"
    kinds.show(figures.quality(subject, found, title, what, ((level, "grammar"),)), "distinct", live.again(MECHANISM))
    panels.caption(
        f"**{lesson.narrowed_text()}** The same seeds and texts. Where few texts are right, many different sentences are no "
        "merit: nonsense is varied."
    )


def costs(_: Choice) -> None:
    """Every way to make a text: passes, FLOPs, what comes of it."""
    live.heading("What each way costs, and what comes of it")
    columns = ("what stays", "passes", "FLOPs", "grammatical", "right", "distinct sentences")
    live.table(columns, lesson.cost_rows())
    panels.caption("**Means over the seeds ± standard deviation.** FLOPs of one text, counted. " + lesson.nats_text())


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's denoisers."""
    live.users(
        ("parameters", "query : KV heads", "a cache would keep, a word"),
        [(u.entry, short(u.parameters), u.heads, f"{u.cached:,} B") for u in cost.users()],
        "**They read in both directions and keep no cache in their released code.** Parameters counted from the config as "
        "released; what a cache would keep, in 16 bits, is counted on the same layers reading backwards only.",
    )


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(counted, (ours, theirs), formula, waiting),
    live.proof(MECHANISM, (right_ones, distinct), costs), live.reading(PATH, listed=MECHANISM.papers), users,
)  # fmt: skip
