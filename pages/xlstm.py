"""xLSTM: are LSTMs back?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, xlstm
from app.figures.maps import encode_probability, encode_signed, maps
from core.lessons import recurrent
from core.lessons import xlstm as lesson
from core.lessons.common import model_name
from core.lessons.recall import live_curve, live_smaller
from core.lessons.recurrent import reached
from core.model.registry import question
from core.train import evidence
from core.train.recipes.xlstm import HYBRIDS, MECHANISM
from core.train.recipes.xlstm import KINDS as MADE_OF
from core.train.tasks import recall
from core.units import binary, decimal

QUESTION = question("xlstm")
ANSWER = "In a new form: gates that write into a matrix, and no weights between steps, so that all tokens train at once."
CORRECTION = (
    "Constant memory is not small memory; and xLSTM 7B has no cell of 1997 in it: it is nearer to gated linear attention."
)

EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? ann gus",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "16 pairs": recall.surprise(16, seed=5, asked=4),
    "24 pairs": recall.surprise(24, seed=3, asked=6),
}
PRESETS = {"As trained": {"forget": 0}, "Forgetful": {"forget": -8}}
HELP_FORGET = (
    "Added to the bias of every forget gate of a copy of the trained model. 0: as trained. Negative: gates close, what was "
    "written fades. Positive: gates stay open, nothing fades, whether or not it is still wanted."
)
HELP_CELL = (
    "mLSTM: a matrix for memory, one gate a head, no weights between steps. sLSTM: a number a channel, exponential gates, reads "
    "its own last output. LSTM: the cell of 1997."
)
HELP_KEYS = (
    "Numbers in a key of our mLSTM: the rows of its memory. Each width was trained on its own; the one whose shipped run recalls "
    "the most is shown first."
)
HELP_HEADS = "xLSTM 7B has 8 heads. The same width cut into more heads makes smaller matrices: less memory in all."
FORGET = controls.Slider("forget", "Forget bias", lesson.SHIFTS, lesson.AS_TRAINED, "state", HELP_FORGET)
CELL = controls.Choice("cell", "Cell", lesson.CELLS, "mLSTM", "state", HELP_CELL)
KEYS = controls.Choice("keys", "Keys of the mLSTM", lesson.KEYS, lesson.best_keys(), "state", HELP_KEYS)
HEADS = controls.Choice("heads", "Heads of xLSTM 7B", lesson.HEADS, 8, "state", HELP_HEADS)
PROMPT = live.names_and_things(EXAMPLES)
GATE_CAPTION = {
    "mLSTM": "One number a head; the output gate, which has one a channel, as the mean over its head",
    "sLSTM": "A row a channel",
    "LSTM": "A row a channel",
}
HUES = {"mLSTM": "state", "sLSTM": "soft", "LSTM": "soft", "attention": "kv"}  # ink: what also attends
CONTEXTS = (256, 4096)  # of the model that keeps a cache, beside the memory that does not grow
READ = "core/model/mixers/xlstm.py"


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    shift: float
    cell: str
    keys: int
    heads: int
    text: str


def choose() -> Choice:
    """The controls: forget bias and cell with presets; keys, heads and prompt folded."""
    with controls.row():
        shift, cell = FORGET.draw(), CELL.draw()
        controls.presets("bias", PRESETS, "state")
        with controls.more(f"{KEYS.peek()} keys · {HEADS.peek()} heads · {PROMPT.example()}"):
            with controls.row("further"):
                keys, heads = KEYS.draw(), HEADS.draw()
                controls.choice("layer", "Layer", (1, 2), 2)
            prompt = PROMPT.draw()
    return Choice(shift, cell, keys, heads, prompt)


def signed(shift: float) -> str:
    """A shift as it is said."""
    return "as trained" if shift == lesson.AS_TRAINED else f"{shift:+d}"


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, EXAMPLES["8 pairs"])
    variant, at = lesson.variant(choice.cell, choice.keys), state.values()["layer"] - 1
    watched = lesson.watch(variant, choice.shift, prompt)
    layer, config = watched.layers[at], live.about(variant, prompt=choice.text, forget_bias=choice.shift, layer=at + 1)
    left, right = panels.beside()
    with left:
        chosen = memory(choice.cell, variant, at, watched, config)
        panels.caption(
            memory_said(choice.cell, choice.shift, at, watched, chosen["step"]), memory=panels.term("memory", HELP_CELL)
        )
        gates(choice.cell, variant, watched, layer, config)
        panels.caption(
            f"**Gates of {choice.cell}, forget bias {signed(choice.shift)}.** {GATE_CAPTION[choice.cell]}. "
            "{forget}: 1 keeps all, 0 forgets all. {input}: how much of a token is written. Output gate: how much of what is "
            "read comes out.",
            forget=panels.term("Forget gate", "What stays of the memory when a token comes in, before that token is written."),
            input=panels.term("Input gate", input_said(choice.cell)),
        )
        live.answers([(a, None) for a in watched.scene.answers])
    with right:
        side(choice.shift, choice.keys, choice.heads, prompt, watched, layer, chosen["step"], config)


def memory(cell: str, variant: str, at: int, watched: recurrent.Watched, config: dict) -> dict:
    """What a layer's memory holds after each token, stepping."""
    scene, layer, n = watched.scene, watched.layers[at], len(watched.words)
    last, start = scene.answers[-1], {"step": n}
    names, rows, cols = lesson.labels(variant)
    chosen = maps(
        encode_signed(layer.memory, layer.limit, np.isfinite(layer.memory)),
        key="memory",
        title=QUESTION,
        alt=f"Memory of {cell}, layer {at + 1}, after each of {n} tokens: {' and '.join(names)}",
        scale="signed",
        limit=layer.limit,
        tokens=watched.words,
        rows=rows,
        cols=cols,
        labels=names,
        columns=2,
        hue="state",
        verb="at",
        **live.pointed(last),
        selected=state.selection(start),
        aspect=2.1,
        config=config,
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    return chosen


def memory_said(cell: str, shift: float, at: int, watched: recurrent.Watched, step: int) -> str:
    """What the picture of the memory shows now."""
    lead = (
        f"**{cell}, layer {at + 1}, forget bias {signed(shift)}, after {step} of {len(watched.words)} tokens.** The {{memory}} "
    )
    if cell == "mLSTM":
        return lead + "adds key times value of every token, weighed by its gates; the last column, the normaliser, adds keys."
    second = "the normaliser that it is divided by" if cell == "sLSTM" else "the output, which the next step reads"
    return lead + f"is a number a channel, beside it {second}. The order of channels means nothing."


def input_said(cell: str) -> str:
    """What the input gate says."""
    if cell == "LSTM":
        return "How much of the token is written, from 0 to 1."
    return (
        "How much of the token is written, as a share of the largest that is still kept: exponential gates can outweigh all "
        "before, and only their ratios matter, for the output is divided by what all writes add up to."
    )


def gates(cell: str, variant: str, watched: recurrent.Watched, layer: lesson.Layer, config: dict) -> None:
    """Forget, input and output gate over the tokens."""
    names = ["gate f: forget", "gate i: input", "gate o: output"]
    maps(
        encode_probability(np.stack([layer.forget, layer.write, layer.output])),
        key="gates",
        title=f"Gates of {cell}",
        alt=f"Forget, input and output gates of {cell} over {len(watched.words)} tokens",
        cols=list(watched.words),
        rows=lesson.gate_rows(variant),
        labels=names,
        columns=3,
        hue="state",
        verb="at",
        stepping=False,
        aspect=1.5,
        config=config,
        stage=state.stage(),
        report=False,
    )


def side(shift, keys, heads, prompt, watched, layer, step: int, config: dict) -> None:
    """What is left of each word, the three cells, the memory of the real model."""
    colours, stroke = theme.colours(), theme.stroke()
    with panels.card(f"Left of every word after token {step}", "left"):
        rows = layer.left[:, step - 1, :step]
        names = [f"head {h + 1}" for h in range(len(rows))]
        table = {"word": watched.words[:step], **dict(zip(names, rows))}
        alt = f"Share of what each of {step} tokens wrote that the forget gates have left: the product of all later ones"
        frame.figure(
            xlstm.left(watched.words[:step], rows, names, colours, stroke), key="left", alt=alt, table=table, config=config
        )
        if len(layer.size):
            live.small(divisor_said(layer, step))
    with panels.card("Three cells, the same words", "cells"):
        rows = [(s.cell, *answer_of(s), f"{s.kept:,}") for s in lesson.side_by_side(shift, keys, prompt)]
        live.table(("cell", f"“{watched.scene.answers[-1].name}”", "right", "kept"), rows, narrow=True)
        live.small(f"two layers each, forget bias {signed(shift)}; kept: numbers of memory")
    m = lesson.memory(heads)
    with panels.card(f"xLSTM 7B, {m.heads} heads, float32", "real"):
        key = "llama3-8b"
        few, many = (recurrent.cached(key, n) for n in CONTEXTS)
        bars = [
            panels.Bar(f"{model_name(key)}, {CONTEXTS[0]:,} tokens", few / many, binary(few), "kv"),
            panels.Bar("xLSTM 7B, any number", m.bytes / many, binary(m.bytes), "state", changed=True),
            panels.Bar(f"{model_name(key)}, {CONTEXTS[1]:,} tokens", 1.0, binary(many), "kv"),
        ]
        panels.bars(bars, "A cache that grows against a memory that does not")
        at = reached(key, m.bytes)
        live.small(f"as large at {at:,} tokens; for 100 sequences at once {decimal(m.batch(100))}")


def answer_of(said: lesson.Said) -> tuple[live.Link, str]:
    """A cell's last answer with its mark, and how many were right."""
    mark = '<b class="yes">✓</b>' if said.last.said == said.last.truth else '<b class="no">✗</b>'
    return live.Link(f'<span class="cw-said">{mark}&nbsp;<code>{said.last.said}</code></span>'), f"{said.right}/{said.asked}"


def divisor_said(layer: lesson.Layer, step: int) -> str:
    """What the output of each head is divided by at a token."""
    pairs = zip(layer.size[:, step - 1], layer.floor[:, step - 1])
    said = (
        f"head {h + 1} by {max(size, floor):.2g}{'' if size >= floor else ', the floor'}" for h, (size, floor) in enumerate(pairs)
    )
    return f"What is read is divided by |query · normaliser|, or by a floor if that is larger. Here: {'; '.join(said)}."


# Count


def count(choice: Choice) -> None:
    """Memory against tokens, ours and the real model; the formula; where caches catch up."""
    variant = lesson.variant(choice.cell, choice.keys)
    key = controls.pick("real", "Cache of", recurrent.growing(), "llama3-8b", model_name)
    config = live.about(variant, keys=choice.keys, heads=choice.heads, real_model=model_name(key))
    left, right = st.columns(2, gap="large")
    with left:
        ours(choice.cell, choice.keys, variant, config)
    with right:
        real(key, choice.heads, config)
    formula(choice.heads)
    cut()
    catching_up(key, choice.heads, config)


def ours(cell: str, keys: int, variant: str, config: dict) -> None:
    """Our models: what is kept against tokens."""
    live.heading("Our models: bytes kept against tokens")
    lengths, points, kept = np.arange(1, 129), np.array(recurrent.LENGTHS), recurrent.measured_state(variant)
    cells = {"attention": recurrent.ATTENTION} | {cell: lesson.variant(cell, keys) for cell in lesson.CELLS}
    lines = {name: live_curve(v, lengths) for name, v in cells.items()}
    kinds.show(xlstm.growth(lengths, lines, cell, points, kept), "growth", config)
    panels.caption(
        f"**{cell}: the same after every token; attention of the same width keeps more from token "
        f"{live_smaller(variant, recurrent.ATTENTION)} on.** Memory and convolution columns, two layers, float32. Rings are "
        "bytes in the tensors of the live model."
    )
    panels.check(int(lines[cell][points[-1] - 1]), int(kept[-1]))


def real(key: str, heads: int, config: dict) -> None:
    """A real cache passing a real memory."""
    live.heading(f"xLSTM 7B against {model_name(key)}")
    contexts, size = 2 ** np.arange(4, 18), lesson.memory(heads).bytes
    at, (cache, memory) = reached(key, size), recurrent.crossing(key, size, contexts)
    names = model_name(key), f"xLSTM 7B, {heads} heads"
    kinds.show(xlstm.crossing(contexts, cache, memory, at, names, binary), "crossing", config)
    panels.caption(
        f"**Below {at:,} tokens the memory that does not grow is the larger one.** One sequence: memory in float32, as the paper "
        "counts it; cache in 16 bits. Both axes are logarithmic."
    )


def formula(heads: int) -> None:
    """The memory of xLSTM 7B with the numbers put in."""
    m = lesson.memory(heads)
    live.heading(f"xLSTM 7B with {m.heads} heads, one sequence, any length")
    st.latex(
        r"\begin{aligned} & \underbrace{%d}_{\text{blocks}} \cdot \underbrace{%d}_{\text{heads}} \cdot "
        r"\underbrace{%d}_{\text{key}} \cdot \underbrace{%d}_{\text{value}} \cdot "
        r"\underbrace{4\,\text{B}}_{\text{float32}} \\ & = \text{%s} \end{aligned}"
        % (m.blocks, m.heads, m.k_dim, m.v_dim, decimal(m.matrices))
    )
    panels.caption(
        f"**With normaliser and maximum {m.bytes:,} B.** As much as {m.tokens:.0f} tokens of keys and values of a multi-head "
        f"transformer of the same depth and width in float32. 100 sequences at once: {decimal(m.batch(100))}. {{code}}",
        code=f"<code>python -m core inspect {lesson.XLSTM} --state-dtype float32</code>",
    )


def cut() -> None:
    """The same width in other numbers of heads."""
    live.heading("The same width cut into other heads")
    rows = [
        (m.heads, f"{m.k_dim} × {m.v_dim}", decimal(m.matrices), f"{m.tokens:.0f}", f"{reached('llama3-8b', m.bytes):,}")
        for m in map(lesson.memory, lesson.HEADS)
    ]
    live.table(
        ("heads", "matrix of one", "matrices", "tokens of multi-head, float32", f"tokens of {model_name('llama3-8b')}, 16-bit"),
        rows,
        narrow=True,
    )


def catching_up(key: str, heads: int, config: dict) -> None:
    """After how many tokens every real cache has caught up."""
    live.heading(f"When real caches have grown to the memory of xLSTM 7B, {heads} heads")
    rows = recurrent.caught_up(lesson.memory(heads).bytes)
    names, values = [model_name(k) for k, _ in rows], np.array([n for _, n in rows])
    kinds.show(
        xlstm.tokens(f"the memory of xLSTM 7B, {heads} heads", names, values, [k for k, _ in rows].index(key)), "models", config
    )
    panels.caption(
        "**One sequence, cache in 16 bits, memory in float32.** Log scale. Models with a recurrent state are left out."
    )


# Prove


def prove(_: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    report = evidence.report("xlstm")
    live.verdicts(report, MECHANISM.spelling.number)
    if report["rows"]:
        runs({"command": report["command"]}, {v: hue(v) for v in lesson.RUNS.variants})
    else:
        panels.caption("**No runs yet.** The command above makes them.")
    live.published("xlstm")


def hue(variant: str) -> str:
    """The palette key of a variant: ink where layers of attention stand among it."""
    return "ink" if variant in HYBRIDS else HUES[MADE_OF.get(variant, "attention")]


def runs(config: dict, hues: dict) -> None:
    """Our runs: recall against pairs, and against the size of the memory."""
    left, right = st.columns(2, gap="large")
    ours = lesson.RUNS
    label, most = ours.label, max(ours.counts)
    with left:
        live.heading("Recall against pairs to remember: every seed")
        subject = f"Recall of {len(ours.variants)} models against the number of pairs"
        heads = "variant", "pairs", "seed", "recall"
        kinds.show(kinds.ByCount(subject, ours.recalled(), label, "pairs", "recall", hues, heads, written=str), "recall", config)
        steps = "; ".join(f"{n} steps: {', '.join(names)}" for n, names in ours.steps.items())
        panels.caption(f"**Marks are seeds, lines join their means.** {steps}.")
    with right:
        live.heading(f"Recall of {most} pairs against numbers of memory")
        kinds.show(xlstm.by_size(lesson.by_size(), label, hues, most), "size", config)
        panels.caption("**Purely recurrent models alone.** The hybrids also keep a cache, which grows.")


# Read


def read(_: Choice) -> None:
    """The glossary, the source that ran, papers."""
    live.reading(READ, listed=MECHANISM.papers)


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows: the one LSTM, and what else keeps a state that does not grow."""
    live.users(
        ("keeps a state by", "state layers", "state, float32"),
        [(u.entry, u.mixer, f"{u.layers} of {u.depth}", binary(u.bytes)) for u in recurrent.keepers("mLSTM")],
    )
    panels.caption(
        "**Of these only xLSTM 7B is an LSTM, and it has mLSTM alone.** The others keep a state that does not grow by other "
        "means. Counted from the config as released, one sequence."
    )


live.page(QUESTION, ANSWER, CORRECTION, choose, see, count, prove, read, users)
