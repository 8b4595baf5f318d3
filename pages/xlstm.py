"""xLSTM: are LSTMs back?"""

from dataclasses import dataclass

import numpy as np

from app import controls, live, panels, theme
from app.figures import frame, kinds, xlstm
from app.figures.maps import encode_probability, encode_signed
from core.lessons import recurrent
from core.lessons import xlstm as lesson
from core.lessons.common import model_name
from core.lessons.recall import live_curve, live_smaller
from core.lessons.recurrent import reached
from core.train.recipes.xlstm import HYBRIDS, MECHANISM
from core.train.recipes.xlstm import KINDS as MADE_OF
from core.train.tasks import recall
from core.units import binary, decimal

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
LAYER = controls.Choice("layer", "Layer", (1, 2), 2)
REAL = controls.Pick("real", "Cache of", recurrent.growing(), "llama3-8b", name=model_name)
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

    shift: int
    cell: str
    keys: int
    heads: int
    at: int  # the layer, from 0
    text: str

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return lesson.variant(self.cell, self.keys)

    @property
    def shown(self) -> dict:
        """What goes into an exported picture."""
        return live.about(self.variant, prompt=self.text, forget_bias=self.shift, layer=self.at + 1)

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.variant, keys=self.keys, heads=self.heads, real_model=model_name(REAL.peek()))

    @property
    def bias(self) -> str:
        """The shift of the forget bias as it is said."""
        return "as trained" if self.shift == lesson.AS_TRAINED else f"{self.shift:+d}"


def choose() -> Choice:
    """The controls: forget bias and cell with presets; keys, heads and prompt folded."""
    with controls.row():
        shift, cell = FORGET.draw(), CELL.draw()
        controls.presets("bias", PRESETS, "state")
        with controls.more(f"{KEYS.peek()} keys · {HEADS.peek()} heads · {PROMPT.example()}"):
            with controls.row("further"):
                keys, heads, layer = KEYS.draw(), HEADS.draw(), LAYER.draw()
            prompt = PROMPT.draw()
    return Choice(shift, cell, keys, heads, layer - 1, prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    watched = lesson.watch(choice.variant, choice.shift, prompt)
    layer = watched.layers[choice.at]
    left, right = panels.beside()
    with left:
        step = memory(choice, watched)["step"]
        panels.caption(memory_text(choice, watched, step), memory=panels.term("memory", HELP_CELL))
        gates(choice, watched, layer)
        panels.caption(
            f"**Gates of {choice.cell}, forget bias {choice.bias}.** {GATE_CAPTION[choice.cell]}. "
            "{forget}: 1 keeps all, 0 forgets all. {input}: how much of a token is written. Output gate: how much of what is "
            "read comes out.",
            forget=panels.term("Forget gate", "What stays of the memory when a token comes in, before that token is written."),
            input=panels.term("Input gate", input_text(choice.cell)),
        )
        live.answers([(a, None) for a in watched.scene.answers])
    with right:
        side(choice, prompt, watched, step)


def memory(choice: Choice, watched: recurrent.Watched) -> dict:
    """What a layer's memory holds after each token, stepping."""
    layer, n, (names, rows, cols) = watched.layers[choice.at], len(watched.words), lesson.labels(choice.variant)
    return live.picture(
        encode_signed(layer.memory, layer.limit, np.isfinite(layer.memory)),
        {"step": n},
        watched.scene.answers[-1],
        key="memory",
        alt=f"Memory of {choice.cell}, layer {choice.at + 1}, after each of {n} tokens: {' and '.join(names)}",
        scale="signed",
        limit=layer.limit,
        tokens=watched.words,
        rows=rows,
        cols=cols,
        labels=names,
        columns=2,
        hue="state",
        verb="at",
        aspect=2.1,
        config=choice.shown,
    )


def memory_text(choice: Choice, watched: recurrent.Watched, step: int) -> str:
    """What the picture of the memory shows now."""
    cell, where = choice.cell, f"layer {choice.at + 1}, forget bias {choice.bias}, after {step} of {len(watched.words)} tokens"
    lead = f"**{cell}, {where}.** The {{memory}} "
    if cell == "mLSTM":
        return lead + "adds key times value of every token, weighed by its gates; the last column, the normaliser, adds keys."
    second = "the normaliser that it is divided by" if cell == "sLSTM" else "the output, which the next step reads"
    return lead + f"is a number a channel, beside it {second}. The order of channels means nothing."


def input_text(cell: str) -> str:
    """What the input gate says."""
    if cell == "LSTM":
        return "How much of the token is written, from 0 to 1."
    return (
        "How much of the token is written, as a share of the largest that is still kept: exponential gates can outweigh all "
        "before, and only their ratios matter, for the output is divided by what all writes add up to."
    )


def gates(choice: Choice, watched: recurrent.Watched, layer: lesson.Layer) -> None:
    """Forget, input and output gate over the tokens."""
    names = ["gate f: forget", "gate i: input", "gate o: output"]
    live.second_picture(
        encode_probability(np.stack([layer.forget, layer.write, layer.output])),
        key="gates",
        title=f"Gates of {choice.cell}",
        alt=f"Forget, input and output gates of {choice.cell} over {len(watched.words)} tokens",
        cols=list(watched.words),
        rows=lesson.gate_rows(choice.variant),
        labels=names,
        columns=3,
        hue="state",
        verb="at",
        stepping=False,
        aspect=1.5,
        config=choice.shown,
    )


def side(choice: Choice, prompt: recall.Prompt, watched: recurrent.Watched, step: int) -> None:
    """What is left of each word, the three cells, the memory of the real model."""
    layer, words = watched.layers[choice.at], watched.words[:step]
    with panels.card(f"Left of every word after token {step}", "left"):
        rows = layer.left[:, step - 1, :step]
        names = [f"head {h + 1}" for h in range(len(rows))]
        alt = f"Share of what each of {step} tokens wrote that the forget gates have left: the product of all later ones"
        fig = xlstm.left(words, rows, names, theme.colours(), theme.stroke())
        frame.figure(fig, key="left", alt=alt, table={"word": words, **dict(zip(names, rows))}, config=choice.shown)
        if len(layer.size):
            live.small(divisor_text(layer, step))
    with panels.card("Three cells, the same words", "cells"):
        cells = [(s.cell, *answer_of(s), f"{s.kept:,}") for s in lesson.side_by_side(choice.shift, choice.keys, prompt)]
        live.table(("cell", f"“{watched.scene.answers[-1].name}”", "right", "kept"), cells, narrow=True)
        live.small(f"two layers each, forget bias {choice.bias}; kept: numbers of memory")
    m, key = lesson.memory(choice.heads), REAL.default
    with panels.card(f"xLSTM 7B, {m.heads} heads, float32", "real"):
        few, many = (panels.Bar(f"{model_name(key)}, {n:,} tokens", recurrent.cached(key, n), "kv") for n in CONTEXTS)
        bars = [few, panels.Bar("xLSTM 7B, any number", m.bytes, "state", True), many]
        panels.bars(bars, "A cache that grows against a memory that does not", binary, of=many.value)
        at = reached(key, m.bytes)
        live.small(f"as large at {at:,} tokens; for 100 sequences at once {decimal(m.batch(100))}")


def answer_of(cell: lesson.Said) -> tuple[live.Link, str]:
    """A cell's last answer with its mark, and how many were right."""
    mark = '<b class="yes">✓</b>' if cell.last.said == cell.last.truth else '<b class="no">✗</b>'
    return live.Link(f'<span class="cw-said">{mark}&nbsp;<code>{cell.last.said}</code></span>'), f"{cell.right}/{cell.asked}"


def divisor_text(layer: lesson.Layer, step: int) -> str:
    """What the output of each head is divided by at a token."""
    pairs = zip(layer.size[:, step - 1], layer.floor[:, step - 1])
    heads = (
        f"head {h + 1} by {max(size, floor):.2g}{'' if size >= floor else ', the floor'}" for h, (size, floor) in enumerate(pairs)
    )
    return f"What is read is divided by |query · normaliser|, or by a floor if that is larger. Here: {'; '.join(heads)}."


# Count


def ours(choice: Choice) -> None:
    """Our models: what is kept against tokens."""
    lengths, points, cell = np.arange(1, 129), np.array(recurrent.LENGTHS), choice.cell
    cells = {"attention": recurrent.ATTENTION} | {name: lesson.variant(name, choice.keys) for name in lesson.CELLS}
    lines = {name: live_curve(v, lengths) for name, v in cells.items()}
    measured = recurrent.measured_state(choice.variant)
    words = (
        f"**{cell}: the same after every token; attention of the same width keeps more from token "
        f"{live_smaller(choice.variant, recurrent.ATTENTION)} on.** Memory and convolution columns, two layers, float32. Rings "
        "are bytes "
        "in the tensors of the live model."
    )
    live.growth(
        "Our models: bytes kept against tokens", xlstm.growth(lengths, lines, cell, points, measured), choice.config, words
    )


def theirs(choice: Choice) -> None:
    """A real cache passing a real memory."""
    key, heads = REAL.peek(), choice.heads
    live.heading(f"xLSTM 7B against {model_name(key)}")
    contexts, size = 2 ** np.arange(4, 18), lesson.memory(heads).bytes
    at, (cache, memory) = reached(key, size), recurrent.crossing(key, size, contexts)
    names = model_name(key), f"xLSTM 7B, {heads} heads"
    kinds.show(xlstm.crossing(contexts, cache, memory, at, names, binary), "crossing", choice.config)
    panels.caption(
        f"**Below {at:,} tokens the memory that does not grow is the larger one.** One sequence: memory in float32, as the paper "
        "counts it; cache in 16 bits. Both axes are logarithmic."
    )


def formula(choice: Choice) -> None:
    """The memory of xLSTM 7B with the numbers put in."""
    m = lesson.memory(choice.heads)
    live.formula(
        f"xLSTM 7B with {m.heads} heads, one sequence, any length",
        r"\begin{aligned} & \underbrace{%d}_{\text{blocks}} \cdot \underbrace{%d}_{\text{heads}} \cdot "
        r"\underbrace{%d}_{\text{key}} \cdot \underbrace{%d}_{\text{value}} \cdot "
        r"\underbrace{4\,\text{B}}_{\text{float32}} \\ & = \text{%s} \end{aligned}"
        % (m.blocks, m.heads, m.k_dim, m.v_dim, decimal(m.matrices)),
        f"**With normaliser and maximum {m.bytes:,} B.** As much as {m.tokens:.0f} tokens of keys and values of a multi-head "
        f"transformer of the same depth and width in float32. 100 sequences at once: {decimal(m.batch(100))}. {{code}}",
        f"{lesson.XLSTM} --state-dtype float32",
    )


def cut(_: Choice) -> None:
    """The same width in other numbers of heads."""
    live.heading("The same width cut into other heads")
    key = REAL.default
    live.table(
        ("heads", "matrix of one", "matrices", "tokens of multi-head, float32", f"tokens of {model_name(key)}, 16-bit"),
        [
            (m.heads, f"{m.k_dim} × {m.v_dim}", decimal(m.matrices), f"{m.tokens:.0f}", f"{reached(key, m.bytes):,}")
            for m in map(lesson.memory, lesson.HEADS)
        ],
        narrow=True,
    )


def catching_up(choice: Choice) -> None:
    """After how many tokens every real cache has caught up."""
    live.heading(f"When real caches have grown to the memory of xLSTM 7B, {choice.heads} heads")
    keys, tokens = zip(*recurrent.caught_up(lesson.memory(choice.heads).bytes))
    names, values = [*map(model_name, keys)], np.array(tokens)
    size = f"the memory of xLSTM 7B, {choice.heads} heads"
    kinds.show(xlstm.tokens(size, names, values, keys.index(REAL.peek())), "models", choice.config)
    panels.caption(
        "**One sequence, cache in 16 bits, memory in float32.** Log scale. Models with a recurrent state are left out."
    )


# Prove


def hues() -> dict[str, str]:
    """The palette keys of our runs: ink where layers of attention stand among others."""
    return {v: "ink" if v in HYBRIDS else HUES[MADE_OF.get(v, "attention")] for v in lesson.RUNS.variants}


def recalled(_: Choice) -> None:
    """Recall against pairs."""
    live.heading("Recall against pairs to remember: every seed")
    ours, heads = lesson.RUNS, ("variant", "pairs", "seed", "recall")
    subject = f"Recall of {len(ours.variants)} models against the number of pairs"
    drawn = kinds.ByCount(subject, ours.recalled(), ours.label, "pairs", "recall", hues(), heads, written=str)
    kinds.show(drawn, "recall", live.again(MECHANISM))
    steps = "; ".join(f"{n} steps: {', '.join(names)}" for n, names in ours.steps.items())
    panels.caption(f"**Marks are seeds, lines join their means.** {steps}.")


def sizes(_: Choice) -> None:
    """Recall against the size of the memory."""
    most = max(lesson.RUNS.counts)
    live.heading(f"Recall of {most} pairs against numbers of memory")
    kinds.show(xlstm.by_size(lesson.by_size(), lesson.RUNS.label, hues(), most), "size", live.again(MECHANISM))
    panels.caption("**Purely recurrent models alone.** The hybrids also keep a cache, which grows.")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows: the one LSTM, and what else keeps a state that does not grow."""
    live.users(
        ("keeps a state by", "state layers", "state, float32"),
        [(u.entry, u.mixer, f"{u.layers} of {u.depth}", binary(u.bytes)) for u in recurrent.keepers("mLSTM")],
        "**Of these only xLSTM 7B is an LSTM, and it has mLSTM alone.** The others keep a state that does not grow by other "
        "means. Counted from the config as released, one sequence.",
    )


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(REAL.alone, (ours, theirs), formula, cut, catching_up),
    live.proof(MECHANISM, (recalled, sizes)), live.reading(READ, listed=MECHANISM.papers), users,
)  # fmt: skip
